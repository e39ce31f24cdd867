"""The bound of halves holds for float32 sums that are stored as halves, and is not far above."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import derive
from codegen import build
from codegen.half_bound import half_bound
from derive import Operator
from tests.cases import generator

Array = NDArray[Any]

DTYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16}
OPERATORS: dict[str, Operator] = {
    "conv": derive.Conv2d(3, 4, 3, stride=2, padding=1, input_size=(5, 6)),
    "long": derive.Conv2d(512, 2, 3, bias=False, input_size=(5, 5)),
    "fused": derive.Conv1d(2, 3, 3, padding=1, input_size=8)
    @ derive.Interpolate(2, 5, size=8, mode="linear"),
    "bicubic": derive.Interpolate(2, (4, 5), size=(6, 7), mode="bicubic"),
}
SIZES: dict[str, Callable[[Array], Array]] = {
    "uniform": lambda a: a,
    "near one": lambda a: 1 + a / 64,
    "tiny": lambda a: a * 2.0**-12,
}


def stored(array: Array, dtype: str) -> Array:
    """Rounded to halves."""
    return torch.from_numpy(array).to(DTYPES[dtype]).double().numpy()


def calls(op: Operator, data: dict[str, Array]) -> dict[str, list[Array]]:
    x, g, w = data["x"], data["g"], [data["w"]] if op.learned else []
    found = {
        "forward": [x, *w, *([data["b"]] if op.bias_shape else [])],
        "input_gradient": [g, *w],
    }
    if op.learned:
        found |= {"weight_gradient": [x, g], "bias_gradient": [g]}
    return found


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", OPERATORS)
def test_errors_stay_below(name: str, dtype: str, size: str) -> None:
    op, rng = OPERATORS[name], generator(707)
    shapes = {"x": (2, *op.input_shape), "g": (2, *op.output_shape), "w": op.form.weight_shape}
    shapes["b"] = op.output_shape[:1]
    data = {
        key: stored(SIZES[size](rng.uniform(-1, 1, shape)), dtype) for key, shape in shapes.items()
    }
    sums, exact = (build(op, "numpy", each) for each in ("float32", "float64"))
    for direction, inputs in calls(op, data).items():
        found = getattr(sums, direction)(*(each.astype(np.float32) for each in inputs))
        reference = getattr(exact, direction)(*inputs)
        error = abs(stored(found, dtype) - reference)
        bound = half_bound(op, direction, inputs, dtype)
        assert bound.shape == error.shape
        assert np.all(error <= bound), direction
        if size == "near one":
            assert bound.max() < 100 * error.max(), direction


def test_inf_where_a_half_ends() -> None:
    op = derive.Conv1d(1, 1, 1, bias=False, input_size=1)
    large = np.full((1, 1, 1), 300.0)
    assert np.isinf(half_bound(op, "forward", (large, large), "float16")).all()
    assert np.isfinite(half_bound(op, "forward", (large, large), "bfloat16")).all()


def test_a_folded_weight_is_rounded_too() -> None:
    plain = derive.Conv1d(1, 1, 3, padding=1, bias=False, input_size=8)
    fused = plain @ derive.Interpolate(1, 4, scale_factor=2, mode="linear")
    bounds = [
        half_bound(op, "forward", (np.ones((1, *op.input_shape)), np.ones((1, 1, 3))), "float16")
        for op in (plain, fused)
    ]
    middle = [each[0, 0, each.shape[-1] // 2] for each in bounds]
    assert 1.9 < middle[1] / middle[0] < 2.1
