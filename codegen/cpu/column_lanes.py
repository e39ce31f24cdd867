"""The column-lane schedule: outputs of a row in the lanes of a vector, weights as scalars.

For few output channels, few channels of a group, and kernels of one tap, whose positions are one
long row. A tile is a few output channels times a few rows times the vectors of every phase; each
input row is read as vectors once, and each weight used for all vectors. The weight is packed so
that the channels of a tile lie side by side: [group][input channel][taps][channel], tile by tile.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

from codegen._runtime.machine import Machine
from codegen.nests import Affine
from codegen.places import channel_places
from derive.core.axis import Axis, disjoint
from derive.core.form import TrilinearForm
from derive.core.polyphase import Strand

from .column_cost import Block, best_shape, blocks_of, cycles
from .column_tiles import ColumnTile, column_tiles
from .sweeps import Sweep, sweeps_of


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
    def sweeps(self) -> int:
        """How many there are, alike for all blocks."""
        return len(self.blocks[0][1])

    @property
    def packed(self) -> int:
        """Numbers of the packed weight, which are those of the weight."""
        return prod(self.form.weight_shape)


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
    """The schedule of a folded form, which must fit, for scalars of ``item`` bytes.

    >>> from codegen._runtime.machine import X86
    >>> from derive import ConvTranspose2d
    >>> found = columns_of(ConvTranspose2d(64, 3, 4, 2, padding=1, input_size=64).form, X86[0], 4)
    >>> [(tile.phases, tile.vectors) for tile in found.tiles], [block for block, _ in found.blocks]
    ([(2, 4)], [Block(first=0, count=1, outputs=3)])
    """
    form = flattened(form)
    *outer, column = form.axes
    lanes = lanes_for(column, machine, item)
    shape = best_shape(form, machine, lanes)
    assert shape is not None
    y_step, x_step = (outer[-1].step, outer[-1].advance) if outer else (0, 0)
    y, x, _ = channel_places(form)
    blocks = [
        (block, sweeps_of(form, shape.rows, block.outputs))
        for block in blocks_of(form.channels_out, shape.outputs)
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


def column_cycles(form: TrilinearForm, machine: Machine, item: int) -> int | None:
    """About how long a sample of a group takes, in multiply-adds of a whole vector.

    None where the schedule does not fit: a row is one number, or has more phases than there are
    registers, or is read in wide steps.
    """
    form = flattened(form)
    lanes = lanes_for(form.axes[-1], machine, item)
    shape = best_shape(form, machine, lanes)
    return (
        None if shape is None else cycles(form, shape, lanes) * lanes * item // machine.vector_bytes
    )
