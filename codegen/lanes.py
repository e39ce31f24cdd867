"""The channel-lane schedule: output channels in the lanes of a vector, columns in registers.

A scalar of the input is read once and used for every tap and phase that touches it, while the
weights of a kernel row sit in registers. The weight is packed so that the channels of a vector lie
side by side: [group][block][input channel][outer taps][tap][lane].
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, product
from math import prod

from derive.core.form import TrilinearForm
from derive.core.polyphase import Run

from ._runtime.machine import Machine
from .boxes import boxes_of_run
from .nests import Affine, Loop
from .places import channel_places, loops_of, row_of
from .tiles import Tile, tiles

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
class Sweep:
    """Loops over blocks of ``rows`` rows; a call is (x, w, then count, x step, w step by axis)."""

    loops: tuple[Loop, ...]
    y: Affine
    x: Affine
    rows: int
    calls: tuple[tuple[int, ...], ...]


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


def lanes_of(form: TrilinearForm, machine: Machine, item: int) -> Lanes:
    """The schedule of a folded form for scalars of ``item`` bytes."""
    *outer, column = form.axes
    lanes = machine.vector_bytes // item
    held = column.n_tap if column.n_tap <= HELD_TAPS else 2
    accumulators = machine.registers - held - 1
    cut = tiles(column, accumulators)
    most_rows = accumulators // max(tile.width for tile in cut) if outer else 1
    sweeps = [
        sweep
        for runs in product(*(axis.runs for axis in outer))
        for sweep in _sweeps(form, runs, most_rows, lanes)
    ]
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
        sweeps=tuple(sweeps),
        row_blocks=tuple(
            RowBlock(rows, tuple(_lane_tile(tile, rows, x_step * column.n_in) for tile in cut))
            for rows in sorted({sweep.rows for sweep in sweeps})
        ),
    )


def _sweeps(
    form: TrilinearForm, runs: Sequence[Run], most_rows: int, lanes: int
) -> Iterator[Sweep]:
    """A product of runs of the outer axes: whole blocks of rows, and what is left of them."""
    if not runs:
        yield Sweep((), Affine.of(0), Affine.of(0), 1, ((0, 0),))
        return
    *before, last = runs
    rows = min(most_rows, last.count)
    whole, rest = divmod(last.count, rows)
    for first, blocks, height in ((0, whole, rows), (rows * whole, int(rest > 0), rest)):
        if not blocks:
            continue
        counts = [*(run.count for run in before), blocks]
        steps = [*(1 for _ in before), height]
        loops = loops_of(**{f"q{d}": count for d, count in enumerate(counts)})
        firsts = [*(0 for _ in before), first]
        y = row_of(
            form.output_shape,
            [run.first + run.step * q for run, q in zip(runs, firsts, strict=True)],
            [run.step * step for run, step in zip(runs, steps, strict=True)],
        )
        x = row_of(
            form.input_shape,
            [run.advance * q for run, q in zip(runs, firsts, strict=True)],
            [run.advance * step for run, step in zip(runs, steps, strict=True)],
        )
        calls = _calls(form, runs, lanes)
        x = x if calls else Affine.of(0)  # rows that read nothing may lie beyond the input
        yield Sweep(loops, y.within(loops), x.within(loops), height, calls)


def _calls(form: TrilinearForm, runs: Sequence[Run], lanes: int) -> tuple[tuple[int, ...], ...]:
    """The input rows that an output row adds up: one call for each product of boxes."""
    x_strides = [prod(form.input_shape[d + 2 :]) for d in range(len(runs))]
    w_strides = [lanes * prod(form.weight_shape[d + 3 :]) for d in range(len(runs))]
    calls = []
    for boxes in product(*(boxes_of_run(run) for run in runs)):
        call = [
            sum(box.x * stride for box, stride in zip(boxes, x_strides, strict=True)),
            sum(box.t * stride for box, stride in zip(boxes, w_strides, strict=True)),
        ]
        for box, x_stride, w_stride in zip(boxes, x_strides, w_strides, strict=True):
            call += [box.taps, box.x_tap_step * x_stride, box.t_step * w_stride]
        calls.append(tuple(call))
    return tuple(calls)


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
