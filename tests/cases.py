"""Layers to test with: all small ones of one axis, and random ones of one to three axes.

Everything is legal by construction: the conditions are written out here as torch states them,
so that a layer which derive refuses by mistake is a failure and not a case left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice, product
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import DTypeLike, NDArray

import derive
from derive.layers import Layer

Array = NDArray[Any]
Pair = tuple[int, int]

MODES = ("zeros", "reflect", "replicate", "circular")
BATCHES = ((), (0,), (1,), (3,))
LONGEST = {1: 12, 2: 6, 3: 4}  # spare positions along an axis, by dimensions: small matrices

CONVOLUTIONS = {1: derive.Conv1d, 2: derive.Conv2d, 3: derive.Conv3d}
TRANSPOSED = {1: derive.ConvTranspose1d, 2: derive.ConvTranspose2d, 3: derive.ConvTranspose3d}


def generator(*seed: int) -> Generator:
    """The random numbers of one test: the same in every run."""
    return np.random.default_rng(seed)


def integers(
    rng: Generator, shape: Sequence[int], dtype: DTypeLike = "int64", largest: int = 4
) -> Array:
    """Integers in -largest..largest: their sums are exact in every dtype used here."""
    return rng.integers(-largest, largest + 1, size=tuple(shape)).astype(dtype)


def batch(rng: Generator, shape: Sequence[int], dtype: DTypeLike = "int64") -> Array:
    """Integers of ``shape``, unbatched or in a batch of 0, 1 or 3."""
    leading = BATCHES[rng.integers(len(BATCHES))]
    return integers(rng, (*leading, *shape), dtype)


# --- every small layer of one axis -----------------------------------------------------------


def exhaustive_1d(chunk: int = 0, chunks: int = 1) -> Iterator[Layer]:
    """Every layer of one channel with n <= 12, k <= 5, s <= 4, d <= 3, p <= 4 that torch accepts.

    Convolutions in all padding modes, transposed ones with every output_padding. With ``chunks``
    only every so many-th, beginning at ``chunk``, so that several processes can share the work.
    """
    for make, words in islice(_small_layers(), chunk, None, chunks):
        yield make(1, 1, bias=False, **words)


def _small_layers() -> Iterator[tuple[type[Layer], dict[str, Any]]]:
    ranges = range(1, 13), range(1, 6), range(1, 5), range(1, 4), range(5)
    for n, k, s, d, p in product(*ranges):
        words = {"kernel_size": k, "stride": s, "padding": p, "dilation": d, "input_size": n}
        for mode in MODES:
            if n + 2 * p > d * (k - 1) and p <= widest(mode, n):
                yield derive.Conv1d, {**words, "padding_mode": mode}
        for extra in range(max(s, d)):
            if (n - 1) * s - 2 * p + d * (k - 1) + extra >= 0:
                yield derive.ConvTranspose1d, {**words, "output_padding": extra}


def widest(mode: str, n: int) -> int:
    """The most padding that ``n`` positions allow on one side; 2**31 - 1 where any is allowed."""
    return {"reflect": n - 1, "circular": n}.get(mode, 2**31 - 1)


# --- random layers ---------------------------------------------------------------------------


def random_layer(rng: Generator, dimensions: int | None = None) -> Layer:
    """A convolution or a transposed convolution, small enough to look at its whole matrix."""
    return (
        random_convolution(rng, dimensions)
        if rng.random() < 0.6
        else random_transposed(rng, dimensions)
    )


def random_convolution(rng: Generator, dimensions: int | None = None) -> Layer:
    """All that Conv1d to Conv3d take, what is beyond torch included."""
    dimensions = dimensions or _dimensions(rng)
    mode = _one(rng, MODES) if rng.random() < 0.5 else "zeros"
    word = _one(rng, ("same", "valid", "amounts", "amounts"))
    axes = [_random_axis(rng, dimensions, mode, word) for _ in range(dimensions)]
    in_channels, out_channels, groups = _channels(rng)
    parameters: dict[str, Any] = {
        "kernel_size": [axis.kernel for axis in axes],
        "stride": [axis.stride for axis in axes],
        "padding": [(axis.before, axis.after) for axis in axes],
        "dilation": [axis.dilation for axis in axes],
        "input_dilation": [axis.up for axis in axes],
        "input_size": [axis.n for axis in axes],
    }
    parameters = {name: _spelled(rng, values) for name, values in parameters.items()}
    if word != "amounts":
        parameters["padding"] = word
    return CONVOLUTIONS[dimensions](
        in_channels,
        out_channels,
        groups=groups,
        bias=bool(rng.random() < 0.5),
        padding_mode=mode,
        **parameters,
    )


def random_transposed(rng: Generator, dimensions: int | None = None) -> Layer:
    """All that ConvTranspose1d to ConvTranspose3d take, with output_padding or output_size."""
    dimensions = dimensions or _dimensions(rng)
    axes = [_random_transposed_axis(rng, dimensions) for _ in range(dimensions)]
    in_channels, out_channels, groups = _channels(rng)
    parameters: dict[str, Any] = {
        "kernel_size": [axis.kernel for axis in axes],
        "stride": [axis.stride for axis in axes],
        "padding": [(axis.before, axis.after) for axis in axes],
        "dilation": [axis.dilation for axis in axes],
        "input_size": [axis.n for axis in axes],
    }
    if rng.random() < 0.3 and all(axis.extra < axis.stride for axis in axes):
        parameters["output_size"] = [axis.transposed_size for axis in axes]
    else:
        parameters["output_padding"] = [axis.extra for axis in axes]
    return TRANSPOSED[dimensions](
        in_channels,
        out_channels,
        groups=groups,
        bias=bool(rng.random() < 0.5),
        **{name: _spelled(rng, values) for name, values in parameters.items()},
    )


@dataclass(frozen=True, kw_only=True)
class _AxisParameters:
    n: int
    kernel: int
    stride: int
    dilation: int
    before: int
    after: int
    up: int = 1
    extra: int = 0

    @property
    def transposed_size(self) -> int:
        reach = self.dilation * (self.kernel - 1)
        return (self.n - 1) * self.stride - self.before - self.after + reach + 1 + self.extra


def _random_axis(rng: Generator, dimensions: int, mode: str, word: str) -> _AxisParameters:
    kernel, dilation = int(rng.integers(1, 5)), _small(rng, 3)
    stride = 1 if word == "same" else _small(rng, 5)  # beyond the kernel, too
    up = _small(rng, 3)
    reach = dilation * (kernel - 1)
    before, after = {"same": (reach // 2, reach - reach // 2), "valid": (0, 0)}.get(
        word, _amounts(rng)
    )
    n = 1
    while (spread := up * (n - 1) + 1) + before + after <= reach or max(before, after) > widest(
        mode, spread
    ):
        n += 1
    return _AxisParameters(
        n=n + _spare(rng, dimensions),
        kernel=kernel,
        stride=stride,
        dilation=dilation,
        before=before,
        after=after,
        up=up,
    )


def _random_transposed_axis(rng: Generator, dimensions: int) -> _AxisParameters:
    kernel, stride, dilation = int(rng.integers(1, 5)), _small(rng, 4), _small(rng, 3)
    before, after = _amounts(rng)
    extra = int(rng.integers(max(stride, dilation)))
    n = 1
    while (n - 1) * stride - before - after + dilation * (kernel - 1) + extra < 0:
        n += 1
    return _AxisParameters(
        n=n + _spare(rng, dimensions),
        kernel=kernel,
        stride=stride,
        dilation=dilation,
        before=before,
        after=after,
        extra=extra,
    )


def _amounts(rng: Generator) -> Pair:
    """Padding: mostly the same on both sides as in torch, sometimes any pair, cropping too."""
    if rng.random() < 0.6:
        both = int(rng.integers(4))
        return both, both
    return int(rng.integers(-2, 5)), int(rng.integers(-2, 5))


def _channels(rng: Generator) -> tuple[int, int, int]:
    """(in_channels, out_channels, groups): one group, several, depthwise."""
    groups = _one(rng, (1, 1, 2, 3))
    into, out = int(rng.integers(1, 3)), int(rng.integers(1, 4))
    return (groups if rng.random() < 0.3 else groups * into), groups * out, groups


def _dimensions(rng: Generator) -> int:
    return int(rng.choice((1, 2, 3), p=(0.4, 0.4, 0.2)))


def _small(rng: Generator, most: int) -> int:
    """1 half of the time, else anything up to ``most``."""
    return 1 if rng.random() < 0.5 else int(rng.integers(1, most + 1))


def _spare(rng: Generator, dimensions: int) -> int:
    """Positions beyond the least size, none quite often: size-1 axes and single outputs."""
    return 0 if rng.random() < 0.2 else int(rng.integers(LONGEST[dimensions]))


def _one(rng: Generator, options: Sequence[Any]) -> Any:
    return options[rng.integers(len(options))]


def _spelled(rng: Generator, values: Sequence[int | Pair]) -> Any:
    """One value per axis as a caller may write it: an int for all, a tuple or a list."""
    words = [v[0] if isinstance(v, tuple) and v[0] == v[1] >= 0 else v for v in values]
    if len(set(words)) == 1 and isinstance(words[0], int) and rng.random() < 0.7:
        return words[0]
    return tuple(words) if rng.random() < 0.8 else words


# --- resizes and chains ----------------------------------------------------------------------

RESIZES = {  # modes that one to three axes have
    1: ("nearest", "nearest-exact", "linear", "area"),
    2: ("nearest", "nearest-exact", "bilinear", "bicubic", "area"),
    3: ("nearest", "nearest-exact", "trilinear", "area"),
}
FACTORS = (2, 2, 3, "1/2", "3/2", "2/3", 1.25)


def random_resize(
    rng: Generator, sizes: Sequence[int] | None = None, channels: int | None = None
) -> derive.Interpolate:
    """All that Interpolate takes, of the given input size or of a small one."""
    dimensions = len(sizes) if sizes else _dimensions(rng)
    given = sizes or [
        int(rng.integers(1, {1: 9, 2: 6, 3: 4}[dimensions])) for _ in range(dimensions)
    ]
    mode = _one(rng, RESIZES[dimensions])
    words: dict[str, Any] = {"mode": mode}
    if mode in ("linear", "bilinear", "trilinear", "bicubic") and rng.random() < 0.5:
        words["align_corners"] = bool(rng.random() < 0.5)
    if mode in ("bilinear", "bicubic") and rng.random() < 0.3:
        words["antialias"] = True
    factors = [_one(rng, FACTORS) for _ in given]
    if rng.random() < 0.4:
        most = {1: 13, 2: 8, 3: 5}[dimensions]
        words["size"] = [int(rng.integers(1, most)) for _ in given]
    elif all(n * float(Fraction(f)) >= 1 for n, f in zip(given, factors, strict=True)):
        words["scale_factor"] = factors
        words["recompute_scale_factor"] = bool(rng.random() < 0.3)
    else:
        words["scale_factor"] = 2
    return derive.Interpolate(channels or int(rng.integers(1, 3)), list(given), **words)


def random_pad(
    rng: Generator, sizes: Sequence[int] | None = None, channels: int | None = None
) -> derive.Pad:
    """A pad map of the given input size that leaves something."""
    dimensions = len(sizes) if sizes else _dimensions(rng)
    given = sizes or [
        int(rng.integers(1, {1: 9, 2: 6, 3: 4}[dimensions])) for _ in range(dimensions)
    ]
    mode = _one(rng, MODES)
    pairs = []
    for n in given:
        most = min(3, widest(mode, n))
        before, after = (int(v) for v in rng.integers(-2, most + 1, 2))
        pairs.append((before, after) if before + n + after >= 1 else (0, 0))
    return derive.Pad(channels or int(rng.integers(1, 3)), pairs, mode, input_size=list(given))


def random_chain(
    rng: Generator, parts: int, dimensions: int | None = None
) -> list[derive.Operator]:
    """Operators that fit, outermost first, at most one learned: layers, resizes, pads, adjoints.

    None has a bias.
    """
    dimensions = dimensions or _dimensions(rng)
    learned_place = int(rng.integers(parts))
    result: list[derive.Operator] = []
    for place in range(parts):
        before = result[0].output_shape if result else None
        if place == learned_place and rng.random() < 0.9:
            step = _learned_part(rng, dimensions, before)
        else:
            step = _fixed_part(rng, dimensions, before)
        result.insert(0, step)
    return result


def _learned_part(
    rng: Generator, dimensions: int, before: tuple[int, ...] | None
) -> derive.Operator:
    """A convolution, a transposed one, or the adjoint of either, that takes ``before``."""
    if before is None:
        adjoint = random_layer(rng, dimensions).T
        return adjoint if rng.random() < 0.3 else adjoint.T
    channels, *sizes = before
    groups = _one(rng, [g for g in (1, 2) if channels % g == 0])
    words: dict[str, Any] = {
        "kernel_size": int(rng.integers(1, 5)),
        "dilation": _small(rng, 2),
        "groups": groups,
    }
    out = groups * int(rng.integers(1, 3))
    if rng.random() < 0.6:
        words["padding"] = words["dilation"] * (words["kernel_size"] - 1)  # fits any size
        words["padding"] = [(words["padding"], int(rng.integers(3)))] * dimensions
        words["stride"] = _small(rng, 3)
        return CONVOLUTIONS[dimensions](channels, out, bias=False, input_size=sizes, **words)
    words["stride"] = _small(rng, 2)
    if rng.random() < 0.5:
        return TRANSPOSED[dimensions](channels, out, bias=False, input_size=sizes, **words)
    larger = TRANSPOSED[dimensions](1, 1, input_size=sizes, **{**words, "groups": 1})
    return CONVOLUTIONS[dimensions](
        out, channels, bias=False, input_size=larger.output_size, **words
    ).T


def _fixed_part(rng: Generator, dimensions: int, before: tuple[int, ...] | None) -> derive.Operator:
    """A resize, a pad, or the adjoint of a pad, that takes ``before``."""
    channels, *sizes = before or (int(rng.integers(1, 3)), *(0,) * dimensions)
    if before is None:
        sizes = [int(rng.integers(1, {1: 9, 2: 6, 3: 4}[dimensions])) for _ in range(dimensions)]
    kind = rng.integers(4)
    if kind == 0:
        return random_pad(rng, sizes, channels)
    if kind == 1:
        pads = [(1, 2)] * dimensions
        inside = [n - 3 for n in sizes]
        if min(inside) >= 1:
            return derive.Pad(channels, pads, "replicate", input_size=inside).T
    return random_resize(rng, sizes, channels)
