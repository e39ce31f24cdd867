"""Cutting an axis into tiles of outputs that are summed side by side in registers.

Tiles that read alike, shifted, are one kind with a count; only borders make kinds of their own, so
an axis of any length has a handful of kinds.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from derive.core.axis import Axis

Read = tuple[int, int, int]  # output in the tile, tap, input counted from the tile's base


@dataclass(frozen=True, slots=True)
class Tile:
    """``count`` tiles of ``width`` outputs from y + y_step*c, reading from x + x_step*c."""

    count: int
    width: int
    y: int
    y_step: int
    x: int
    x_step: int
    reads: tuple[Read, ...]


def tiles(axis: Axis, widest: int) -> list[Tile]:
    """All outputs of an axis in tiles of at most ``widest``, of nearly equal width.

    >>> from derive.core.rules import ConvolutionRule
    >>> axis = ConvolutionRule(kernel=3, before=1, after=1).at(40)
    >>> [(tile.count, tile.width, tile.y, len(tile.reads)) for tile in tiles(axis, 10)]
    [(1, 10, 0, 29), (2, 10, 10, 30), (1, 10, 30, 29)]
    """
    period, pattern = _pattern(axis, widest)
    lo, hi = interior(axis)
    found = []
    for offset, width in pattern:
        total = -(-(axis.n_out - offset) // period)
        begin = min(total, max(0, -(-(lo - offset) // period)))
        end = min(total, max(begin, (hi - offset - width) // period + 1))
        if end > begin:
            x_step = axis.advance * (period // axis.step)
            y = offset + period * begin
            found.append(_tile(axis, y, width, count=end - begin, period=period, x_step=x_step))
        for c in (*range(begin), *range(end, total)):
            y = offset + period * c
            found.append(_tile(axis, y, min(width, axis.n_out - y)))
    return sorted(found, key=lambda tile: tile.y)


def _pattern(axis: Axis, widest: int) -> tuple[int, list[tuple[int, int]]]:
    """A period of outputs, and the (offset, width) of the tiles in it."""
    step = axis.step
    if step > widest:  # the phases do not fit in one tile: share them out
        parts = -(-step // widest)
        cuts = [step * i // parts for i in range(parts + 1)]
        return step, [(a, b - a) for a, b in pairwise(cuts)]
    most = widest - widest % step
    count = -(-axis.n_out // most)
    width = -(-axis.n_out // count)
    width += -width % step
    return width, [(0, width)]


def interior(axis: Axis) -> tuple[int, int]:
    """Outputs lo..hi that all belong to the longest run of their phase."""
    lo, hi = 0, axis.n_out
    for phase in range(min(axis.step, axis.n_out)):
        runs = (run for run in axis.runs if run.first % axis.step == phase)
        longest = max(runs, key=lambda run: run.count)
        lo = max(lo, longest.first - axis.step + 1)
        hi = min(hi, longest.first + axis.step * longest.count)
    return lo, hi


def _tile(
    axis: Axis, y: int, width: int, *, count: int = 1, period: int = 0, x_step: int = 0
) -> Tile:
    reads = [(j, tap, x) for j in range(width) for x, tap, _ in axis.row(y + j)]
    base = min((x for _, _, x in reads), default=0)
    moved = sorted((x - base, j, tap) for j, tap, x in reads)
    return Tile(count, width, y, period, base, x_step, tuple((j, tap, x) for x, j, tap in moved))
