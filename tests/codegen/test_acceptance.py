"""What a compiled library must pass: right kernels do, and what is beyond rounding does not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from numpy.typing import NDArray

import derive
from codegen import Kernel
from codegen.acceptance import SMALL, faults
from codegen.builder import build_sized
from codegen.rounding import PRECISION, gamma, relative
from codegen.trials import trial
from derive import Operator

Array = NDArray[Any]
LEARNED = ("forward", "input_gradient", "weight_gradient", "bias_gradient")


def fused(channels: int) -> Operator:
    up = derive.Interpolate(channels, (9, 10), scale_factor=2, mode="bilinear")
    return derive.Conv2d(channels, channels, 3, padding=1, input_size=(18, 20)) @ up  # type: ignore[return-value]


def spoiled(kernel: Kernel, direction: str, error: float) -> Kernel:
    """The kernel, one function off by a share of its largest number."""

    def load(dtype: str) -> Mapping[str, Callable[..., None]]:
        good = kernel.load(dtype)

        def wrong(*arrays: Array) -> None:
            good[direction](*arrays)
            arrays[-1][...] += error * abs(arrays[-1]).max()

        return {**good, direction: wrong}

    return replace(kernel, load=load)


@pytest.mark.parametrize(("dtype", "error"), [("float32", 0.1), ("float64", 1e-8)])
def test_a_large_kernel_with_fractions(dtype: str, error: float) -> None:
    op = fused(12)
    assert op.nnz > SMALL
    kernel = build_sized(op, "numpy", dtype)
    assert faults(kernel, op) == []
    for direction in LEARNED[:3]:
        assert faults(spoiled(kernel, direction, error), op) == [direction]


@pytest.mark.parametrize(("dtype", "error"), [("float32", 0.1), ("float64", 1e-8)])
def test_a_derived_value_with_fractions(dtype: str, error: float) -> None:
    op = fused(2)
    kernel, met = build_sized(op, "numpy", dtype), trial(op)
    assert met.wrong(kernel, kernel.load(dtype), dtype) == []
    for direction in LEARNED[:3]:
        off = spoiled(kernel, direction, error).load(dtype)
        assert met.wrong(kernel, off, dtype) == [direction]


@pytest.mark.parametrize("dtype", PRECISION)
def test_so_many_roundings_stay_within(dtype: str) -> None:
    unit = Fraction(1, 2 ** PRECISION[dtype])
    for count in (0, 1, 2, 100, 127, 128, 129, 300, 1000):
        assert (1 + unit) ** count - 1 <= relative(count, dtype, 0)
    assert relative(100, dtype, 7) > relative(100, dtype, 0) + gamma(7, "float64")
