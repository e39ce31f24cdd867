"""A weight prepared once gives what the weight itself gives."""

from __future__ import annotations

import numpy as np
import pytest

import codegen
import derive
from codegen import LayoutError
from tests.codegen.libraries import needs_compiler

LANES = derive.Conv2d(3, 16, 3, padding=1, input_size=(5, 7))
FOLDED = derive.Conv2d(2, 3, 3, padding=1, input_size=(8, 6)) @ derive.Interpolate(
    2, (4, 3), scale_factor=2
)


@needs_compiler
@pytest.mark.parametrize("target", ["numpy", "c"])
@pytest.mark.parametrize("op", [LANES, FOLDED], ids=["lanes", "folded"])
def test_prepared_is_the_weight(op: derive.Operator, target: str) -> None:
    kernel = codegen.build(op, target)
    rng = np.random.default_rng(4)
    x, g, w, b = (
        rng.integers(-4, 5, shape or ()).astype("f4")
        for shape in (op.input_shape, op.output_shape, op.weight_shape, op.bias_shape)
    )
    right = kernel(x, w, b), kernel.input_gradient(g, w)
    prepared = kernel.prepare(w), kernel.prepare(w, "input_gradient")
    w[...] = 0  # a prepared weight keeps the numbers that it was made from
    assert np.array_equal(kernel(x, prepared[0], b), right[0])
    assert np.array_equal(kernel.input_gradient(g, prepared[1]), right[1])


@needs_compiler
def test_prepared_for_another() -> None:
    kernel, other = codegen.build(LANES), codegen.build(LANES, dtype="float64")
    x, g, w, b = (
        np.ones(shape or (), "f4")
        for shape in (LANES.input_shape, LANES.output_shape, LANES.weight_shape, LANES.bias_shape)
    )
    prepared = kernel.prepare(w)
    with pytest.raises(LayoutError, match="not prepared for input_gradient"):
        kernel.input_gradient(g, prepared)
    with pytest.raises(LayoutError, match="float32"):
        other(x.astype("f8"), prepared, b.astype("f8"))
    with pytest.raises(LayoutError, match="weight itself"):
        kernel.error_bound(x, prepared, b)
    with pytest.raises(LayoutError, match="'bias_gradient': allowed is one of"):
        kernel.prepare(w, "bias_gradient")
    with pytest.raises(LayoutError, match=r"\(16, 3, 3, 3\)"):
        kernel.prepare(w[:, :2])
    with pytest.raises(LayoutError, match="float64"):
        kernel.prepare(w.astype("f8"))
