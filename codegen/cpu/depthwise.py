"""The depthwise schedule: one input channel for each group, its kernel in registers.

A strip of output rows is computed column by column, a vector at a time. Every input row is read
once and used for all the output rows that it touches; an output row is stored as soon as it has met
its last input row. The weight is taken as it lies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from math import prod

from codegen._runtime.machine import Machine
from codegen.nests import Affine, Loop
from codegen.places import channel_places, loops_of
from derive.core.axis import Axis
from derive.core.form import TrilinearForm

from .column_cost import STORING, WIDEST_STEP, KernelRow
from .column_lanes import flattened, lanes_for
from .column_tiles import ColumnTile, column_tiles, vectors_of
from .tiles import Tile, tiles

MOST_UPDATES = 450  # multiply-adds of a tile of a strip, so that its text stays short
MOST_TEXT = 2500  # and of all of them
WHOLE_MAP = 16  # rows that are one strip


@dataclass(frozen=True, slots=True)
class InputRow:
    """Where an input row of a strip begins, and the (output row, outer tap) pairs that use it.

    With ``room`` there is a vector of numbers from its begin on, some of the rows behind it.
    """

    x: int
    room: bool
    uses: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Strip:
    """``count`` strips of ``rows`` output rows, the c-th at y + y_step*c and x + x_step*c."""

    count: int
    rows: int
    y: int
    y_step: int
    x: int
    x_step: int
    reads: tuple[InputRow, ...]


@dataclass(frozen=True, slots=True)
class Depthwise:
    """A gather of one input channel in each group; places are those of a pair of channels."""

    channels: tuple[Loop, ...]
    y: Affine
    x: Affine
    w: Affine
    bias: Affine
    lanes: int
    y_row: int
    taps: int  # of a kernel row
    strips: tuple[Strip, ...]
    tiles: tuple[ColumnTile, ...]
    roomy: tuple[ColumnTile, ...]  # the same for rows with room


def depthwise(form: TrilinearForm, machine: Machine, item: int) -> Depthwise | None:
    """The schedule of a folded form; None where it does not fit.

    It has one input channel, two axes at most, rows of two numbers, few phases and a short text.

    >>> from codegen._runtime.machine import X86
    >>> from derive import Conv2d
    >>> found = depthwise(Conv2d(8, 8, 3, padding=1, groups=8, input_size=56).form, X86[0], 4)
    >>> [(strip.count, strip.rows, len(strip.reads)) for strip in found.strips]
    [(1, 4, 5), (12, 4, 6), (1, 4, 5)]
    """
    if form.channels_in > 1:
        return None
    form = flattened(form)
    *outer, column = form.axes
    few = min(column.step, column.n_out) < machine.registers // 2
    if len(outer) > 1 or column.n_in < 2 or column.advance > WIDEST_STEP or not few:
        return None
    lanes = lanes_for(column, machine, item)
    rows, wide = _shape(outer, column, lanes)
    last = prod(form.input_shape[1:]) - lanes
    strips = [
        _strip(tile, column, last) for tile in (tiles(outer[0], rows) if outer else [ONE_ROW])
    ]
    cut = column_tiles(column, lanes, wide)
    if _written_out(strips, cut) > MOST_TEXT:
        return None
    channels = loops_of(b="batch", g=form.groups, o=form.channels_out)
    y, x, w = channel_places(form)
    return Depthwise(
        channels=channels,
        y=y.within(channels),
        x=x.within(channels),
        w=w.within(channels),
        bias=Affine.of(0, g=form.channels_out, o=1).within(channels),
        lanes=lanes,
        y_row=column.n_out,
        taps=column.n_tap,
        strips=tuple(strips),
        tiles=tuple(cut),
        roomy=tuple(column_tiles(column, lanes, wide, max(0, lanes - column.n_in))),
    )


ONE_ROW = Tile(1, 1, 0, 0, 0, 0, ((0, 0, 0),))


def _written_out(strips: Sequence[Strip], cut: Sequence[ColumnTile]) -> int:
    """Multiply-adds of the whole text."""
    rows = sum(len(row.uses) for strip in strips for row in strip.reads)
    return rows * sum(len(use.vectors) for tile in cut for use in tile.uses)


def depthwise_cycles(form: TrilinearForm, machine: Machine, item: int) -> int:
    """About how long a sample of a group takes, in multiply-adds of a whole vector."""
    *outer, column = flattened(form).axes
    lanes, row = lanes_for(column, machine, item), KernelRow.of(column)
    rows, _ = _shape(outer, column, lanes)
    triples = n_out = met = 1  # met: input rows, once for each strip
    for axis in outer:
        triples, n_out = axis.triples, axis.n_out
        reach = (rows - 1) * axis.advance // axis.step + triples // max(1, n_out)
        met = -(-n_out // rows) * reach
    arithmetic = triples * row.taps + met * row.shuffles
    taps = prod(axis.n_tap for axis in form.axes)
    read_again = triples * row.taps if taps > machine.registers else 0
    sums = STORING * n_out * min(column.step, column.n_out)
    each = max(arithmetic, met * row.loads + read_again) + sums
    whole = form.channels_out * vectors_of(column, lanes) * each
    return whole * lanes * item // machine.vector_bytes


def _shape(outer: Sequence[Axis], column: Axis, lanes: int) -> tuple[int, int]:
    """Output rows of a strip, which share input rows, and vectors of a tile.

    Two vectors side by side, where that leaves the text short: they read longer pieces of memory.
    """
    if not outer:
        return 1, min(2, vectors_of(column, lanes))
    (axis,) = outer
    taps = -(-axis.triples * column.triples // max(1, axis.n_out * column.n_out))
    for wide, rows in ((2, 4), (1, 8)):
        most = max(1, MOST_UPDATES // max(1, taps * wide * min(column.step, column.n_out)))
        if vectors_of(column, lanes) >= wide and most >= rows // 2 * wide:
            break
    if axis.n_out <= min(most, WHOLE_MAP):
        return axis.n_out, wide
    return max(min(axis.step, most), min(most, rows)), wide


def _strip(tile: Tile, column: Axis, last: int) -> Strip:
    """The input rows of a tile of output rows; a vector may begin at ``last`` at the latest."""
    reads = sorted((x, j, tap) for j, tap, x in tile.reads)
    begins = tile.x + tile.x_step * (tile.count - 1)
    return Strip(
        tile.count,
        tile.width,
        column.n_out * tile.y,
        column.n_out * tile.y_step,
        column.n_in * tile.x,
        column.n_in * tile.x_step,
        tuple(
            InputRow(
                column.n_in * x,
                column.n_in * (begins + x) <= last,
                tuple((j, tap) for _, j, tap in same),
            )
            for x, same in groupby(reads, key=lambda read: read[0])
        ),
    )
