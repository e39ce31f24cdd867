"""The judge of kernels: right ones pass, and a fault is found in the function that has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import derive
from codegen import Kernel
from codegen.builder import build_sized
from codegen.exactness import UNWRITTEN, integral, mismatches
from derive import Operator
from tests.cases import generator, random_layer

Array = NDArray[Any]
LEARNED = ("forward", "input_gradient", "weight_gradient", "bias_gradient")
CONV = derive.Conv2d(2, 4, 3, stride=2, padding=1, groups=2, input_size=(6, 7))
NEAREST = derive.Interpolate(2, (4, 5), scale_factor=2)
BILINEAR = derive.Interpolate(2, (4, 5), size=(7, 9), mode="bilinear")


def fused() -> Operator:
    op = derive.Conv2d(2, 2, 3, padding=1, input_size=(7, 9)) @ BILINEAR
    assert isinstance(op, Operator)
    return op


def first(out: Array) -> None:
    out.flat[0] += 1


def last(out: Array) -> None:
    out.flat[-1] -= 1


def middle(out: Array) -> None:
    out.flat[out.size // 2] += 1


def unwritten(out: Array) -> None:
    out.flat[-1] = UNWRITTEN


def row_unwritten(out: Array) -> None:
    out[..., -1] = UNWRITTEN


def zero(out: Array) -> None:
    out[...] = 0


def doubled(out: Array) -> None:
    out *= 2


def turned(out: Array) -> None:
    out[...] = out[::-1].copy()


def rolled(out: Array) -> None:
    out[...] = np.roll(out, 1, axis=-1)


def negated(out: Array) -> None:
    np.negative(out, out=out)


FAULTS = (first, last, middle, unwritten, row_unwritten, zero, doubled, turned, rolled, negated)


def spoiled(kernel: Kernel, direction: str, fault: Callable[[Array], None]) -> Kernel:
    """The kernel with a fault in one function."""

    def load(dtype: str) -> Mapping[str, Callable[..., None]]:
        good = kernel.load(dtype)

        def call(*arrays: Array) -> None:
            good[direction](*arrays)
            fault(arrays[-1])

        return {**good, direction: call}

    return replace(kernel, load=load)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("direction", LEARNED)
@pytest.mark.parametrize("dtype", ["int64", "float32"])
def test_a_fault_is_named(dtype: str, direction: str, fault: Callable[[Array], None]) -> None:
    kernel = build_sized(CONV, "numpy", dtype)
    assert mismatches(kernel, CONV) == []
    assert mismatches(spoiled(kernel, direction, fault), CONV) == [direction]


@pytest.mark.parametrize("at", range(36))
def test_one_wrong_entry_of_a_weight_gradient(at: int) -> None:
    """Whichever it is, and however small the difference."""

    def fault(out: Array) -> None:
        out.flat[at] += 1

    kernel = build_sized(CONV, "numpy", "int64")
    for seed in range(3):
        wrong = mismatches(spoiled(kernel, "weight_gradient", fault), CONV, seed=seed)
        assert wrong == ["weight_gradient"]


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.5])
@pytest.mark.parametrize("direction", LEARNED)
def test_values_that_are_no_integers(direction: str, value: float) -> None:
    def fault(out: Array) -> None:
        out.flat[1] = value

    kernel = build_sized(CONV, "numpy", "float64")
    assert mismatches(spoiled(kernel, direction, fault), CONV) == [direction]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("direction", ["forward", "input_gradient"])
@pytest.mark.parametrize("op", [NEAREST, BILINEAR], ids=["nearest", "bilinear"])
def test_faults_of_a_resize(op: Operator, direction: str, fault: Callable[[Array], None]) -> None:
    kernel = build_sized(op, "numpy", "float64")
    assert mismatches(kernel, op) == []
    assert mismatches(spoiled(kernel, direction, fault), op) == [direction]


@pytest.mark.parametrize("direction", LEARNED)
@pytest.mark.parametrize(("dtype", "error"), [("float32", 1e-2), ("float64", 1e-11)])
def test_errors_beyond_rounding(direction: str, dtype: str, error: float) -> None:
    """Where weights are fractions, sums round; what is beyond their bound is a fault."""

    def fault(out: Array) -> None:
        out *= 1 + error

    op = fused()
    assert not integral(op)
    kernel = build_sized(op, "numpy", dtype)
    for seed in range(5):
        assert mismatches(kernel, op, seed=seed) == []
    assert mismatches(spoiled(kernel, direction, fault), op) == [direction]


@pytest.mark.parametrize("seed", range(30))
def test_right_kernels_have_no_fault(seed: int) -> None:
    layer = random_layer(generator(460, seed))
    for op in (layer, layer.T):
        for dtype in ("int64", "float32", "float64"):
            assert mismatches(build_sized(op, "numpy", dtype), op, seed=seed) == []


@pytest.mark.parametrize("batch", [1, 3])
def test_any_batch(batch: int) -> None:
    assert mismatches(build_sized(CONV, "numpy", "int64"), CONV, batch=batch) == []


def test_a_kernel_of_another_operator() -> None:
    other = derive.Conv2d(2, 4, 3, stride=2, padding=((0, 2), (1, 1)), groups=2, input_size=(6, 7))
    wrong = mismatches(build_sized(CONV, "numpy", "int64"), other)
    assert wrong == ["forward", "input_gradient", "weight_gradient"]


def test_integral_operators() -> None:
    assert integral(CONV)
    assert integral(NEAREST)
    assert integral(NEAREST.T)
    assert not integral(BILINEAR)
