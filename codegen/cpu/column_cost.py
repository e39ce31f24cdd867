"""About how long column lanes take, counted in multiply-adds of a vector; and the tile that wins.

A shuffle, an aligned load and a scalar count one, a load from any place two; loads run beside
multiply-adds and shuffles.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from codegen._runtime.machine import Machine
from derive.core.axis import Axis
from derive.core.form import TrilinearForm

from .column_tiles import vectors_of

OVERHEAD = 4  # cycles around the multiply-adds of one kernel row,
STORING = 3  # of beginning and storing a sum,
CALLING = 40  # and of one tile
WIDEST_STEP = 4  # inputs from one output to the next, for each channel; beyond, shuffles cost most
SPARE = 2  # registers, for a weight and for the compiler
TWO_KINDS = 32  # one part in so many is lost to a second kind of block
MOST_UPDATES = 600  # multiply-adds that a tile writes out


@dataclass(frozen=True, slots=True)
class Block:
    """``count`` times ``outputs`` output channels, from channel ``first`` of a group on."""

    first: int
    count: int
    outputs: int


@dataclass(frozen=True, slots=True)
class Shape:
    """A tile: output channels, rows and vectors of a phase side by side."""

    outputs: int
    rows: int
    vectors: int


@dataclass(frozen=True, slots=True)
class KernelRow:
    """Within the borders, a vector of each phase: multiply-adds, and what the vectors of x cost."""

    taps: int
    shuffles: int
    loads: int

    @classmethod
    def of(cls, axis: Axis) -> KernelRow:
        """That of the longest runs of an axis.

        >>> from derive.core.rules import ConvolutionRule
        >>> KernelRow.of(ConvolutionRule(kernel=3, stride=2).at(99))
        KernelRow(taps=3, shuffles=3, loads=3)
        """
        runs = {run.first % axis.step: run for run in sorted(axis.runs, key=lambda run: run.count)}
        lines = len(
            {
                run.source - axis.advance * (run.first // axis.step) + tap.offset
                for run in runs.values()
                for tap in run.taps
            }
        )
        taps = sum(len(run.taps) for run in runs.values())
        if axis.advance == 1:
            return cls(taps, 0, 2 * lines)
        apart = min(lines, axis.advance)
        return cls(taps, (axis.advance - 1) * apart + lines - apart, axis.advance + 1)


def blocks_of(channels: int, most: int) -> list[Block]:
    """Output channels in blocks of ``most``, and what is left."""
    whole, rest = divmod(channels, most)
    blocks = [Block(0, whole, most)]
    return [*blocks, Block(whole * most, 1, rest)] if rest else blocks


def best_shape(form: TrilinearForm, machine: Machine, lanes: int) -> Shape | None:
    """The tile of the fewest cycles among those whose accumulators fit the registers."""
    *outer, column = form.axes
    if column.n_in < 2 or column.advance > WIDEST_STEP * form.channels_out or not column.n_out:
        return None
    most_rows = max((run.count for run in outer[-1].runs), default=1) if outer else 1
    phases = min(column.step, column.n_out)
    vectors, taps = vectors_of(column, lanes), KernelRow.of(column).taps
    shapes = [
        Shape(outputs, rows, wide)
        for wide in range(1, min(vectors, machine.registers) + 1)
        for rows in range(1, min(most_rows, machine.registers // wide) + 1)
        for outputs in range(1, min(form.channels_out, machine.registers) + 1)
        if wide * rows * (outputs * phases + 1) <= machine.registers - SPARE
        and wide * rows * outputs * taps <= max(taps, MOST_UPDATES)
    ]
    return min(shapes, key=lambda shape: cycles(form, shape, lanes), default=None)


def cycles(form: TrilinearForm, shape: Shape, lanes: int) -> int:
    """Of one sample of a group."""
    *outer, column = form.axes
    row, vectors = KernelRow.of(column), vectors_of(column, lanes)
    rows = sum(-(-run.count // shape.rows) for run in outer[-1].runs) if outer else 1
    rows *= prod(axis.n_out for axis in outer[:-1])
    kernel_rows = form.channels_in * prod(axis.triples for axis in outer)
    kernel_rows = kernel_rows * rows // max(1, prod(axis.n_out for axis in outer))
    tiles, side_by_side = -(-vectors // shape.vectors), shape.rows * vectors
    total, blocks = 0, blocks_of(form.channels_out, shape.outputs)
    for block in blocks:
        arithmetic = side_by_side * (block.outputs * row.taps + row.shuffles)
        other = side_by_side * row.loads + tiles * block.outputs * row.taps
        sums = side_by_side * block.outputs * min(column.step, column.n_out)
        each = max(arithmetic, other) + OVERHEAD * tiles
        total += block.count * (kernel_rows * each + rows * (STORING * sums + CALLING * tiles))
    return total + total // TWO_KINDS * (len(blocks) - 1)
