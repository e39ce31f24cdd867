"""One smoothing kernel, as a network might have learned it, in five ways to double a picture."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

import codegen
import derive

Array = NDArray[Any]
LUMINANCE = np.array([Fraction(n, 1000) for n in (299, 587, 114)])  # ITU-R BT.601
SEED = 1


@dataclass(frozen=True)
class Panel:
    """An operator from colours to luminance, and its exact weight."""

    title: str
    op: derive.LinearMap
    weight: Array

    def __call__(self, picture: Array, target: str = "c") -> Array:
        """The picture, (3, height, width) in float32, through the kernel."""
        try:
            kernel = codegen.build(self.op, target)
        except codegen.CompileError as error:
            print(f"{error}\nusing the NumPy kernel")
            kernel = codegen.build(self.op, "numpy")
        result: Array = kernel(picture, self.weight.astype(np.float32))
        return result[0]


def smoothing() -> Array:
    """A 3x3 kernel of ones, each off by a tenth at most, that adds up to 1; exact.

    >>> print(sum(smoothing().flat), min(smoothing().flat) > 0)
    1 True
    """
    taps = 100 + np.random.default_rng(SEED).integers(-10, 11, (3, 3))
    return np.array([Fraction(int(tap), int(taps.sum())) for tap in taps.flat]).reshape(3, 3)


def panels(size: tuple[int, int]) -> list[Panel]:
    """The layers for a picture of ``size``: the convolution, then five that double the picture.

    All have the same kernel, of total 1, or of total 4 where four outputs share one input.
    """
    taps = smoothing()
    doubled = tuple(2 * n for n in size)
    conv = derive.Conv2d(3, 1, 3, padding=1, bias=False, input_size=size)
    after = derive.Conv2d(3, 1, 3, padding=1, bias=False, input_size=doubled)
    grey = derive.Conv2d(3, 1, 1, bias=False, input_size=doubled)
    up = derive.ConvTranspose2d(
        3, 1, 3, stride=2, padding=1, output_padding=1, bias=False, input_size=size
    )
    quiet = derive.checkerboard(up).project(taps)
    weight = np.multiply.outer(LUMINANCE, taps)

    def resized(mode: str) -> derive.Interpolate:
        return derive.Interpolate(channels=3, input_size=size, scale_factor=2, mode=mode)

    return [
        Panel("Conv2d", conv, weight[None]),
        Panel("ConvTranspose2d,\n3 x 3, stride 2", up, 4 * weight[:, None]),
        Panel(
            "the same with\nprojected weights",
            up,
            np.multiply.outer(LUMINANCE, 4 * quiet / quiet.sum())[:, None],
        ),
        Panel("nearest x2 + Conv2d,\nfused", after @ resized("nearest"), weight[None]),
        Panel("bilinear x2 + Conv2d,\nfused", after @ resized("bilinear"), weight[None]),
        Panel("bicubic x2\n", grey @ resized("bicubic"), LUMINANCE.reshape(1, 3, 1, 1)),
    ]


def phase_means(image: Array, margin: int = 4) -> Array:
    """The mean of the outputs at each position modulo 2, away from the border.

    >>> phase_means(np.indices((12, 12)).sum(0) % 2)
    array([[0., 1.],
           [1., 0.]])
    """
    inner = image[margin:-margin, margin:-margin]
    return np.array([[inner[y::2, x::2].mean() for x in range(2)] for y in range(2)])
