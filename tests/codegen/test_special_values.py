"""NaN, infinities, -0.0, numbers too small to be normal, and arrays without a number."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.random import Generator
from numpy.typing import NDArray

import derive
from codegen import Kernel, LayoutError, build
from codegen._runtime.machine import candidates
from codegen.builder import numpy_kernel
from codegen.emit import emit_numpy
from codegen.folds import folded_numbers
from derive.layers import Layer, TransposedConvolution
from tests import torch_reference
from tests.cases import generator, random_layer
from tests.codegen.judge import Data, nonzero, of_torch, telling
from tests.codegen.libraries import has_compiler, kernels_for

Array = NDArray[Any]
SETS, SMALL = 50, 20
SPECIAL = (np.nan, np.inf, -np.inf, -0.0)
TARGETS = ["numpy", pytest.param("c", marks=pytest.mark.skipif(not has_compiler(), reason="no C"))]


def layers() -> list[Layer]:
    """So many that tell."""
    found: list[Layer] = []
    case = 0
    while len(found) < SETS:
        rng = generator(930, case)
        layer = random_layer(rng)
        if telling(of_torch(layer, Data.of(layer, rng))):
            found.append(layer)
        case += 1
    return found


@pytest.fixture(scope="module", params=TARGETS)
def every(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> list[tuple[Kernel, Layer]]:
    if request.param == "numpy":
        return [(numpy_kernel("k", emit_numpy(layer, "k")), layer) for layer in layers()]
    folder: Path = tmp_path_factory.mktemp("special")
    made = kernels_for(folder, layers(), candidates()[0], "float64")
    return [(kernel, layer) for (kernel, _), layer in zip(made, layers(), strict=True)]


def sprinkled(rng: Generator, shape: tuple[int, ...]) -> Array:
    """Integers, about one in eight of them special."""
    values = nonzero(rng, shape).astype("f8")
    chosen = rng.random(shape) < 1 / 8
    values[chosen] = rng.choice(SPECIAL, chosen.sum())
    return values


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.usefixtures("family")
def test_nan_and_infinities_as_torch_has_them(every: list[tuple[Kernel, Layer]]) -> None:
    """In the data; for the weight gradient in the array that torch pads.

    There torch multiplies the zeros of its padding with the other array, where we have no product.
    A folded tap adds weights before they meet a number, and inf - inf is NaN where (1 - 2) * inf is
    not: weights that are folded are of one sign here.
    """
    hit = 0
    looked_at = torch_reference.share(list(enumerate(every)), 5)
    for case, (kernel, layer) in looked_at:
        rng = generator(931, case)
        x, g = (sprinkled(rng, (2, *shape)) for shape in (layer.input_shape, layer.output_shape))
        w = nonzero(rng, layer.weight_shape).astype("f8")
        w = abs(w) if folded_numbers(layer) else w
        b = nonzero(rng, layer.bias_shape).astype("f8") if layer.bias_shape else None
        ones_x, ones_g = np.ones(x.shape), np.ones(g.shape)
        forward = torch_reference.forward_and_gradients(layer, x, w, b, g)[0]
        by_x = torch_reference.gradients(layer, ones_x, w, g)[0]
        pair = (ones_x, g) if isinstance(layer, TransposedConvolution) else (x, ones_g)
        by_w = torch_reference.gradients(layer, pair[0], w, pair[1])[1]
        for expected, found in (
            (forward, kernel.forward(x, w, b)),
            (by_x, kernel.input_gradient(g, w)),
            (by_w, kernel.weight_gradient(*pair)),
        ):
            assert np.array_equal(np.isnan(found), np.isnan(expected)), layer
            assert np.array_equal(found, expected, equal_nan=True), layer
        hit += any(np.isnan(each).any() and np.isfinite(each).any() for each in (forward, by_x))
    assert hit > 0.7 * len(looked_at)


def test_numbers_below_the_normal_ones(every: list[tuple[Kernel, Layer]]) -> None:
    """Not flushed to zero: integers times the least number there is stay integers times it."""
    least = np.finfo("f8").smallest_subnormal
    for case, (kernel, layer) in enumerate(every[:SMALL]):
        rng = generator(932, case)
        x = nonzero(rng, (2, *layer.input_shape)).astype("f8")
        w = nonzero(rng, layer.weight_shape).astype("f8")
        b = nonzero(rng, layer.bias_shape).astype("f8") if layer.bias_shape else None
        small = None if b is None else least * b
        expected = least * kernel.forward(x, w, b)
        assert expected.any()
        assert np.array_equal(kernel.forward(least * x, w, small), expected)


# --- arrays without a number -------------------------------------------------------------------

DIMENSIONS = ("batch", "in_channels", "out_channels", "kernel_size", "height", "width")
FUNCTIONS = ("forward", "transposed", "input_gradient", "weight_gradient")
SIZES = {"batch": 2, "in_channels": 3, "out_channels": 4, "kernel_size": 3, "height": 5, "width": 6}
CONVOLUTION = derive.Conv2d(3, 4, 3, padding=1, bias=False, input_size=(5, 6))
BACK = derive.ConvTranspose2d(4, 3, 3, padding=1, bias=False, input_size=(5, 6))


@pytest.fixture(scope="module", params=TARGETS)
def pair(request: pytest.FixtureRequest) -> SimpleNamespace:
    return SimpleNamespace(
        conv=build(CONVOLUTION, request.param, "float64"),
        back=build(BACK, request.param, "float64"),
    )


@pytest.mark.parametrize(("empty", "function"), [*product(DIMENSIONS, FUNCTIONS)])
def test_a_dimension_of_zero(pair: SimpleNamespace, empty: str, function: str) -> None:
    """An empty batch gives what torch gives; any other empty array is refused."""
    n = SimpleNamespace(**SIZES | {empty: 0})
    x = np.ones((n.batch, n.in_channels, n.height, n.width))
    g = np.ones((n.batch, n.out_channels, n.height, n.width))
    w = np.ones((n.out_channels, n.in_channels, n.kernel_size, n.kernel_size))
    call: Callable[[], Array] = {
        "forward": lambda: pair.conv(x, w),
        "transposed": lambda: pair.back(g, w),
        "input_gradient": lambda: pair.conv.input_gradient(g, w),
        "weight_gradient": lambda: pair.conv.weight_gradient(x, g),
    }[function]
    if empty == "batch":
        expected = {
            "forward": lambda: torch_reference.forward(CONVOLUTION, x, w),
            "transposed": lambda: torch_reference.forward(BACK, g, w),
            "input_gradient": lambda: torch_reference.gradients(CONVOLUTION, x, w, g)[0],
            "weight_gradient": lambda: torch_reference.gradients(CONVOLUTION, x, w, g)[1],
        }[function]()
        found = call()
        assert found.shape == expected.shape
        assert np.array_equal(found, expected)
        assert found.size == 0 or not found.any()
    elif empty == "kernel_size" and function == "weight_gradient":
        with pytest.raises(LayoutError, match=r"out has shape \(4, 3, 0, 0\); allowed is"):
            pair.conv.weight_gradient(x, g, out=w)
    else:
        with pytest.raises(LayoutError, match=r"has shape \(.*\b0\b.*\); allowed is"):
            call()


@pytest.mark.parametrize("name", ["in_channels", "out_channels", "kernel_size", "input_size"])
def test_a_layer_of_nothing(name: str) -> None:
    words: dict[str, Any] = {"in_channels": 1, "out_channels": 1, "kernel_size": 2, "input_size": 4}
    for layer in (derive.Conv2d, derive.ConvTranspose2d):
        with pytest.raises(derive.GeometryError, match=rf"{name} = 0: allowed is an int >= 1"):
            layer(**{**words, name: 0})
