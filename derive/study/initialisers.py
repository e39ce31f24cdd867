"""Weights to begin with that make no checkerboard."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import reduce

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from derive.arguments import Each, integer, per_axis, refuse
from derive.core.resize import triangle
from derive.linear_map import LinearMap
from derive.weights import Array, fitted, number_dtype, numbers

from .checkerboard import checkerboard


def bilinear_weight(
    channels: int,
    scale: Each,
    dimensions: int = 2,
    *,
    groups: int | None = None,
    dtype: DTypeLike = object,
) -> Array:
    """The weight of a transposed convolution that is linear upsampling by ``scale``.

    For ``ConvTranspose(channels, channels, kernel_size=2r - r % 2, stride=r, padding=r // 2,
    groups=channels, bias=False)`` with r the scale of each axis, of shape (channels, 1, *kernel);
    with ``groups=1`` of shape (channels, channels, *kernel), channel i to channel i alone. Equal
    to ``Interpolate(..., mode="bilinear")`` but where that repeats the border's pixels.
    Fractions, unless ``dtype`` is a float.

    Output y stands at (y + 1/2)/r - 1/2, so input x has weight 1 - |2u + 1 - r|/(2r) there,
    u = y - r*x = tap - r//2.

    >>> print(*bilinear_weight(1, 2, dimensions=1)[0, 0])
    1/4 3/4 3/4 1/4
    """
    channels = integer("channels", channels, 1)
    dimensions = integer("dimensions", dimensions, 1, most=3)
    if groups not in (None, 1, channels):
        refuse("groups", groups, f"channels = {channels}, or 1")
    factors = per_axis("scale", scale, dimensions, 1)
    kernel = fitted(reduce(np.multiply.outer, map(_linear, factors)), number_dtype(dtype))
    if groups != 1 or channels == 1:
        return np.repeat(kernel[None, None], channels, axis=0)
    weight = np.full((channels, channels, *kernel.shape), kernel.flat[0] * 0)
    weight[range(channels), range(channels)] = kernel
    return weight


def _linear(r: int) -> Array:
    taps = [triangle(Fraction(2 * (t - r // 2) + 1 - r, 2 * r)) for t in range(2 * r - r % 2)]
    return np.array(taps, dtype=object)


def icnr(weight: ArrayLike, scale: Each) -> Array:
    """Every phase of a transposed convolution the same kernel: (in, out/g, *k) -> (..., *k*scale).

    For kernel_size k*scale and stride scale: nearest resizing of what the given kernel makes with
    stride 1, so no checkerboard to begin with (after A. Aitken et al., "Checkerboard artifact free
    sub-pixel convolution", 2017). The dtype stays.

    >>> icnr([[[1, 2]]], 3)
    array([[[1, 1, 1, 2, 2, 2]]])
    """
    array = numbers("weight", weight)
    if array.ndim < 3:
        refuse("weight.shape", array.shape, "(in, out/groups, *kernel) with 1 to 3 axes")
    factors: Sequence[int] = per_axis("scale", scale, array.ndim - 2, 1)
    for axis, r in enumerate(factors, start=2):
        array = np.repeat(array, r, axis)
    return array


def checkerboard_free(weight: ArrayLike, op: LinearMap) -> Array:
    """The weight nearest to ``weight`` that makes no checkerboard in ``op``.

    >>> from derive import ConvTranspose1d
    >>> op = ConvTranspose1d(1, 1, 3, stride=2, input_size=8)
    >>> print(*checkerboard_free([[[3, 0, 0]]], op)[0, 0])
    2 1 -1
    """
    return checkerboard(op).project(weight)
