"""500 random modules beside torch's: output and gradients equal, on integers; second gradients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codegen.builder import build_sized
from derive import Operator
from derive.layers import Layer
from tests import torch_reference
from tests.cases import batch, generator, integers, random_layer
from tests.codegen.libraries import has_compiler, kernels_for
from tests.torch_ops.pairs import module_of, numbers

torch = pytest.importorskip("torch")
kernels = pytest.importorskip("codegen.torch_ops.kernels")

CHUNKS, PER_CHUNK, COMPILED = 20, 25, 4  # those of the last chunks are compiled


def layers(chunk: int) -> Iterator[tuple[Layer, Any]]:
    """Random layers that torch has a module for, with the generator of their numbers."""
    for case in count():
        rng = generator(120, chunk, case)
        layer = random_layer(rng)
        if torch_reference.in_torchs_words(layer):
            yield layer, rng


@pytest.fixture
def fresh() -> Iterator[None]:
    """Kernels of this test alone."""
    kernels.kernel_of.cache_clear()
    yield
    kernels.kernel_of.cache_clear()


def take(monkeypatch: pytest.MonkeyPatch, folder: Path, ops: Sequence[Operator], c: bool) -> None:
    """Have kernels made in C, many in one compilation, or in NumPy, which is sooner done."""
    found = {op: k for k, op in kernels_for(folder, ops, None, "float64")} if c else {}

    def build(op: Operator, target: str, dtype: str, *, algorithm: str) -> Any:
        assert (target, dtype, algorithm) == ("c", "float64", "exact")
        return found[op] if c else build_sized(op, "numpy", dtype)

    monkeypatch.setattr(kernels, "build", build)


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("chunk", range(CHUNKS))
@pytest.mark.filterwarnings("ignore:Using padding='same'")
def test_outputs_and_gradients_are_torchs(
    chunk: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cases = list(islice(layers(chunk), PER_CHUNK))
    in_c = chunk >= CHUNKS - COMPILED and has_compiler()
    take(monkeypatch, tmp_path, list(dict.fromkeys(layer for layer, _ in cases)), in_c)
    for layer, rng in cases:
        x = batch(rng, layer.input_shape)
        w = integers(rng, layer.weight_shape)
        b = integers(rng, layer.bias_shape) if layer.bias_shape else None
        grad = integers(rng, (*x.shape[: x.ndim - layer.dimensions - 1], *layer.output_shape))
        expected = torch_reference.forward_and_gradients(layer, x, w, b, grad)

        module, arguments = module_of(layer, w, b)
        leaf = numbers(x).requires_grad_()
        y = module(leaf, **arguments)
        leaves = (leaf, *module.parameters())
        got = (y, *torch.autograd.grad(y, leaves, numbers(grad)))
        for name, wanted, found in zip(["y", "x", "w", "b"], expected, got, strict=False):
            assert np.array_equal(wanted, found.detach().numpy()), (name, layer)
        with torch.no_grad():
            assert torch.equal(module(numbers(x), **arguments), y)


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("chunk", range(5))
@pytest.mark.filterwarnings("ignore:Using padding='same'")
def test_second_gradients_are_torchs(
    chunk: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Of a sum of products of output and gradients, by everything: 50 modules."""
    take(monkeypatch, tmp_path, [], c=False)
    for layer, rng in islice(layers(chunk + 100), 10):
        shapes = ((2, *layer.input_shape), layer.weight_shape, layer.output_shape[:1])
        arrays = [integers(rng, shape, largest=2) for shape in shapes]
        grad = integers(rng, (2, *layer.output_shape), largest=2)
        along = [integers(rng, shape, largest=2) for shape in shapes[:2]]
        bias = arrays[2] if layer.bias else None
        module, arguments = module_of(layer, arrays[1], bias)

        def ours(x: Any, w: Any, b: Any, module: Any = module, arguments: Any = arguments) -> Any:
            given = {"weight": w} if b is None else {"weight": w, "bias": b}
            return torch.func.functional_call(module, given, (x,), arguments)

        def theirs(x: Any, w: Any, b: Any, layer: Layer = layer) -> Any:
            return torch_reference._call(layer, x, w, b)

        found, expected = (second(f, arrays[:2], bias, grad, along) for f in (ours, theirs))
        for got, wanted in zip(found, expected, strict=True):
            assert torch.equal(got, wanted), layer


def second(f: Any, arrays: Any, bias: Any, grad: Any, along: Any) -> Any:
    """The gradients by x, w and grad of sum(along * gradients of sum(grad * y**2))."""
    x, w = (numbers(a).requires_grad_() for a in arrays)
    g = numbers(grad).requires_grad_()
    y = f(x, w, None if bias is None else numbers(bias))
    first = torch.autograd.grad(y, (x, w), g * y, create_graph=True)
    total = sum((numbers(a) * d).sum() for a, d in zip(along, first, strict=True))
    return torch.autograd.grad(total, (x, w, g))
