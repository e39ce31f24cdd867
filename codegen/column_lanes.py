"""The column-lane schedule: outputs of a row in the lanes of a vector, weights as scalars.

For few output channels, few channels of a group, and kernels of one tap, whose positions are one
long row. A tile is a few output channels times a few rows times the vectors of every phase; each
input row is read as vectors once, and each weight used for all vectors. The weight is packed so
that the channels of a tile lie side by side: [group][input channel][taps][channel], tile by tile.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

from derive.core.axis import Axis, disjoint
from derive.core.form import TrilinearForm
from derive.core.polyphase import Strand

from ._runtime.machine import Machine
from .column_tiles import ColumnTile, column_tiles, vectors_of
from .nests import Affine
from .places import channel_places
from .sweeps import Sweep, sweeps_of

OVERHEAD = 4  # cycles around the multiply-adds of one kernel row,
STORING = 3  # of beginning and storing a sum,
CALLING = 40  # and of one tile
WIDEST_ADVANCE = 4  # inputs from one output to the next; beyond, shuffles outweigh all else


@dataclass(frozen=True, slots=True)
class Block:
    """``count`` times ``outputs`` output channels, from channel ``first`` of a group on."""

    first: int
    count: int
    outputs: int


@dataclass(frozen=True, slots=True)
class ColumnLanes:
    """A gather in column lanes; each block of channels has its sweeps over the rows."""

    form: TrilinearForm
    lanes: int
    y: Affine
    x: Affine
    y_plane: int
    x_plane: int
    y_row: int
    x_row: int
    kernel: int
    outer: int
    tiles: tuple[ColumnTile, ...]
    blocks: tuple[tuple[Block, tuple[Sweep, ...]], ...]

    @property
    def packed(self) -> int:
        """Numbers of the packed weight, which are those of the weight."""
        return prod(self.form.weight_shape)


@dataclass(frozen=True, slots=True)
class Shape:
    """A tile: output channels, rows and vectors of a phase side by side."""

    outputs: int
    rows: int
    vectors: int


def flattened(form: TrilinearForm) -> TrilinearForm:
    """The same with trailing axes that copy made one with the axis before them.

    >>> from derive import Conv2d
    >>> flattened(Conv2d(8, 8, 1, input_size=(5, 7)).form).output_shape
    (8, 35)
    """
    axes = list(form.axes)
    while len(axes) > 1 and _copies(axes[-1]) and axes[-2].step == axes[-2].advance == 1:
        inner, outer = axes.pop(), axes.pop()
        n = inner.n_in
        strands = (
            Strand(n * s.y, s.tap, n * s.x, n * s.count, s.coefficient) for s in outer.strands
        )
        joined = disjoint(strands, 1, 1)
        axes.append(Axis(n * outer.n_in, n * outer.n_out, outer.n_tap, 1, 1, joined))
    return replace(form, axes=tuple(axes))


def _copies(axis: Axis) -> bool:
    whole = Strand(0, 0, 0, axis.n_in, axis.strands[0].coefficient) if axis.strands else None
    return (axis.n_tap, axis.n_in, axis.strands) == (1, axis.n_out, (whole,))


def lanes_for(axis: Axis, machine: Machine, item: int) -> int:
    """Lanes of a vector: no more than a row of one phase needs."""
    needed = 1 << (-(-axis.n_out // axis.step) - 1).bit_length()
    return max(2, min(machine.vector_bytes // item, needed))


def columns_of(form: TrilinearForm, machine: Machine, item: int) -> ColumnLanes:
    """The schedule of a folded form, which must fit, for scalars of ``item`` bytes."""
    form = flattened(form)
    *outer, column = form.axes
    lanes = lanes_for(column, machine, item)
    shape = best_shape(form, machine, lanes)
    assert shape is not None
    y_step, x_step = (outer[-1].step, outer[-1].advance) if outer else (0, 0)
    y, x, _ = channel_places(form)
    blocks = [
        (block, sweeps_of(form, shape.rows, block.outputs))
        for block in _blocks(form.channels_out, shape.outputs)
    ]
    return ColumnLanes(
        form=form,
        lanes=lanes,
        y=y,
        x=x,
        y_plane=prod(form.output_shape[1:]),
        x_plane=prod(form.input_shape[1:]),
        y_row=y_step * column.n_out,
        x_row=x_step * column.n_in,
        kernel=prod(axis.n_tap for axis in form.axes),
        outer=len(outer),
        tiles=tuple(column_tiles(column, lanes, shape.vectors)),
        blocks=tuple(blocks),
    )


def _blocks(channels: int, most: int) -> list[Block]:
    """Output channels in blocks of ``most``, and what is left."""
    whole, rest = divmod(channels, most)
    blocks = [Block(0, whole, most)]
    return [*blocks, Block(whole * most, 1, rest)] if rest else blocks


def best_shape(form: TrilinearForm, machine: Machine, lanes: int) -> Shape | None:
    """The tile of the fewest cycles among those whose accumulators fit the registers."""
    *outer, column = form.axes
    if column.n_in < 2 or column.advance > WIDEST_ADVANCE or not column.n_out:
        return None
    most_rows = max((run.count for run in outer[-1].runs), default=1) if outer else 1
    phases = min(column.step, column.n_out)
    vectors = vectors_of(column, lanes)
    shapes = [
        Shape(outputs, rows, wide)
        for wide in range(1, min(vectors, machine.registers) + 1)
        for rows in range(1, min(most_rows, machine.registers // wide) + 1)
        for outputs in range(1, min(form.channels_out, machine.registers) + 1)
        if wide * rows * (outputs * phases + 1) < machine.registers
    ]
    return min(shapes, key=lambda shape: _cycles(form, shape, lanes), default=None)


def column_cycles(form: TrilinearForm, machine: Machine, item: int) -> int | None:
    """About how long a sample of a group takes, in multiply-adds of a whole vector.

    None where the schedule does not fit: a row is one number, or has more phases than there are
    registers, or is read in wide steps.
    """
    form = flattened(form)
    lanes = lanes_for(form.axes[-1], machine, item)
    shape = best_shape(form, machine, lanes)
    return (
        None
        if shape is None
        else _cycles(form, shape, lanes) * lanes * item // machine.vector_bytes
    )


def _cycles(form: TrilinearForm, shape: Shape, lanes: int) -> int:
    """About how long one sample of a group takes, in multiply-adds of a vector.

    A shuffle, an aligned load and a scalar count one, a load from any place two; loads run beside
    multiply-adds and shuffles.
    """
    *outer, column = form.axes
    runs = {run.first % column.step: run for run in sorted(column.runs, key=lambda run: run.count)}
    taps = sum(len(run.taps) for run in runs.values())
    advance = column.advance
    lines = len(
        {
            run.source - advance * (run.first // column.step) + tap.offset
            for run in runs.values()
            for tap in run.taps
        }
    )
    split = min(lines, advance)
    shuffles = 0 if advance == 1 else (advance - 1) * split + lines - split
    loads = 2 * lines if advance == 1 else advance + 1
    rows = sum(-(-run.count // shape.rows) for run in outer[-1].runs) if outer else 1
    rows *= prod(axis.n_out for axis in outer[:-1])
    kernel_rows = form.channels_in * prod(axis.triples for axis in outer)
    kernel_rows = kernel_rows * rows // max(1, prod(axis.n_out for axis in outer))
    vectors = vectors_of(column, lanes)
    tiles = -(-vectors // shape.vectors)
    total = 0
    for block in _blocks(form.channels_out, shape.outputs):
        side_by_side = shape.rows * vectors
        arithmetic = side_by_side * (block.outputs * taps + shuffles)
        other = side_by_side * loads + tiles * block.outputs * taps
        sums = side_by_side * block.outputs * min(column.step, column.n_out)
        around = STORING * sums + CALLING * tiles
        each = max(arithmetic, other) + OVERHEAD * tiles
        total += block.count * (kernel_rows * each + rows * around)
    return total
