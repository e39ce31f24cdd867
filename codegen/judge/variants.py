"""What a wrong kernel often is: the right answer of a neighbouring operator, named.

Each variant is another operator or other data; a function that equals one of them in every number
is that mistake, or one that cannot be told from it here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codegen.rounding import PRECISION
from derive import GeometryError, Operator
from derive.layers import Interpolate, Layer, Pad
from derive.layers.transposed import TransposedConvolution

from .answers import Answers, Ints, Sample, rounds
from .comparison import rounding

Array = NDArray[Any]
Variant = tuple[str, Operator, Sample]
NARROW = 2.0**-6  # a mistake of structure is larger than this, a rounding to 8 bits is not


def look_alike(op: Operator, direction: str, sample: Sample, got: Array, dtype: str) -> str | None:
    """The name of the first variant whose answer is ``got``, None if there is none.

    ``got`` has a batch where the answer has one.
    """
    for name, variant, data in variants(op, sample):
        if variant == op and data is sample:
            continue
        try:
            answer = Answers(variant).values(direction, data)
        except (GeometryError, ValueError):  # no such operator at this size, or none of this shape
            continue
        if answer.shape != got.shape:
            continue
        with np.errstate(invalid="ignore"):
            away = abs(got.astype(np.float64) - answer)
        inexact = rounds(variant) and dtype in PRECISION
        if np.all(away <= (rounding(variant, direction, data, dtype) if inexact else 0)):
            return name
    return _of_the_answer(op, direction, sample, got)


def variants(op: Operator, sample: Sample) -> Iterator[Variant]:
    """The neighbours of an operator, the likeliest first, each with the data that goes with it."""
    if sample.bias is not None:
        yield "looks as if the bias was forgotten", op, replace(sample, bias=None)
        yield "looks as if the bias was added twice", op, replace(sample, bias=2 * sample.bias)
        if len(sample.bias) > 1:
            shifted = np.roll(sample.bias, 1)
            yield (
                "looks as if the bias of a neighbouring channel was added",
                op,
                replace(sample, bias=shifted),
            )
    if sample.weight is not None:
        for name, weight in _weights(op, sample.weight):
            yield f"looks like {name}", op, replace(sample, weight=weight)
    if op.groups > 1 and op.learned:
        yield from _groupings(op, sample)
    if isinstance(op, Layer):
        for name, words in _words(op):
            try:
                variant = type(op)(**{**op.parameters, **words})
            except (GeometryError, TypeError):
                continue
            yield f"looks like {name}", variant, sample


def _weights(op: Operator, weight: Ints) -> Iterator[tuple[str, Ints]]:
    axes = tuple(range(2, weight.ndim))
    yield "the flipped kernel", np.flip(weight, axes)
    if len(axes) > 1:
        for axis in axes:
            yield f"the kernel flipped along axis {axis - 2}", np.flip(weight, axis)
        turned = weight.transpose(0, 1, *reversed(axes))
        if turned.shape == weight.shape:
            yield "the kernel with its axes exchanged", turned
            yield "the kernel flipped and with its axes exchanged", np.flip(turned, axes)
    if op.channels_in == op.channels_out > 1:
        blocks = weight.reshape(op.groups, op.channels_in, *weight.shape[1:])
        exchanged = blocks.swapaxes(1, 2).reshape(weight.shape)
        yield "the kernel with input and output channels exchanged", exchanged
        yield "the flipped kernel, input and output channels exchanged", np.flip(exchanged, axes)


def _groupings(op: Operator, sample: Sample) -> Iterator[Variant]:
    """Channels dealt to the groups in turn instead of in blocks, or groups in another order."""

    def interleaved(array: Ints, per_group: int) -> Ints:
        split = array.reshape(len(array), per_group, op.groups, *array.shape[2:])
        return split.swapaxes(1, 2).reshape(array.shape)

    x, grad = interleaved(sample.x, op.channels_in), interleaved(sample.grad, op.channels_out)
    yield "looks as if groups took input channels in turn", op, replace(sample, x=x, grad=grad)
    assert sample.weight is not None
    for name, move in _orders():
        blocks = sample.weight.reshape(op.groups, -1)
        weight = move(blocks).reshape(sample.weight.shape)
        yield f"looks as if groups used the weights {name}", op, replace(sample, weight=weight)


def _orders() -> Iterator[tuple[str, Callable[[Ints], Ints]]]:
    yield "in the opposite order", lambda blocks: blocks[::-1]
    yield "of the first group", lambda blocks: np.repeat(blocks[:1], len(blocks), axis=0)
    yield "of the next group", lambda blocks: np.roll(blocks, -1, axis=0)
    yield "of the previous group", lambda blocks: np.roll(blocks, 1, axis=0)


Words = tuple[str, dict[str, Any]]


def _words(op: Layer) -> Iterator[Words]:
    if isinstance(op, Interpolate):
        yield from _resizes(op)
    elif isinstance(op, Pad):
        for mode in ("zeros", "reflect", "replicate", "circular"):
            yield f"mode={mode!r}", {"mode": mode}
    else:
        yield from _convolutions(op)


def _resizes(op: Interpolate) -> Iterator[Words]:
    given = op.parameters
    turned = not given["align_corners"]
    yield f"align_corners={turned}", {"align_corners": turned}
    yield f"antialias={not given['antialias']}", {"antialias": not given["antialias"]}
    yield "positions picked in float32", {"index_arithmetic": "float32"}
    recomputed = not given["recompute_scale_factor"]
    yield f"recompute_scale_factor={recomputed}", {"recompute_scale_factor": recomputed}
    for mode in ("nearest", "nearest-exact", "linear", "bilinear", "trilinear", "bicubic", "area"):
        if mode != given["mode"]:
            yield f"mode={mode!r}", {"mode": mode, "align_corners": None, "antialias": False}


def _convolutions(op: Layer) -> Iterator[Words]:
    rules: Any = op.rules
    pads = [(rule.before, rule.after) for rule in rules]
    several = len(rules) > 1
    for name in ("stride", "dilation"):
        values = [getattr(rule, name) for rule in rules]
        if several:
            yield f"{name} with its axes swapped", {name: tuple(reversed(values))}
        yield f"{name} ignored", {name: 1}
    if several:
        yield "padding with its axes swapped", {"padding": tuple(reversed(pads))}
    yield "padding with its sides swapped", {"padding": tuple(pair[::-1] for pair in pads)}
    yield "padding ignored", {"padding": 0}
    for axis, (before, after) in enumerate(pads):
        for by in (1, -1):
            moved, wider = list(pads), list(pads)
            moved[axis], wider[axis] = (before + by, after - by), (before + by, after + by)
            yield f"padding off by {by:+} before axis {axis}", {"padding": tuple(moved)}
            yield f"padding off by {by:+} on both sides of axis {axis}", {"padding": tuple(wider)}
    everywhere = tuple((before + 1, after - 1) for before, after in pads)
    yield "padding off by +1 before every axis", {"padding": everywhere}
    everywhere = tuple((before - 1, after + 1) for before, after in pads)
    yield "padding off by -1 before every axis", {"padding": everywhere}
    if isinstance(op, TransposedConvolution):
        yield "output_padding ignored", {"output_padding": 0, "output_size": None}
        return
    for mode in ("zeros", "reflect", "replicate", "circular"):
        yield f"padding_mode={mode!r}", {"padding_mode": mode}
    yield "input_dilation ignored", {"input_dilation": 1}


def _of_the_answer(op: Operator, direction: str, sample: Sample, got: Array) -> str | None:
    """Mistakes that are seen on the right answer itself."""
    right = Answers(op).values(direction, sample).astype(np.float64)
    if right.shape != got.shape:
        return None
    with np.errstate(over="ignore"):
        for name, wrong in (
            ("looks like the absolute values", abs(right)),
            ("looks like the negative of the answer", -right),
            ("looks like twice the answer", 2 * right),
            ("looks like zeros", 0 * right),
            ("looks rounded to float16", right.astype(np.float16)),
        ):
            if np.array_equal(wrong, got):
                return name
    if np.isinf(got).any():
        return "overflows, as sums in a narrower type do"
    if not np.isfinite(got).all():
        return "gives numbers that are not finite, as memory that was never written may"
    away = abs(got.astype(np.float64) - right).max(initial=0) / max(1.0, abs(right).max(initial=0))
    if 0 < away < NARROW:
        return f"looks like sums in a narrower type: off by 2**{np.log2(away):.0f} of the largest"
    return None
