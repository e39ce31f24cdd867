"""Kernels of free sizes are the kernels of the sizes that come."""

import numpy as np
import pytest

import derive
from codegen import Kernel, LayoutError, build
from codegen.free import FreeKernel
from tests.cases import generator, integers

RNG = generator(71)


@pytest.mark.parametrize("size", [(5, 6), (8, 8), (9, 5)])
def test_equals_the_kernel_of_the_size(size: tuple[int, int]) -> None:
    layer = derive.Conv2d(2, 3, 3, stride=2, padding=1)
    free, fixed = build(layer, "numpy", "int64"), build(layer.at(size), "numpy", "int64")
    x, w, b = (integers(RNG, shape) for shape in ((2, 2, *size), (3, 2, 3, 3), (3,)))
    y = fixed(x, w, b)
    assert np.array_equal(free(x, w, b), y)
    assert np.array_equal(free.weight_gradient(x, y), fixed.weight_gradient(x, y))
    by_x = free.input_gradient(y, w, input_size=size)
    assert np.array_equal(by_x, fixed.input_gradient(y, w))


def test_specialises_once() -> None:
    free = build(derive.Conv1d(1, 1, 3), "numpy")
    assert isinstance(free, FreeKernel)
    assert free.at((7,)) is free.at((7,))
    assert free.at((7,)) is not free.at((8,))


def test_the_output_tells_the_input_where_it_can() -> None:
    w = integers(RNG, (1, 1, 3))
    alone = build(derive.Conv1d(1, 1, 3, bias=False), "numpy", "int64")
    assert alone.input_gradient(integers(RNG, (1, 4)), w).shape == (1, 6)
    larger = build(derive.ConvTranspose1d(1, 1, 3, stride=2, bias=False), "numpy", "int64")
    assert larger.input_gradient(integers(RNG, (1, 9)), w).shape == (1, 4)
    with pytest.raises(LayoutError, match="input_size"):
        larger.input_gradient(integers(RNG, (1, 8)), w)
    several = build(derive.Conv1d(1, 1, 3, stride=2, bias=False), "numpy", "int64")
    with pytest.raises(LayoutError, match="input_size"):
        several.input_gradient(integers(RNG, (1, 4)), w)


def test_sizes_without_an_output_are_refused() -> None:
    free = build(derive.Conv1d(1, 1, 5, bias=False), "numpy", "int64")
    with pytest.raises(derive.GeometryError, match="input_size"):
        free(integers(RNG, (1, 4)), integers(RNG, (1, 1, 5)))
    with pytest.raises(LayoutError, match="x has shape"):
        free(integers(RNG, (4,)), integers(RNG, (1, 1, 5)))


@pytest.mark.parametrize("size", [(5, 6), (9, 5)])
def test_bounds_are_those_of_the_size(size: tuple[int, int]) -> None:
    layer = derive.Conv2d(2, 3, 3, stride=2, padding=1)
    free, fixed = build(layer, "numpy"), build(layer.at(size), "numpy")
    assert isinstance(free, FreeKernel)
    assert isinstance(fixed, Kernel)
    x, w, b = (integers(RNG, s).astype("f4") for s in ((2, 2, *size), (3, 2, 3, 3), (3,)))
    g = fixed(x, w, b)
    for direction, given, known in (
        ("forward", (x, w, b), {}),
        ("weight_gradient", (x, g), {}),
        ("input_gradient", (g, w), {"input_size": size}),
        ("bias_gradient", (g,), {"input_size": size}),
    ):
        bound = free.error_bound(*given, direction=direction, **known)
        assert np.array_equal(bound, fixed.error_bound(*given, direction=direction))
        assert bound.any()
    assert np.array_equal(free.error_bound(x, w, b), fixed.error_bound(x, w, b))


def test_a_free_size_has_a_record_for_each_size() -> None:
    free = build(derive.Conv1d(1, 1, 3), "numpy")
    assert isinstance(free, FreeKernel)
    with pytest.raises(LayoutError, match=r"one for each size; at\(input_size\)"):
        _ = free.certificate
    assert free.at((7,)).certificate["claims"]["integers"]["differs"] == []
