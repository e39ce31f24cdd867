"""Every committed kernel, from generated/: fed the identity it gives back the whole matrix."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from codegen._runtime.compiler import SCALARS
from codegen.exactness import integral, mismatches
from codegen.rounding import gamma, roundings
from derive import Operator
from derive.catalogue import read_catalogue
from tests.cases import generator
from tests.codegen.judge import nonzero, unwritten
from tests.codegen.libraries import compiled_together, needs_compiler

Array = NDArray[Any]

ROOT = Path(__file__).parents[2]
ENTRIES = {entry.name: entry.op for entry in read_catalogue(ROOT / "operators.toml")}
TARGETS = ["numpy", pytest.param("c", marks=needs_compiler)]
SAMPLES = 256
PAIRS = 60

on_every_kernel = [
    pytest.mark.parametrize("name", ENTRIES),
    pytest.mark.parametrize("target", TARGETS),
]


def every_kernel(test: Any) -> Any:
    for mark in on_every_kernel:
        test = mark(test)
    return test


def module(target: str, name: str) -> Any:
    found = importlib.import_module(f"generated.{target}.{name}")
    assert Path(found.__file__ or "") == ROOT / "generated" / target / f"{name}.py"
    return found


@cache
def is_dyadic(op: Operator) -> bool:
    """Whether no sum of a few products rounds in float64: denominators are powers of 2."""
    coefficients = (s.coefficient for axis in op.axes for s in axis.strands)
    return all(c.denominator & (c.denominator - 1) == 0 for c in coefficients)


def dtype_of(op: Operator) -> str:
    return "float32" if integral(op) else "float64"


def weight_of(op: Operator) -> list[Array]:
    if not op.learned:
        return []
    return [nonzero(generator(470), op.form.weight_shape).astype(dtype_of(op))]


def blocks_of_identity(size: int, dtype: str) -> Iterator[tuple[slice, Array]]:
    for begin in range(0, size, SAMPLES):
        part = slice(begin, min(begin + SAMPLES, size))
        yield part, np.eye(part.stop - begin, size, begin, dtype)


def agree(op: Operator, direction: str, found: Array, exact: Array) -> bool:
    """Equal; where a coefficient is no float, within the rounding of one product.

    The matrix holds products of coefficients, each rounded, two roundings for every axis.
    """
    if is_dyadic(op):
        return np.array_equal(found, exact)
    dtype = found.dtype.name
    n = roundings(op, direction, dtype).count + 2 * len(op.axes)
    return bool(np.all(abs(found - exact) <= float(gamma(2 * n, dtype)) * abs(exact)))


@every_kernel
def test_forward_of_the_identity_is_the_matrix(target: str, name: str) -> None:
    op, made = ENTRIES[name], module(target, name)
    weight, dtype = weight_of(op), dtype_of(op)
    bias = [np.zeros(op.bias_shape, dtype)] if op.bias_shape else []
    matrix = op.sparse(*weight, dtype=dtype).tocsc()
    assert matrix.nnz == op.nnz
    for part, samples in blocks_of_identity(prod(op.input_shape), dtype):
        y = unwritten((len(samples), *op.output_shape), dtype)
        made.forward(samples.reshape(-1, *op.input_shape), *weight, *bias, out=y)
        assert agree(op, "forward", y.reshape(len(y), -1).T, matrix[:, part].toarray()), part


@every_kernel
def test_input_gradient_of_the_identity_is_the_transpose(target: str, name: str) -> None:
    op, made = ENTRIES[name], module(target, name)
    weight, dtype = weight_of(op), dtype_of(op)
    matrix = op.sparse(*weight, dtype=dtype)
    for part, samples in blocks_of_identity(prod(op.output_shape), dtype):
        x = unwritten((len(samples), *op.input_shape), dtype)
        made.input_gradient(samples.reshape(-1, *op.output_shape), *weight, out=x)
        assert agree(op, "input_gradient", x.reshape(len(x), -1), matrix[part].toarray()), part


def impulse(op: Operator, y: tuple[int, ...], x: tuple[int, ...]) -> Array:
    """What the weights at all taps have to do with the pair of an output and an input."""
    form = op.form
    found = np.zeros(form.weight_shape)
    (o, i), (group, other) = (y[0], x[0]), (y[0] // form.channels_out, x[0] // form.channels_in)
    if group != other:
        return found
    taps = []
    for axis, at_y, at_x in zip(form.axes, y[1:], x[1:], strict=True):
        taps.append([(t, float(c)) for at, t, c in axis.row(at_y) if at == at_x])
    channels = (o, i % form.channels_in) if form.output_leads else (i, o % form.channels_out)
    for each in product(*taps):
        found[(*channels, *(t for t, _ in each))] = prod(c for _, c in each)
    return found


@every_kernel
def test_weight_gradient_of_impulses(target: str, name: str) -> None:
    """Of pairs that the operator joins, corners among them, and of any pairs."""
    op, made = ENTRIES[name], module(target, name)
    if not op.learned:
        assert made.kernel.weight_shape is None
        return
    rng, dtype = generator(471), dtype_of(op)
    rows = op.sparse(np.ones(op.form.weight_shape))
    told = 0
    for case in range(PAIRS):
        at_y = (0, rows.shape[0] - 1)[case] if case < 2 else int(rng.integers(rows.shape[0]))
        joined = rows.indices[rows.indptr[at_y] : rows.indptr[at_y + 1]]
        at_x = (
            int(rng.choice(joined))
            if case % 4 and len(joined)
            else int(rng.integers(rows.shape[1]))
        )
        y, x = np.zeros((1, *op.output_shape), dtype), np.zeros((1, *op.input_shape), dtype)
        y.flat[at_y], x.flat[at_x] = 3, 5
        expected = 15 * impulse(
            op, np.unravel_index(at_y, op.output_shape), np.unravel_index(at_x, op.input_shape)
        )
        by_w = unwritten(expected.shape, dtype)
        made.weight_gradient(x, y, out=by_w)
        assert np.array_equal(by_w, expected), (at_y, at_x)
        told += bool(expected.any())
    assert told > PAIRS // 8


@every_kernel
def test_bias_and_its_gradient(target: str, name: str) -> None:
    op, made = ENTRIES[name], module(target, name)
    if op.bias_shape is None:
        assert made.kernel.bias_shape is None
        return
    dtype, rng = dtype_of(op), generator(472)
    bias, x = nonzero(rng, op.bias_shape).astype(dtype), np.zeros((2, *op.input_shape), dtype)
    ones = (1,) * (len(op.output_shape) - 1)
    y = made.forward(x, *weight_of(op), bias, out=unwritten((2, *op.output_shape), dtype))
    assert np.array_equal(y, np.broadcast_to(bias.reshape(-1, *ones), y.shape))
    grad = nonzero(rng, y.shape).astype(dtype)
    sums = made.bias_gradient(grad, out=unwritten(bias.shape, dtype))
    assert np.array_equal(sums, grad.sum(axis=(0, *range(2, grad.ndim))))


@pytest.mark.parametrize("name", ENTRIES)
def test_every_dtype_in_numpy(name: str) -> None:
    op, kernel = ENTRIES[name], module("numpy", name).kernel
    assert kernel.dtypes == tuple(SCALARS)
    for dtype in SCALARS if integral(op) else ("float64",):
        assert mismatches(replace(kernel, dtypes=(dtype,)), op) == [], dtype


@needs_compiler
@pytest.mark.parametrize("dtype", SCALARS)
def test_every_dtype_in_c(dtype: str, tmp_path: Path) -> None:
    """All files in one library, unoptimised: they stand side by side, and a compiler is fast."""
    ops = {name: op for name, op in ENTRIES.items() if integral(op) or dtype == "float64"}
    library = compiled_together(tmp_path, ops, dtype)
    for name, op in ops.items():
        kernel = module("c", name).kernel
        assert kernel.dtypes == tuple(SCALARS)
        raw = replace(kernel, dtypes=(dtype,), load=lambda _, name=name: library[name])
        assert mismatches(raw, op) == [], name


@every_kernel
def test_what_a_kernel_says_of_itself(target: str, name: str) -> None:
    op, made = ENTRIES[name], module(target, name)
    kernel = made.kernel
    assert kernel.name == name
    assert (kernel.input_shape, kernel.output_shape) == (op.input_shape, op.output_shape)
    assert (kernel.weight_shape, kernel.bias_shape) == (op.weight_shape, op.bias_shape)
    assert (kernel.macs, kernel.naive_macs) == (op.macs, op.naive_macs)
    assert op.description in (made.__doc__ or "")
    for function in ("forward", "input_gradient", "weight_gradient", "bias_gradient"):
        assert getattr(made, function) == getattr(kernel, function)


def test_the_names_of_the_readme() -> None:
    from generated.c import conv2d_k3s1p1  # as a user writes it
    from generated.numpy import conv2d_classic

    assert conv2d_k3s1p1.kernel.input_shape == (16, 16, 16)
    y = conv2d_classic.forward(np.ones((1, 4, 4)), np.ones((1, 1, 3, 3)))
    assert y.tolist() == [[[9, 9], [9, 9]]]
