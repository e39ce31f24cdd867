"""Cutting an axis into tiles of vectors of outputs: the outputs of one phase side by side.

A tile holds, for each phase, a few vectors; lane l of one that begins at q is the output
step*(q + l) + phase. What it reads, and how it is stored, are plans of loads and shuffles. Tiles
that read alike, shifted, are one kind with a count; only borders make kinds of their own. The last
vector of a row begins so early that it ends with the row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from derive.core.axis import Axis

from .column_plans import Store, Use, reads_of, stores_of
from .shuffles import ANY, Load, Shuffle


@dataclass(frozen=True, slots=True)
class ColumnTile:
    """``count`` tiles, the c-th at y + y_step*c and x + x_step*c.

    ``steps`` read the row of x; ``joins`` put the accumulators in order. There is one accumulator
    for each phase and vector.
    """

    count: int
    y: int
    y_step: int
    x: int
    x_step: int
    phases: int
    vectors: int
    steps: tuple[Load | Shuffle, ...]
    uses: tuple[Use, ...]
    joins: tuple[Load | Shuffle, ...]
    stores: tuple[Store, ...]

    @property
    def accumulators(self) -> int:
        """How many there are."""
        return self.phases * self.vectors

    def accumulator(self, phase: int, vector: int) -> int:
        """The place of one."""
        return phase * self.vectors + vector


def vectors_of(axis: Axis, lanes: int) -> int:
    """Vectors that hold the outputs of one phase."""
    return -(-_positions(axis) // lanes)


def column_tiles(axis: Axis, lanes: int, widest: int, beyond: int = 0) -> list[ColumnTile]:
    """All outputs of an axis in tiles of at most ``widest`` vectors, of nearly equal width.

    So many numbers ``beyond`` the end of a row may be loaded, too.

    >>> from derive.core.rules import ConvolutionRule
    >>> axis = ConvolutionRule(kernel=3, before=1, after=1).at(56)
    >>> [(tile.count, tile.vectors, tile.y, len(tile.uses)) for tile in column_tiles(axis, 16, 1)]
    [(1, 1, 0, 3), (2, 1, 16, 3), (1, 1, 48, 3)]
    """
    found: list[ColumnTile] = []
    for tile in _tiles(axis, lanes, widest, beyond):
        if found and _follows(found[-1], tile):
            found[-1] = replace(found[-1], count=found[-1].count + tile.count)
        else:
            found.append(tile)
    return found


def _tiles(axis: Axis, lanes: int, widest: int, beyond: int) -> Iterator[ColumnTile]:
    """One tile after the other, but for those within, which are one."""
    last = _positions(axis)
    low, high = _within(axis, lanes)
    vectors = -(-last // lanes)
    tiles = -(-vectors // widest)
    least, wider = divmod(vectors, tiles)
    first = 0
    for width, count in (((least + 1) * lanes, wider), (least * lanes, tiles - wider)):
        begins = range(first, first + width * count, width)
        begin = min(count, max(0, -(-(low - first) // width)))
        end = min(count, max(begin, (high - first) // width))
        for at, alike in (
            *((q, 1) for q in begins[:begin]),
            *((q, end - begin) for q in begins[begin:end][:1]),
            *((q, 1) for q in begins[end:]),
        ):
            tile = _tile(axis, lanes, at, min(last, at + width), beyond)
            yield replace(tile, count=alike, y_step=axis.step * width, x_step=axis.advance * width)
        first += width * count


def _follows(tile: ColumnTile, other: ColumnTile) -> bool:
    """Whether the other is the next of the same kind."""
    y, x = tile.y + tile.y_step * tile.count, tile.x + tile.x_step * tile.count
    return other == replace(tile, count=other.count, y=y, x=x)


def _positions(axis: Axis) -> int:
    """Outputs of the longest phase."""
    return -(-axis.n_out // axis.step)


def _within(axis: Axis, lanes: int) -> tuple[int, int]:
    """Positions low..high, all of the longest run of their phase, whose reads lie inside.

    An advance above 1 reads from a grid, up to a vector beside what is needed.
    """
    low, high = 0, axis.n_out // axis.step
    beside = lanes if axis.advance > 1 else 0
    for phase in range(min(axis.step, axis.n_out)):
        runs = (run for run in axis.runs if run.first % axis.step == phase)
        run = max(runs, key=lambda run: run.count)
        begin = run.first // axis.step
        low, high = max(low, begin), min(high, begin + run.count)
        if run.taps:
            at, reach = run.source - axis.advance * begin, run.taps[-1].offset
            low = max(low, -((at - beside) // axis.advance))
            high = min(high, (axis.n_in - 1 - beside - reach - at) // axis.advance + 1)
    return low, high


def _tile(axis: Axis, lanes: int, begin: int, end: int, beyond: int) -> ColumnTile:
    """The positions begin..end of every phase."""
    starts = [*range(begin, end, lanes)]
    starts[-1] = max(0, min(starts[-1], end - lanes))
    first, behind = axis.step * begin, min(axis.n_out, axis.step * end)
    phases = range(min(axis.step, axis.n_out))
    written = [
        tuple(_output(axis, start + lane, phase) for lane in range(lanes))
        for phase in phases
        for start in starts
    ]
    plan, uses = reads_of(axis, lanes, len(starts), written, begin, beyond)
    joins, stores = stores_of(lanes, written, first, behind)
    x = min((step.at for step in plan.steps if isinstance(step, Load)), default=0)
    moved = [replace(s, at=s.at - x) if isinstance(s, Load) else s for s in plan.steps]
    return ColumnTile(
        1, first, 0, x, 0, len(phases), len(starts), tuple(moved), uses, joins, stores
    )


def _output(axis: Axis, position: int, phase: int) -> int | None:
    y = axis.step * position + phase
    return y if y < axis.n_out else ANY
