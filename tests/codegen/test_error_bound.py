"""Real errors of kernels stay below their bound, on data made to be hard, and not far below it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from numpy.random import Generator
from numpy.typing import NDArray

import derive
from codegen import Kernel, LayoutError, build
from codegen.builder import build_sized
from codegen.error_bound import error_bound
from codegen.rounding import gamma, roundings
from derive import Operator
from derive.apply import by_strands, weight_gradient
from tests.cases import generator
from tests.codegen.libraries import needs_compiler

Array = NDArray[Any]
U = {"float32": Fraction(1, 2**24), "float64": Fraction(1, 2**53)}

OPERATORS: dict[str, Operator] = {
    "conv": derive.Conv2d(3, 4, 3, stride=2, padding=1, input_size=(5, 6)),
    "lanes": derive.Conv2d(3, 16, 3, padding=1, input_size=(3, 5)),
    "transposed": derive.ConvTranspose2d(16, 2, 3, stride=2, groups=2, input_size=(3, 2)),
    "reflect": derive.Conv1d(2, 16, 5, padding=2, padding_mode="reflect", input_size=7),
    "fused": derive.Conv1d(2, 3, 3, padding=1, input_size=8)
    @ derive.Interpolate(2, 5, size=8, mode="linear"),
    "bicubic": derive.Interpolate(2, (4, 5), size=(6, 7), mode="bicubic"),
    "antialias": derive.Interpolate(1, (7, 6), size=(3, 4), mode="bilinear", antialias=True),
    "cubic layer": derive.Conv2d(1, 2, 3, padding=1, input_size=(5, 6))
    @ derive.Interpolate(1, (3, 4), size=(5, 6), mode="bicubic"),
}


def uniform(rng: Generator, shape: tuple[int, ...]) -> Array:
    return rng.uniform(-1, 1, shape)


def large(rng: Generator, shape: tuple[int, ...]) -> Array:
    """Magnitudes far apart."""
    return rng.uniform(-1, 1, shape) * np.exp2(rng.integers(-20, 20, shape))


def cancelling(rng: Generator, shape: tuple[int, ...]) -> Array:
    """Neighbours that nearly cancel: what is left is rounding."""
    signs = np.resize([1.0, -1.0], shape)
    return signs * (1 + rng.uniform(0, 1e-6, shape))


def tiny(rng: Generator, shape: tuple[int, ...]) -> Array:
    """Products that underflow in float32."""
    return rng.uniform(-1, 1, shape) * 2.0**-70


DATA: dict[str, Callable[[Generator, tuple[int, ...]], Array]] = {
    "uniform": uniform,
    "large": large,
    "cancelling": cancelling,
    "tiny": tiny,
}


def exact(array: Array) -> Array:
    found = np.empty(array.shape, object)
    found.flat = [Fraction(float(value)) for value in array.flat]
    return found


def cases(op: Operator, dtype: str, kind: str) -> dict[str, tuple[list[Array], Array]]:
    """The inputs of each function, and its result in fractions."""
    rng, draw, form = generator(930), DATA[kind], op.form
    x, g = (draw(rng, (2, *s)).astype(dtype) for s in (op.input_shape, op.output_shape))
    w = [draw(rng, op.form.weight_shape).astype(dtype)] if op.learned else []
    ones = np.full(form.weight_shape, Fraction(1), object)
    weight = exact(w[0]) if w else ones
    forward = by_strands(form, weight)(exact(x))
    inputs = [x, *w]
    if op.bias_shape:
        inputs.append(draw(rng, op.bias_shape).astype(dtype))
        forward = forward + exact(inputs[-1]).reshape(-1, *(1 for _ in form.axes))
    found = {
        "forward": (inputs, forward),
        "input_gradient": ([g, *w], by_strands(form.adjoint, weight)(exact(g))),
    }
    if op.learned:
        found["weight_gradient"] = ([x, g], weight_gradient(form, exact(x), exact(g)))
        found["bias_gradient"] = ([g], exact(g).sum(axis=(0, *range(2, g.ndim))))
    return found


def errors(kernel: Kernel, direction: str, inputs: list[Array], right: Array) -> Array:
    got = getattr(kernel, direction)(*inputs)
    return np.abs(exact(got) - right)


def schedules() -> list[Any]:
    return [
        ("numpy", False),
        *(pytest.param(("c", p), marks=needs_compiler) for p in (True, False)),
    ]


@pytest.mark.parametrize("schedule", schedules(), ids=["numpy", "portable", "machine"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_errors_stay_below(schedule: tuple[str, bool], dtype: str) -> None:
    """Every schedule, every function; and the bound says something: some come near it."""
    target, portable = schedule
    nearest = Fraction(0)
    for name, op in OPERATORS.items():
        kernel = build_sized(op, target, dtype, "kernel", portable=portable)
        for kind in DATA:
            for direction, (inputs, right) in cases(op, dtype, kind).items():
                bound = exact(kernel.error_bound(*inputs, direction=direction))
                wrong = errors(kernel, direction, inputs, right)
                assert (wrong <= bound).all(), (name, kind, direction)
                if kind != "tiny":
                    shares = [e / b for e, b in zip(wrong.flat, bound.flat, strict=True) if b]
                    nearest = max(nearest, *shares)
    assert nearest > Fraction(1, 4), float(nearest)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_injected_error_is_noticed(dtype: str) -> None:
    """A result that is off by the bound and a few units in the last place is outside."""
    op = OPERATORS["conv"]
    kernel = build(op, "numpy", dtype)
    assert isinstance(kernel, Kernel)
    inputs, right = cases(op, dtype, "uniform")["forward"]
    n = roundings(op, "forward", dtype).count
    magnitude = by_strands(op.form, np.abs(exact(inputs[1])))(np.abs(exact(inputs[0])))
    magnitude = magnitude + np.abs(exact(inputs[2])).reshape(-1, 1, 1)
    bound = exact(kernel.error_bound(*inputs))
    assert (np.abs(exact(kernel(*inputs)) - right) <= bound).all()
    assert ((n + 3) * U[dtype] * magnitude > bound).all()


def test_counts() -> None:
    dense = derive.Conv2d(8, 4, 3, bias=False, input_size=9)
    assert roundings(dense, "forward", "float32").count == 72
    assert roundings(dense, "input_gradient", "float32").count == 36
    assert roundings(dense, "weight_gradient", "float32", batch=3).count == 3 * 49
    assert roundings(dense, "bias_gradient", "float32", batch=3).count == 3 * 49 - 1
    assert roundings(dense, "forward", "int64").count == 0
    nearest = derive.Interpolate(1, 4, scale_factor=2)
    assert roundings(nearest, "forward", "float32").count == 0  # copies
    assert roundings(nearest, "input_gradient", "float32").count == 1
    halves = derive.Interpolate(1, 4, scale_factor=2, mode="linear")
    assert roundings(halves, "forward", "float64").count == 2  # 3/4 and 1/4 are floats
    thirds = derive.Interpolate(1, 2, size=4, mode="linear", align_corners=True)
    assert roundings(thirds, "forward", "float64").count == 3
    assert roundings(thirds, "forward", "float32").count == 4  # in NumPy a double first
    fused = derive.Conv1d(1, 1, 3, padding=1, bias=False, input_size=8) @ nearest
    assert roundings(fused, "forward", "float32").count == 2 + 1


def test_what_is_refused() -> None:
    nearest = derive.Interpolate(1, 4, scale_factor=2)
    with pytest.raises(ValueError, match="direction = 'backward'"):
        roundings(nearest, "backward", "float32")
    with pytest.raises(ValueError, match="learns nothing"):
        roundings(nearest, "weight_gradient", "float32")
    with pytest.raises(ValueError, match="8388608 roundings: allowed are fewer"):
        gamma(2**23, "float32")
    kernel = build(nearest, "numpy", "float32")
    assert isinstance(kernel, Kernel)
    with pytest.raises(LayoutError, match="came without its operator"):
        replace(kernel, bound=None).error_bound(np.zeros((1, 4), "f4"))


def test_shapes_and_edges() -> None:
    op = OPERATORS["conv"]
    kernel = build(op, "numpy", "float32")
    assert isinstance(kernel, Kernel)
    x, w, b = (np.ones(s, "f4") for s in (op.input_shape, op.weight_shape, op.bias_shape))
    single, batched = kernel.error_bound(x, w, b), kernel.error_bound(x[None], w, b)
    assert single.shape == op.output_shape
    assert np.array_equal(batched[0], single)
    x[0, 0, 0] = 3e38
    assert np.isinf(kernel.error_bound(x, w, b)).any()  # where a sum may overflow
    x[0, 0, 0] = np.nan
    assert np.isnan(kernel.error_bound(x, w, b)).any()
    whole = build(op, "numpy", "int64")
    assert isinstance(whole, Kernel)
    ints = (np.ones(s, int) for s in (op.input_shape, op.weight_shape, op.bias_shape))
    assert not whole.error_bound(*ints).any()
    empty = np.zeros((0, *op.input_shape), "f4")
    assert error_bound(op, "forward", (empty, w, b), "float32").shape == (0, *op.output_shape)
