"""Rows in bands that stay in the first cache, and the functions that add up the rows of a band."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from codegen.boxes import Box, boxes_of_strands
from codegen.nests import Affine, Loop
from codegen.places import loops_of, row_of
from derive.core.axis import Axis
from derive.core.form import TrilinearForm
from derive.core.polyphase import Run

from .position_block import SINGLE, Block, Pattern, groups, meets, pattern_of
from .tiles import interior


@dataclass(frozen=True, slots=True)
class Call:
    """``blocks`` blocks of rows, from these rows of the band and this sum on."""

    body: int
    y: int
    x: int
    sum: int
    blocks: int


@dataclass(frozen=True, slots=True)
class Band:
    """Rows copied together, at ``y`` and ``x`` inside their loops, and what is done with them."""

    loops: tuple[Loop, ...]
    y: Affine
    y_rows: int
    x: Affine
    x_rows: int
    calls: tuple[Call, ...]


@dataclass(frozen=True, slots=True)
class RowCalls:
    """What the calls of a band are computed from: functions are patterns times parts of taps."""

    row: Axis
    block: Block
    patterns: list[tuple[int, Pattern]]
    parts: int
    taps: int

    def of(self, begin: int, end: int, outer: int) -> tuple[int, int, list[Call]]:
        """Rows begin..end of y: the first row of x, how many there are, and the calls."""
        met = [(run, *_within(run, begin, end)) for run in self.row.runs if run.taps]
        met = [(run, first, count) for run, first, count in met if count]
        lowest = min((run.source + run.advance * first for run, first, _ in met), default=0)
        highest = max(
            (
                run.source + run.advance * (first + count - 1) + run.taps[-1].offset
                for run, first, count in met
            ),
            default=-1,
        )
        calls = [
            call
            for run, first, count in met
            for group in groups(meets(run), self.block.kernel_rows)
            for call in self._calls(
                run.first + run.step * first - begin,
                [(x + run.source + run.advance * first - lowest, tap) for x, tap in group],
                count,
                outer,
            )
        ]
        return lowest, highest + 1 - lowest, calls

    def _calls(
        self, y: int, group: Sequence[tuple[int, int]], count: int, outer: int
    ) -> Iterator[Call]:
        """Rows in blocks, what is left row by row, with a function of their own if there is one."""
        done = 0
        for rows in dict.fromkeys((self.block.rows, 1)):
            key = (rows, pattern_of(group))
            blocks = (count - done) // rows
            if blocks and key in self.patterns:
                yield from self._call(key, y, group[0], done, outer, blocks)
                done += blocks * rows
        if done < count:
            for place in group:
                yield from self._call(SINGLE, y, place, done, outer, count - done)

    def _call(
        self,
        key: tuple[int, Pattern],
        y: int,
        place: tuple[int, int],
        done: int,
        outer: int,
        blocks: int,
    ) -> Iterator[Call]:
        x, tap = place
        begin = self.parts * self.patterns.index(key)
        for body in range(begin, begin + self.parts):
            yield Call(
                body,
                y + self.row.step * done,
                x + self.row.advance * done,
                outer + tap * self.taps,
                blocks,
            )


def _within(run: Run, begin: int, end: int) -> tuple[int, int]:
    """The first and the number of the outputs of a run that lie in begin..end."""
    first = max(0, -(-(begin - run.first) // run.step))
    behind = min(run.count, -(-(end - run.first) // run.step))
    return first, max(0, behind - first)


def bands_of(form: TrilinearForm, calls: RowCalls, height: int) -> Iterator[Band]:
    """All rows, about ``height`` at a time; those of the interior read alike and are a loop."""
    *before, row, _ = form.axes
    for boxes in product(*(boxes_of_strands(axis) for axis in before)):
        for begin, end, count in _cuts(row, height):
            yield _band(form, calls, boxes, (begin, end, count))


def _cuts(row: Axis, height: int) -> Iterator[tuple[int, int, int]]:
    """(begin, end, count): bands of equal height, the first and the last with the border."""
    low, high = interior(row)
    whole = max(0, high - low) // height
    if whole < 2:
        yield 0, row.n_out, 1
        return
    yield 0, low + height, 1
    if whole > 2:
        yield low + height, low + 2 * height, whole - 2
    yield low + height * (whole - 1), row.n_out, 1


def _band(
    form: TrilinearForm, calls: RowCalls, boxes: Sequence[Box], cut: tuple[int, int, int]
) -> Band:
    begin, end, count = cut
    row = form.axes[-2]
    strides = [prod(form.weight_shape[d + 3 :]) for d in range(len(boxes))]
    outer = sum(box.t * stride for box, stride in zip(boxes, strides, strict=True))
    lowest, x_rows, made = calls.of(begin, end, outer)
    loops = loops_of(**{f"q{d}": n for d, n in enumerate([*(box.count for box in boxes), count])})
    y = row_of(
        form.output_shape,
        [*(box.y for box in boxes), begin],
        [*(box.y_step for box in boxes), end - begin],
    )
    x = row_of(
        form.input_shape,
        [*(box.x for box in boxes), lowest],
        [*(box.x_step for box in boxes), row.advance * (end - begin) // row.step],
    )
    return Band(loops, y.within(loops), end - begin, x.within(loops), x_rows, tuple(made))
