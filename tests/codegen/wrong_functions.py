"""Kernels with one fault each, of the kinds that people make: by hand in NumPy, or with torch.

The right kernel is the definition, written once more over arrays (``convolution``,
``transposed``), so that a fault is one changed word.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

import derive
from derive import Operator

Array = NDArray[Any]
Function = Callable[..., Any]
Pairs = Sequence[tuple[int, int]]


def convolution(
    x: Array,
    w: Array,
    b: Array | None = None,
    *,
    stride: Sequence[int] = (1, 1),
    dilation: Sequence[int] = (1, 1),
    pads: Pairs = ((0, 0), (0, 0)),
    groups: int = 1,
    mode: str = "constant",
) -> Array:
    """A convolution of two axes by its definition."""
    padded = np.pad(x, ((0, 0), (0, 0), *pads), mode=mode)  # type: ignore[call-overload]
    kernel = w.shape[2:]
    sizes = [
        (padded.shape[a + 2] - dilation[a] * (kernel[a] - 1) - 1) // stride[a] + 1 for a in (0, 1)
    ]
    y = np.zeros((len(x), len(w), *sizes), x.dtype)
    into, out = w.shape[1], len(w) // groups
    for g, p, q in product(range(groups), range(kernel[0]), range(kernel[1])):
        part = padded[
            :,
            g * into : (g + 1) * into,
            p * dilation[0] : p * dilation[0] + stride[0] * (sizes[0] - 1) + 1 : stride[0],
            q * dilation[1] : q * dilation[1] + stride[1] * (sizes[1] - 1) + 1 : stride[1],
        ]
        taps = w[g * out : (g + 1) * out, :, p, q]
        y[:, g * out : (g + 1) * out] += np.einsum("oi,biyx->boyx", taps, part)
    return y if b is None else y + b[:, None, None]


def transposed(
    x: Array,
    w: Array,
    b: Array | None = None,
    *,
    stride: Sequence[int] = (1, 1),
    dilation: Sequence[int] = (1, 1),
    pad: Sequence[int] = (0, 0),
    extra: Sequence[int] = (0, 0),
) -> Array:
    """A transposed convolution of two axes and one group: scatter, then crop."""
    kernel = w.shape[2:]
    whole = [
        (x.shape[a + 2] - 1) * stride[a] + dilation[a] * (kernel[a] - 1) + 1 + extra[a]
        for a in (0, 1)
    ]
    y = np.zeros((len(x), w.shape[1], *whole), x.dtype)
    for p, q in product(range(kernel[0]), range(kernel[1])):
        at = (p * dilation[0], q * dilation[1])
        rows, columns = (
            slice(at[a], at[a] + stride[a] * (x.shape[a + 2] - 1) + 1, stride[a]) for a in (0, 1)
        )
        y[:, :, rows, columns] += np.einsum("io,biyx->boyx", w[:, :, p, q], x)
    y = y[:, :, pad[0] : whole[0] - pad[0], pad[1] : whole[1] - pad[1]]
    return y if b is None else y + b[:, None, None]


@dataclass(frozen=True)
class Fault:
    """A wrong kernel of an operator, words that the verdict should hold, and the calls it needs.

    ``calls`` are those until the fault is noticed, and those until its example is the smallest.
    """

    name: str
    op: Operator
    function: Function
    word: str
    calls: tuple[int, int]


FREE = derive.Conv2d(2, 3, (3, 2), stride=(2, 1), padding=(1, 2), dilation=(1, 2), bias=True)
SQUARE = derive.Conv2d(3, 3, 3, padding=1, bias=True, input_size=(6, 7))
GROUPED = derive.Conv2d(4, 4, 3, padding=1, groups=2, bias=True, input_size=(5, 6))
UP = derive.ConvTranspose2d(2, 2, 3, stride=2, padding=1, output_padding=1, input_size=(4, 5))
REPLICATED = derive.Conv2d(2, 2, 3, padding=1, padding_mode="replicate", input_size=(6, 7))


def free(x: Array, w: Array, b: Array, **changed: Any) -> Array:
    words: dict[str, Any] = {"stride": (2, 1), "pads": ((1, 1), (2, 2)), "dilation": (1, 2)}
    return convolution(x, w, b, **{**words, **changed})


def square(x: Array, w: Array, b: Array | None, **changed: Any) -> Array:
    return convolution(x, w, b, **{"pads": ((1, 1), (1, 1)), **changed})


def grouped(x: Array, w: Array, b: Array, **changed: Any) -> Array:
    return square(x, w, b, **{"groups": 2, **changed})


def up(x: Array, w: Array, b: Array, **changed: Any) -> Array:
    words: dict[str, Any] = {"stride": (2, 2), "pad": (1, 1), "extra": (1, 1)}
    return transposed(x, w, b, **{**words, **changed})


def edited(right: Function, edit: Callable[[Array], Any]) -> Function:
    """The right kernel, its output spoiled afterwards."""

    def function(x: Array, w: Array, b: Array) -> Array:
        y: Array = right(x, w, b)
        edit(y)
        return y

    return function


def wider_than(width: int, right: Function = free) -> Function:
    """Wrong in the last column, where the output is wider than this."""

    def edit(y: Array) -> None:
        if y.shape[-1] > width:
            y[..., -1] = 0

    return edited(right, edit)


def zero_last_row(y: Array) -> None:
    y[:, :, -1] = 0


def zero_last_column(y: Array) -> None:
    y[..., -1] = 0


def zero_added(y: Array) -> None:
    y[:, :, -1], y[..., -1] = 0, 0


def one_phase(y: Array) -> None:
    y[:, :, 1::2] *= 2


def nan_corner(y: Array) -> None:
    y[-1, -1, -1, -1] = np.nan


def in_half(x: Array, w: Array, b: Array) -> Array:
    with np.errstate(all="ignore"):
        halves = (array.astype(np.float16) for array in (x, w, b))
        return square(*halves).astype(x.dtype)


def first_sample_only(x: Array, w: Array, b: Array) -> Array:
    return np.broadcast_to(square(x[:1], w, b), (len(x), *SQUARE.output_shape)).copy()


def in_place(x: Array, w: Array, b: Array) -> Array:
    y = square(x, w, b)
    np.maximum(x, 0, out=x)
    return y


def not_written(x: Array, w: Array, b: Array) -> Array:
    y = square(x, w, b)
    y[:, 1, 2] = np.nan
    return y


def raises(x: Array, w: Array, b: Array) -> Array:
    if x.shape[-1] == 1:
        raise IndexError("no interior")
    return free(x, w, b)


def interleaved(x: Array, w: Array, b: Array) -> Array:
    return grouped(x[:, [0, 2, 1, 3]], w, b)


def exchanged(x: Array, w: Array, b: Array) -> Array:
    return square(x, w.swapaxes(0, 1), b)


def remembers() -> Function:
    """Gives its first answer of each shape again and again."""
    kept: dict[tuple[int, ...], Array] = {}

    def function(x: Array, w: Array, b: Array) -> Array:
        return kept.setdefault(x.shape, square(x, w, b)).copy()

    return function


def replicated(mode: str, one_side: str = "edge") -> Function:
    """The pad mode of the left and top border, and that of the other two."""

    def function(x: Array, w: Array, b: Array) -> Array:
        sides = ((0, 0), (0, 0), (1, 0), (1, 0))
        other = ((0, 0), (0, 0), (0, 1), (0, 1))
        x = np.pad(np.pad(x, sides, mode=mode), other, mode=one_side)  # type: ignore[call-overload]
        return convolution(x, w, b)

    return function


FAULTS = (
    Fault(
        "pad off by one before",
        FREE,
        lambda x, w, b: free(x, w, b, pads=((1, 1), (3, 1))),
        "off by +1",
        (1, 6),
    ),
    Fault(
        "pad off by one after",
        FREE,
        lambda x, w, b: free(x, w, b, pads=((1, 1), (1, 3))),
        "off by -1",
        (1, 6),
    ),
    Fault(
        "pad off by one, top",
        SQUARE,
        lambda x, w, b: square(x, w, b, pads=((0, 2), (1, 1))),
        "off by -1 before axis 0",
        (1, 6),
    ),
    Fault(
        "padding axes swapped",
        FREE,
        lambda x, w, b: free(x, w, b, pads=((2, 2), (1, 1))),
        "padding with its axes swapped",
        (1, 6),
    ),
    Fault(
        "padding ignored",
        FREE,
        lambda x, w, b: free(x, w, b, pads=((0, 0), (0, 0))),
        "padding ignored",
        (1, 8),
    ),
    Fault("lost last row", FREE, edited(free, zero_last_row), "in the last row", (1, 6)),
    Fault(
        "lost last column", SQUARE, edited(square, zero_last_column), "in the last column", (1, 6)
    ),
    Fault("one phase doubled", UP, edited(up, one_phase), "(y + 1) mod 2 = 0", (1, 6)),
    Fault(
        "flipped kernel",
        FREE,
        lambda x, w, b: free(x, w[..., ::-1, ::-1], b),
        "the flipped kernel",
        (1, 8),
    ),
    Fault(
        "kernel flipped along one axis",
        FREE,
        lambda x, w, b: free(x, w[..., ::-1], b),
        "flipped along axis 1",
        (1, 8),
    ),
    Fault(
        "kernel axes exchanged",
        SQUARE,
        lambda x, w, b: square(x, w.swapaxes(2, 3), b),
        "axes exchanged",
        (1, 8),
    ),
    Fault(
        "stride axes swapped",
        FREE,
        lambda x, w, b: free(x, w, b, stride=(1, 2)),
        "stride with its axes swapped",
        (1, 6),
    ),
    Fault(
        "stride ignored",
        FREE,
        lambda x, w, b: free(x, w, b, stride=(1, 1)),
        "stride ignored",
        (1, 8),
    ),
    Fault(
        "dilation axes swapped",
        FREE,
        lambda x, w, b: free(x, w, b, dilation=(2, 1)),
        "dilation with its axes swapped",
        (1, 6),
    ),
    Fault(
        "dilation ignored",
        FREE,
        lambda x, w, b: free(x, w, b, dilation=(1, 1)),
        "dilation ignored",
        (1, 6),
    ),
    Fault("wrong group map", GROUPED, interleaved, "input channels in turn", (1, 9)),
    Fault(
        "groups in the opposite order",
        GROUPED,
        lambda x, w, b: grouped(x, np.roll(w, 2, 0), b),
        "opposite order",
        (1, 8),
    ),
    Fault(
        "a group wrong",
        GROUPED,
        edited(grouped, lambda y: y.__setitem__((slice(None), slice(2, 4)), 0)),
        "in channels of group 1",
        (1, 8),
    ),
    Fault("in and out exchanged", SQUARE, exchanged, "input and output channels exchanged", (1, 8)),
    Fault(
        "output_padding filled with zeros",
        UP,
        edited(up, zero_added),
        "only in outputs that output_padding adds",
        (1, 6),
    ),
    Fault(
        "output_padding ignored",
        UP,
        lambda x, w, b: up(x, w, b, extra=(0, 0)),
        "output_padding ignored",
        (1, 6),
    ),
    Fault(
        "transposed flipped kernel",
        UP,
        lambda x, w, b: up(x, w[..., ::-1, ::-1], b),
        "the flipped kernel",
        (1, 6),
    ),
    Fault(
        "bias forgotten", SQUARE, lambda x, w, b: square(x, w, None), "bias was forgotten", (1, 6)
    ),
    Fault(
        "bias twice", SQUARE, lambda x, w, b: square(x, w, 2 * b), "bias was added twice", (1, 6)
    ),
    Fault(
        "bias of another channel",
        SQUARE,
        lambda x, w, b: square(x, w, np.roll(b, 1)),
        "neighbouring channel",
        (1, 8),
    ),
    Fault("tail wrong beyond 7", FREE, wider_than(7), "in the last column", (1, 16)),
    Fault("tail wrong beyond 40", FREE, wider_than(40), "in the last column", (16, 50)),
    Fault("tail wrong beyond 100", FREE, wider_than(100), "in the last column", (17, 55)),
    Fault(
        "tail wrong beyond 40, size given",
        SQUARE,
        wider_than(40, square),
        "in the last column",
        (15, 49),
    ),
    Fault("sums in float16", SQUARE, in_half, "narrower type do", (1, 6)),
    Fault(
        "reflect instead of replicate",
        REPLICATED,
        replicated("reflect", "reflect"),
        "padding_mode='reflect'",
        (1, 8),
    ),
    Fault("pad mode wrong at two sides", REPLICATED, replicated("reflect"), "differs", (1, 8)),
    Fault(
        "zeros instead of replicate",
        REPLICATED,
        lambda x, w, b: square(x, w, b),
        "padding_mode='zeros'",
        (1, 6),
    ),
    Fault(
        "batch beyond one broken", SQUARE, first_sample_only, "in samples after the first", (1, 29)
    ),
    Fault(
        "absolute values", SQUARE, lambda x, w, b: abs(square(x, w, b)), "absolute values", (1, 6)
    ),
    Fault("negated", SQUARE, lambda x, w, b: -square(x, w, b), "negative", (1, 6)),
    Fault("writes into x", SQUARE, in_place, "writes into its first argument", (1, 10)),
    Fault(
        "wrong dtype",
        SQUARE,
        lambda x, w, b: square(x, w, b).astype(np.float64),
        "returns dtype float64",
        (1, 6),
    ),
    Fault("not written", SQUARE, not_written, "not finite", (1, 12)),
    Fault("NaN in a corner", SQUARE, edited(square, nan_corner), "not finite", (1, 6)),
    Fault("raises at a small size", FREE, raises, "raises IndexError", (8, 9)),
    Fault(
        "a list instead of an array",
        SQUARE,
        lambda x, w, b: square(x, w, b).tolist(),
        "returns list",
        (1, 6),
    ),
    Fault("answers from a memory", SQUARE, remembers(), "differs", (2, 18)),
    Fault(
        "another shape", SQUARE, lambda x, w, b: square(x, w, b)[..., 1:], "returns shape", (1, 6)
    ),
)
