"""Chains of several learned parts: torch's autograd of the layers one after the other."""

from __future__ import annotations

import numpy as np
import pytest

import derive
from codegen import LayoutError, build
from tests import torch_reference as reference
from tests.cases import generator, integers
from tests.codegen.libraries import needs_compiler

FIRST = derive.Conv2d(2, 4, 3, padding=1, input_size=(5, 6))
UP = derive.Interpolate(4, (5, 6), scale_factor=2)
LAST = derive.Conv2d(4, 3, 3, stride=2, padding=1, bias=False, input_size=(10, 12))


@pytest.mark.parametrize("target", ["numpy", pytest.param("c", marks=needs_compiler)])
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
