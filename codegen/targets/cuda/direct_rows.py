"""The hot loop of a direct schedule as lines: columns and weights into registers, and sums."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from codegen.cuda.direct import Direct
from codegen.cuda.direct_thread import MOST_WRITTEN, TapRow, Use

Readers = Sequence[tuple[int, TapRow]]


def hot_rows(schedule: Direct, prefix: str) -> list[dict[str, Any]]:
    """One entry for each row of x, or a single one in loops over rows of taps."""
    thread = schedule.thread
    if not thread.even:
        return [
            {
                "loops": [],
                "unrolled": "",
                "comment": f"row {row} of x" + (f", at depth {depth}" if depth else ""),
                "lines": list(_Row(schedule, prefix, readers).lines(_place(schedule, depth, row))),
            }
            for (depth, row), readers in thread.x_rows.items()
        ]
    return [_even_rows(schedule, prefix)]


def _even_rows(schedule: Direct, prefix: str) -> dict[str, Any]:
    """The loops over rows of taps that are alike."""
    thread, (z, y, _) = schedule.thread, schedule.slides
    pattern = thread.tap_rows[0]
    per_row = thread.padded(len(pattern.uses)) * thread.outputs
    rows = len(y.offsets[0])
    plane = schedule.positions[1] * schedule.pitch
    loops = [
        _Loop("tz", len(z.offsets[0]), (z.even or 1) * plane, rows * per_row),
        _Loop("ty", rows, (y.even or 1) * schedule.pitch, per_row),
    ]
    loops = [each for each in loops if each.count > 1]
    x = "".join(f" + {each.x} * {each.variable}" for each in loops)
    w = "".join(f" + {each.weight} * {each.variable}" for each in loops)
    return {
        "loops": loops,
        "unrolled": "" if thread.multiplies <= MOST_WRITTEN else " 1",
        "comment": "the taps of a row",
        "lines": list(_Row(schedule, prefix, [(0, pattern)]).lines(x, w)),
    }


@dataclass(frozen=True, slots=True)
class _Loop:
    """A loop over taps, and how many numbers of a tile and of the weight it goes on."""

    variable: str
    count: int
    x: int
    weight: int


def held_weights(schedule: Direct, prefix: str) -> list[str]:
    """The lines that read all weights of an input channel, where several rows of x meet them."""
    thread = schedule.thread
    if not thread.holds_weights or not thread.taps:
        return []
    count = thread.slots * thread.outputs
    return [f"sum_t w[{count}];", f"{prefix}_weights<{count}>(w, weight);"]


def _place(schedule: Direct, depth: int, row: int) -> str:
    place = (depth * schedule.positions[1] + row) * schedule.pitch
    return f" + {place}" if place else ""


@dataclass(frozen=True)
class _Row:
    """A row of x, and (row of outputs, taps) that read it."""

    schedule: Direct
    prefix: str
    readers: Readers

    def lines(self, x: str, w: str = "") -> Iterator[str]:
        """``x`` and ``w`` are what is added to the thread's window and to its weights."""
        thread = self.schedule.thread
        yield f"const sum_t *const row = window{x};"
        if not thread.holds_weights:
            yield f"const sum_t *const tap = weight{w};"
        firsts = self._firsts()
        for residue, (first, end) in firsts.items():
            yield f"sum_t columns{residue}[{end - first}];"
        loaded: set[tuple[int, int]] = set()
        for row, taps in self.readers:
            if thread.outputs % thread.weight_vector and not thread.holds_weights:
                count = thread.padded(len(taps.uses)) * thread.outputs
                yield f"sum_t w[{count}];"
                yield f"{self.prefix}_weights<{count}>(w, tap{_plus(self._at(taps))});"
            for i, use in enumerate(taps.uses):
                yield from self._loads(use, firsts, loaded)
                yield self._multiply(row, taps, i)

    def _firsts(self) -> dict[int, tuple[int, int]]:
        """Of each residue the first column that is read, and the end."""
        thread = self.schedule.thread
        advance = self.schedule.slides[2].advance
        found: dict[int, tuple[int, int]] = {}
        for use in (use for _, taps in self.readers for use in taps.uses):
            chunks = thread.chunks(use.column)
            first, end = found.get(use.column % advance, (chunks[0], 0))
            found[use.column % advance] = (
                min(first, chunks[0]),
                max(end, chunks[-1] + thread.vector),
            )
        return dict(sorted(found.items()))

    def _loads(
        self, use: Use, firsts: dict[int, tuple[int, int]], loaded: set[tuple[int, int]]
    ) -> Iterator[str]:
        """The vectors of columns that a use is the first to need, neighbours in one line."""
        thread = self.schedule.thread
        residue = use.column % self.schedule.slides[2].advance
        fresh = [at for at in thread.chunks(use.column) if (residue, at) not in loaded]
        loaded |= {(residue, at) for at in fresh}
        while fresh:
            count = 1
            while count < len(fresh) and fresh[count] == fresh[0] + count * thread.vector:
                count += 1
            to, place = fresh[0] - firsts[residue][0], residue * self.schedule.residue + fresh[0]
            yield (
                f"{self.prefix}_columns<{count * thread.vector}>"
                f"(columns{residue}{_plus(to)}, row{_plus(place)});"
            )
            del fresh[:count]

    def _multiply(self, row: int, taps: TapRow, i: int) -> str:
        thread, use = self.schedule.thread, taps.uses[i]
        z, y, x = use.phase
        _, phases_y, phases_x = (slide.phases for slide in self.schedule.slides)
        sums = ((z * phases_y + y) * phases_x + x) * thread.rows + row
        advance = self.schedule.slides[2].advance
        first = self._firsts()[use.column % advance][0]
        columns = f"columns{use.column % advance}{_plus(use.column // advance - first)}"
        if thread.holds_weights:
            at = (taps.slot + i) * thread.outputs
            return f"{self.prefix}_multiply(sums[{sums}], w{_plus(at)}, {columns});"
        if thread.outputs % thread.weight_vector:
            return f"{self.prefix}_multiply(sums[{sums}], w{_plus(i * thread.outputs)}, {columns});"
        at = self._at(taps) + i * thread.outputs
        return (
            f"{{ sum_t w[{thread.outputs}]; {self.prefix}_weights<{thread.outputs}>"
            f"(w, tap{_plus(at)}); {self.prefix}_multiply(sums[{sums}], w, {columns}); }}"
        )

    def _at(self, taps: TapRow) -> int:
        """Where the weights of a tap row begin, from those of the entry."""
        return 0 if self.schedule.thread.even else taps.slot * self.schedule.thread.outputs


def _plus(place: int) -> str:
    return f" + {place}" if place else ""
