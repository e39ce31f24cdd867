"""The weight gradient in channel lanes.

The gradient of the output is packed first, the channels of a vector side by side, so that one load
serves all taps: [sample][group][block][position][lane]. Accumulators are taps of a kernel row
times a few input channels; they stay in registers over all rows and samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import prod

from codegen._runtime.machine import Machine
from codegen.boxes import boxes_of_strands
from codegen.nests import Affine, Loop
from codegen.places import channel_places, loops_of
from derive.core.form import TrilinearForm
from derive.core.polyphase import Run

SPARE_REGISTERS = 3  # the gradient, and room for the compiler
SAMPLE_BYTES = 1 << 16  # of a packed block of channels, from which on one sample fills a cache
LATENCY = 4  # cycles of a multiply-add
LOOP = 1.3  # cycles of a position besides its multiply-adds
TURN = 8  # to turn a vector of channels, and to read and write it
CALL = 100  # to start and to store the sums of a kernel row
PAGE, WAYS = 4096, 7  # planes so many bytes apart share their lines of a cache of 8 ways


@dataclass(frozen=True, slots=True)
class Meeting:
    """Positions of one column run: the gradient at ``y`` meets x at each (tap, place)."""

    loops: tuple[Loop, ...]
    y: Affine
    reads: tuple[tuple[int, Affine], ...]


@dataclass(frozen=True, slots=True)
class Chunk:
    """``count`` groups of ``inputs`` input channels from ``first`` on, summed side by side."""

    first: int
    count: int
    inputs: int


@dataclass(frozen=True, slots=True)
class LaneGradient:
    """A weight gradient in channel lanes; a call is (y, x, w, then count, y step, x step)."""

    form: TrilinearForm
    exchanged: bool  # x and y, where the form is an adjoint
    by_sample: bool  # all channels of a sample before the next one, where that keeps it in a cache
    lanes: int
    blocks: int
    channels: tuple[Loop, ...]
    outputs: int
    inputs: int
    positions: int
    y: Affine
    y_sample: int
    x: Affine
    x_sample: int
    x_plane: int
    w: Affine
    taps: int  # of a kernel row
    kernel: int
    outer: int
    chunks: tuple[Chunk, ...]
    meetings: tuple[Meeting, ...]
    calls: tuple[tuple[int, ...], ...]


def fits(form: TrilinearForm, machine: Machine) -> bool:
    """Whether the taps of a kernel row fit the registers."""
    return form.axes[-1].n_tap <= machine.registers - SPARE_REGISTERS


def _side_by_side(form: TrilinearForm, machine: Machine, item: int) -> int:
    """How many input channels are summed side by side."""
    most = max(1, (machine.registers - SPARE_REGISTERS) // form.axes[-1].n_tap)
    if prod(form.input_shape[1:]) * item % PAGE == 0:
        most = min(most, WAYS)
    return most


def gradient_cycles(form: TrilinearForm, machine: Machine, item: int) -> float:
    """Estimated for one sample; what ``lane_gradient`` takes."""
    *outer, column = form.axes
    blocks = -(-form.channels_out // (machine.vector_bytes // item))
    parts = chunks(form.channels_in, _side_by_side(form, machine, item))
    rows = prod(axis.triples for axis in outer)
    summed = 0.0
    for chunk in parts:
        for run in column.runs:
            products = chunk.inputs * len(run.taps)
            summed += chunk.count * rows * run.count * (max(products, LATENCY) + LOOP)
    positions, weights = prod(form.output_shape[1:]), prod(form.weight_shape[2:]) * form.channels_in
    calls = prod(len(axis.strands) for axis in outer) * sum(chunk.count for chunk in parts)
    turned = TURN * (positions + weights) + CALL * calls
    return form.groups * blocks * (summed + turned)


def lane_gradient(
    form: TrilinearForm, machine: Machine, item: int, *, exchanged: bool = False
) -> LaneGradient:
    """The schedule of a folded form for scalars of ``item`` bytes."""
    *outer, column = form.axes
    lanes = machine.vector_bytes // item
    blocks = -(-form.channels_out // lanes)
    positions = prod(form.output_shape[1:])
    kernel = prod(axis.n_tap for axis in form.axes)
    channels = loops_of(g=form.groups, k=blocks)
    _, x, _ = channel_places(form)
    packed = form.channels_in * kernel * lanes
    block = positions * lanes
    return LaneGradient(
        form=form,
        exchanged=exchanged,
        by_sample=block * item > SAMPLE_BYTES,
        lanes=lanes,
        blocks=blocks,
        channels=channels,
        outputs=form.channels_out,
        inputs=form.channels_in,
        positions=positions,
        y=Affine.of(0, g=blocks * block, k=block).within(channels),
        y_sample=form.groups * blocks * block,
        x=x.within(channels),
        x_sample=prod(form.input_shape),
        x_plane=prod(form.input_shape[1:]),
        w=Affine.of(0, g=blocks * packed, k=packed).within(channels),
        taps=column.n_tap,
        kernel=kernel,
        outer=len(outer),
        chunks=chunks(form.channels_in, _side_by_side(form, machine, item)),
        meetings=tuple(_meeting(run) for run in column.runs if run.taps),
        calls=_calls(form, lanes),
    )


def chunks(channels: int, most: int) -> tuple[Chunk, ...]:
    """Input channels in groups of nearly equal size, at most ``most``."""
    size = -(-channels // -(-channels // most))
    whole, rest = divmod(channels, size)
    chunks = [Chunk(0, whole, size)]
    return (*chunks, Chunk(whole * size, 1, rest)) if rest else tuple(chunks)


def _meeting(run: Run) -> Meeting:
    loops = loops_of(q=run.count)
    return Meeting(
        loops,
        Affine.of(run.first, q=run.step).within(loops),
        tuple(
            (t, Affine.of(run.source + tap.offset, q=run.advance).within(loops))
            for tap in run.taps
            for t, _ in tap.weights
        ),
    )


def _calls(form: TrilinearForm, lanes: int) -> tuple[tuple[int, ...], ...]:
    """One call for each product of strands of the outer axes: one tap, all rows that use it."""
    outer = form.axes[:-1]
    y_strides = [lanes * prod(form.output_shape[d + 2 :]) for d in range(len(outer))]
    x_strides = [prod(form.input_shape[d + 2 :]) for d in range(len(outer))]
    w_strides = [lanes * prod(form.weight_shape[d + 3 :]) for d in range(len(outer))]
    calls = []
    for boxes in product(*(boxes_of_strands(axis) for axis in outer)):
        call = [
            sum(box.y * stride for box, stride in zip(boxes, y_strides, strict=True)),
            sum(box.x * stride for box, stride in zip(boxes, x_strides, strict=True)),
            sum(box.t * stride for box, stride in zip(boxes, w_strides, strict=True)),
        ]
        for box, y_stride, x_stride in zip(boxes, y_strides, x_strides, strict=True):
            call += [box.count, box.y_step * y_stride, box.x_step * x_stride]
        calls.append(tuple(call))
    return tuple(calls)
