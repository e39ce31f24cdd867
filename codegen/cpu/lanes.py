"""The channel-lane schedule: output channels in the lanes of a vector, columns in registers.

A scalar of the input is read once and used for every tap and phase that touches it, while the
weights of a kernel row sit in registers. The weight is packed so that the channels of a vector lie
side by side: [group][block][input channel][outer taps][tap][lane].
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from math import prod

from codegen._runtime.machine import Machine
from codegen.nests import Affine, Loop
from codegen.places import channel_places, loops_of
from derive.core.form import TrilinearForm

from .sweeps import Sweep, sweeps_of
from .tiles import Tile, tiles

OVERHEAD = 4  # cycles around the multiply-adds of one kernel row,
STORING = 12  # of turning and storing a vector of channels,
FETCHING = 2  # and of a few numbers that are far from the last ones:
NEAR = 2048  # bytes between the channels that are not
HELD_TAPS = 8  # of a kernel row, at most, that are kept in registers


@dataclass(frozen=True, slots=True)
class Column:
    """One input scalar at ``x`` and the (accumulator, tap) pairs that use it."""

    x: int
    uses: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class LaneTile:
    """``count`` tiles, the c-th at y + y_step*c and x + x_step*c; accumulator = row*width + j."""

    count: int
    width: int
    y: int
    y_step: int
    x: int
    x_step: int
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class RowBlock:
    """How ``rows`` rows are computed side by side."""

    rows: int
    tiles: tuple[LaneTile, ...]


@dataclass(frozen=True, slots=True)
class Lanes:
    """A gather in channel lanes."""

    lanes: int
    blocks: int
    channels: tuple[Loop, ...]
    outputs: int  # channels of a group
    inputs: int
    y: Affine
    x: Affine
    w: Affine
    bias: Affine
    y_plane: int
    x_plane: int
    y_row: int  # from one row of a block to the next
    taps: int  # of a kernel row
    kernel: int  # taps in all
    outer: int  # outer axes
    sweeps: tuple[Sweep, ...]
    row_blocks: tuple[RowBlock, ...]


def suits(form: TrilinearForm, machine: Machine, item: int) -> bool:
    """Whether a group has the output channels to fill most of a vector."""
    return 4 * form.channels_out >= 3 * (machine.vector_bytes // item)


def lane_cycles(form: TrilinearForm, machine: Machine, item: int) -> int:
    """About how long a sample of a group takes, in multiply-adds of a vector."""
    *outer, column = form.axes
    blocks = -(-form.channels_out // (machine.vector_bytes // item))
    accumulators = machine.registers - min(column.n_tap, HELD_TAPS) - 1
    wide = -(-column.n_out // accumulators)
    rows = max(1, accumulators // max(1, column.n_out)) if outer else 1
    kernel_rows = form.channels_in * prod(axis.triples for axis in outer)
    positions = prod(axis.n_out for axis in form.axes)
    around = OVERHEAD
    if column.n_tap == 1 and prod(form.input_shape[1:]) * item > NEAR:
        around += FETCHING
    return blocks * (
        kernel_rows * column.triples + kernel_rows * around * wide // rows + STORING * positions
    )


def lanes_of(form: TrilinearForm, machine: Machine, item: int) -> Lanes:
    """The schedule of a folded form for scalars of ``item`` bytes."""
    *outer, column = form.axes
    lanes = machine.vector_bytes // item
    held = column.n_tap if column.n_tap <= HELD_TAPS else 2
    accumulators = machine.registers - held - 1
    cut = tiles(column, accumulators)
    most_rows = accumulators // max(tile.width for tile in cut) if outer else 1
    sweeps = sweeps_of(form, most_rows, lanes)
    y_step, x_step = (outer[-1].step, outer[-1].advance) if outer else (0, 0)
    y, x, _ = channel_places(form)
    blocks = -(-form.channels_out // lanes)
    channels = loops_of(b="batch", g=form.groups, k=blocks)
    kernel = prod(axis.n_tap for axis in form.axes)
    y_plane = prod(form.output_shape[1:])
    packed = form.channels_in * kernel * lanes
    return Lanes(
        lanes=lanes,
        blocks=blocks,
        channels=channels,
        outputs=form.channels_out,
        inputs=form.channels_in,
        y=(y + Affine.of(0, k=lanes * y_plane)).within(channels),
        x=x.within(channels),
        w=Affine.of(0, g=blocks * packed, k=packed).within(channels),
        bias=Affine.of(0, g=form.channels_out, k=lanes).within(channels),
        y_plane=y_plane,
        x_plane=prod(form.input_shape[1:]),
        y_row=y_step * column.n_out,
        taps=column.n_tap,
        kernel=kernel,
        outer=len(outer),
        sweeps=sweeps,
        row_blocks=tuple(
            RowBlock(rows, tuple(_lane_tile(tile, rows, x_step * column.n_in) for tile in cut))
            for rows in sorted({sweep.rows for sweep in sweeps})
        ),
    )


def _lane_tile(tile: Tile, rows: int, x_row: int) -> LaneTile:
    """The tile in ``rows`` rows at once; input rows lie ``x_row`` apart."""
    uses = sorted(
        (x + x_row * row, row * tile.width + j, tap)
        for row in range(rows)
        for j, tap, x in tile.reads
    )
    columns = tuple(
        Column(x, tuple((accumulator, tap) for _, accumulator, tap in same))
        for x, same in groupby(uses, key=lambda use: use[0])
    )
    return LaneTile(tile.count, tile.width, tile.y, tile.y_step, tile.x, tile.x_step, columns)
