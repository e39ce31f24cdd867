"""Chains of several learned parts: torch's autograd of the layers one after the other."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import derive
from codegen import LayoutError, build
from codegen.chain import ChainKernel
from tests import torch_reference as reference
from tests.cases import generator, integers
from tests.codegen.libraries import needs_compiler

FIRST = derive.Conv2d(2, 4, 3, padding=1, input_size=(5, 6))
UP = derive.Interpolate(4, (5, 6), scale_factor=2)
LAST = derive.Conv2d(4, 3, 3, stride=2, padding=1, bias=False, input_size=(10, 12))


@pytest.mark.parametrize("target", ["numpy", pytest.param("c", marks=needs_compiler)])
@pytest.mark.usefixtures("family")
def test_equals_the_parts_and_their_gradients(target: str) -> None:
    rng = generator(81)
    second = derive.Conv2d(4, 3, 3, stride=2, padding=1, bias=False, input_size=(5, 6))
    chain = second @ FIRST
    kernel = build(chain, target, "float64")
    x, grad = integers(rng, (2, 2, 5, 6), "float64"), integers(rng, (2, 3, 3, 3), "float64")
    w, v = integers(rng, (3, 4, 3, 3), "float64"), integers(rng, (4, 2, 3, 3), "float64")
    b = integers(rng, (4,), "float64")
    middle = reference.forward(FIRST, x, v, b)
    assert np.array_equal(kernel(x, (w, v), (None, b)), reference.forward(second, middle, w))
    by_middle, by_w, _ = reference.gradients(second, middle, w, grad)
    by_x, by_v, by_b = reference.gradients(FIRST, x, v, by_middle)
    got = kernel.weight_gradient(x, grad, (w, v), (None, b))
    assert all(np.array_equal(a, e) for a, e in zip(got, (by_w, by_v), strict=True))
    assert np.array_equal(kernel.input_gradient(grad, (w, v)), by_x)
    assert np.array_equal(kernel.bias_gradient(grad, (w, v))[1], by_b)


def test_a_resize_between_is_fused_with_a_neighbour() -> None:
    chain = LAST @ UP @ FIRST
    kernel = build(chain, "numpy", "int64")
    rng = generator(82)
    x, weights = integers(rng, (2, 5, 6)), [integers(rng, s) for s in chain.weight_shape]
    b = integers(rng, (4,))
    assert np.array_equal(kernel(x, weights, (None, b)), chain.apply(x, weights, (None, b)))


def test_weights_are_one_for_each_part() -> None:
    kernel = build(LAST @ UP @ FIRST, "numpy", "int64")
    x = integers(generator(83), (2, 5, 6))
    with pytest.raises(LayoutError, match="weight: allowed is a tuple of 2"):
        kernel(x, (x,))
    with pytest.raises(LayoutError, match="bias: allowed is a tuple of 2"):
        kernel(x, (x, x), x)


# --- bounds ----------------------------------------------------------------------------------

DIRECTIONS = ("forward", "input_gradient", "weight_gradient", "bias_gradient")


def results(kernel: ChainKernel, direction: str, given: tuple[Any, ...]) -> list[Any]:
    found = getattr(kernel, direction)(*given)
    return list(found) if isinstance(found, tuple) else [found]


def bounds(kernel: ChainKernel, direction: str, given: tuple[Any, ...]) -> list[Any]:
    found = kernel.error_bound(*given, direction=direction)
    return list(found) if isinstance(found, tuple) else [found]


def of_dtype(value: Any, dtype: str) -> Any:
    if isinstance(value, tuple):
        return tuple(of_dtype(each, dtype) for each in value)
    return None if value is None else value.astype(dtype)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("target", ["numpy", pytest.param("c", marks=needs_compiler)])
def test_what_is_off_stays_within_the_bound(target: str, direction: str) -> None:
    """float32 against float64, each of which is within its own bound of the exact result."""
    chain = LAST @ UP @ FIRST
    narrow, wide = (build(chain, target, dtype) for dtype in ("float32", "float64"))
    assert isinstance(narrow, ChainKernel)
    assert isinstance(wide, ChainKernel)
    rng = generator(84)
    x, grad = (rng.normal(0, 1, s).astype("f4") for s in ((2, 2, 5, 6), (2, 3, 5, 6)))
    weights = tuple(rng.normal(0, 1, s).astype("f4") for s in chain.weight_shape)
    biases = (None, rng.normal(0, 1, 4).astype("f4"))
    given: tuple[Any, ...] = {
        "forward": (x, weights, biases),
        "input_gradient": (grad, weights),
        "weight_gradient": (x, grad, weights, biases),
        "bias_gradient": (grad, weights),
    }[direction]
    exact = tuple(of_dtype(each, "float64") for each in given)
    pairs = zip(
        results(narrow, direction, given),
        results(wide, direction, exact),
        bounds(narrow, direction, given),
        bounds(wide, direction, exact),
        strict=True,
    )
    for rounded, better, bound, own in pairs:
        assert bound.shape == rounded.shape
        assert (np.abs(rounded.astype("float64") - better) <= bound + own).all()
        assert 0 < bound.max() < 1e-2 * np.abs(better).max()
        assert own.max() < 1e-8 * bound.max()


def test_an_error_before_is_carried_on() -> None:
    """Large products that cancel: what the inner kernel loses is what the outer one is given."""
    inner = derive.Conv1d(1, 1, 2, bias=False, input_size=6)
    outer = derive.Conv1d(1, 1, 1, bias=False, input_size=5)
    kernel = build(outer @ inner, "numpy", "float32")
    assert isinstance(kernel, ChainKernel)
    x = np.float32([[1.1e8, 1.3e8, 1.1e8, 1.3e8, 1.1e8, 1.3e8]])
    weights = (np.float32([[[1]]]), np.float32([[[1.3, -1.1]]]))
    exact = (x[0, :-1].astype(object) * Fraction(float(weights[1][0, 0, 0]))) + (
        x[0, 1:].astype(object) * Fraction(float(weights[1][0, 0, 1]))
    )
    off = np.abs(kernel(x, weights)[0].astype("float64") - exact.astype("float64"))
    assert (off <= kernel.error_bound(x, weights)[0]).all()
    outer_alone = kernel.parts[0].error_bound(kernel.parts[1](x, weights[1]), weights[0])
    assert (off > outer_alone[0]).any()
    assert kernel.error_bound(x, weights).max() < 64


def test_integers_are_not_off() -> None:
    chain = LAST @ UP @ FIRST
    kernel = build(chain, "numpy", "int64")
    assert isinstance(kernel, ChainKernel)
    rng = generator(85)
    x, weights = integers(rng, (2, 5, 6)), tuple(integers(rng, s) for s in chain.weight_shape)
    biases = (None, integers(rng, (4,)))
    assert not kernel.error_bound(x, weights, biases).any()
    grad = integers(rng, chain.output_shape)
    by_weight = kernel.error_bound(x, grad, weights, biases, direction="weight_gradient")
    assert [bound.shape for bound in by_weight] == [*chain.weight_shape]
    assert not any(bound.any() for bound in by_weight)
    with pytest.raises(ValueError, match="direction = 'backward'"):
        kernel.error_bound(x, weights, direction="backward")


def test_a_chain_has_the_records_of_its_parts() -> None:
    kernel = build(LAST @ UP @ FIRST, "numpy", "int64")
    assert isinstance(kernel, ChainKernel)
    records = kernel.certificate
    assert len(records) == 2
    assert all(record["claims"]["integers"]["differs"] == [] for record in records)
