"""Operators fused into one: their matrix is the product, entry by entry."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import derive
from derive import GeometryError, Operator
from tests import cases

Array = NDArray[Any]
CHUNKS, PER_CHUNK = range(10), range(30)
Entries = dict[tuple[int, int], Fraction]


def entries(op: Operator, weight: Array | None) -> Entries:
    """The nonzero entries of the matrix, exact."""
    matrix = op.sparse(None if weight is None else weight.astype(object), object)
    result: Entries = {}
    for y, (lo, hi) in enumerate(pairwise(matrix.indptr)):
        for x, v in zip(matrix.indices[lo:hi], matrix.data[lo:hi], strict=True):
            if v:
                result[y, int(x)] = Fraction(v)
    return result


def times(a: Entries, b: Entries) -> Entries:
    """The product of two matrices, from the definition."""
    rows: dict[int, list[tuple[int, Fraction]]] = {}
    for (y, x), v in b.items():
        rows.setdefault(y, []).append((x, v))
    result: Entries = {}
    for (y, z), v in a.items():
        for x, u in rows.get(z, ()):
            result[y, x] = result.get((y, x), Fraction(0)) + v * u
    return {place: v for place, v in result.items() if v}


def fused(parts: list[Operator]) -> Operator:
    result: Any = parts[0]
    for part in parts[1:]:
        result = result @ part
    assert isinstance(result, Operator)
    return result


@pytest.mark.parametrize("chunk", CHUNKS)
def test_matrix_is_the_product_of_the_matrices(chunk: int) -> None:
    """Of two or three operators: 300 chains, every entry a fraction that is compared."""
    done = 0
    for case in PER_CHUNK:
        rng = cases.generator(720, chunk, case)
        parts = cases.random_chain(rng, int(rng.integers(2, 4)))
        op = fused(parts)
        weight = cases.integers(rng, op.weight_shape) if op.learned else None
        product = entries(parts[0], weight if parts[0].learned else None)
        for part in parts[1:]:
            product = times(product, entries(part, weight if part.learned else None))
        assert entries(op, weight) == product, parts
        assert op.input_shape == parts[-1].input_shape
        assert op.output_shape == parts[0].output_shape
        transposed = {(x, y): v for (y, x), v in product.items()}
        assert entries(op.T, weight) == transposed
        learned = [part for part in parts if part.learned]
        assert op.weight_shape == (learned[0].weight_shape if learned else None)
        done += bool(product)
    assert done > 20


@pytest.mark.parametrize("chunk", range(3))
def test_brackets_do_not_matter(chunk: int) -> None:
    for case in range(20):
        rng = cases.generator(721, chunk, case)
        first, second, third = cases.random_chain(rng, 3)
        left, right = (first @ second) @ third, first @ (second @ third)
        assert left.axes == right.axes
        assert derive.equivalent(left, right)


def test_folding_saves_what_it_should() -> None:
    """Nearest x2 then 3x3: four 2x2 phases, 4 multiply-adds per output instead of 9."""
    resize = derive.Interpolate(1, (32, 32), scale_factor=2)
    op = derive.Conv2d(1, 1, 3, padding=1, bias=False, input_size=64) @ resize
    assert op.naive_macs == 9 * 64 * 64
    assert op.macs == (2 * 64 - 2) ** 2
    bilinear = derive.Interpolate(1, (32, 32), scale_factor=2, mode="bilinear")
    same = derive.Conv2d(1, 1, 3, padding=1, bias=False, input_size=64) @ bilinear
    assert same.macs < same.naive_macs


@pytest.mark.parametrize("chunk", range(3))
def test_fewer_multiply_adds_where_taps_are_folded(chunk: int) -> None:
    folded = 0
    for case in range(30):
        rng = cases.generator(722, chunk, case)
        axes = int(rng.integers(1, 3))
        n = [int(v) for v in rng.integers(2, 7, axes)]
        r, k = int(rng.integers(2, 4)), int(rng.integers(2, 6))
        conv = cases.CONVOLUTIONS[axes](
            1, 1, k, padding=k // 2, bias=False, input_size=[v * r for v in n]
        )
        op = conv @ derive.Interpolate(1, n, scale_factor=r)
        assert op.macs <= op.naive_macs
        folded += op.macs < op.naive_macs
    assert folded > 20


def test_bias_through_a_resize() -> None:
    """A resize keeps constants, so a bias before it is a bias behind it."""
    conv = derive.Conv2d(2, 3, 3, padding=1, input_size=(4, 5))
    for mode in ("nearest", "bilinear", "bicubic", "area"):
        resize = derive.Interpolate(3, (4, 5), size=(7, 6), mode=mode)
        op = resize @ conv
        assert op.bias_shape == (3,)
        rng = cases.generator(723)
        weight, bias = cases.integers(rng, op.weight_shape), cases.integers(rng, (3,))
        x = cases.integers(rng, (2, *op.input_shape))
        assert (op.apply(x, weight, bias) == resize.apply(conv.apply(x, weight, bias))).all()
        behind = derive.Conv2d(3, 2, 3, padding=1, input_size=(7, 6)) @ resize
        assert behind.bias_shape == (2,)


@pytest.mark.parametrize("fixed", [True, False])
def test_bias_through_what_does_not_keep_constants_is_refused(fixed: bool) -> None:
    conv = derive.Conv1d(1, 1, 3, input_size=6 if fixed else None)
    pad = derive.Pad(1, (1,), input_size=4 if fixed else None)
    with pytest.raises(GeometryError, match=r"^bias = True in Conv1d.*allowed is False"):
        _ = pad @ conv
    mirrored = derive.Pad(1, (1,), "replicate", input_size=4 if fixed else None)
    assert (mirrored @ conv).bias_shape == (1,)


def test_adjoint_of_free_size_is_refused() -> None:
    conv = derive.Conv1d(1, 1, 3, stride=2, bias=False)
    with pytest.raises(GeometryError, match="what an adjoint puts out"):
        _ = conv.T @ derive.Pad(1, (1,))
    assert (derive.Pad(1, (1,)) @ conv.T).weight_shape == (1, 1, 3)


def test_what_does_not_fit_is_refused() -> None:
    resize = derive.Interpolate(2, 4, size=8)
    for other, words in (
        (derive.Conv1d(2, 1, 3, input_size=9), "the outer one takes"),
        (derive.Conv1d(3, 1, 3, input_size=8), "the outer one takes"),
        (derive.Conv2d(2, 1, 3, input_size=8), "the outer one takes"),
        (derive.Conv1d(2, 1, 3), "input_size = None"),
    ):
        with pytest.raises(GeometryError, match=words):
            _ = other @ resize
    with pytest.raises(TypeError):
        _ = resize @ 3
    with pytest.raises(GeometryError, match="weight = 'given': allowed is None"):
        resize.sparse(np.ones((2, 1, 1)))
    with pytest.raises(GeometryError, match="weight = None"):
        (derive.Conv1d(2, 1, 3, input_size=8) @ resize).sparse()


def test_two_learned_parts_stay_two_and_the_rest_is_fused() -> None:
    resize = derive.Interpolate(1, 4, scale_factor=2)
    first = derive.Conv1d(1, 1, 3, padding=1, bias=False, input_size=4)
    second = derive.Conv1d(1, 1, 3, padding=1, bias=False, input_size=8)
    op = second @ resize @ first
    assert isinstance(op, derive.Composite)
    assert len(op.parts) == 2
    weights = [[[[1, 2, 3]]], [[[-1, 0, 2]]]]
    product = second.sparse(weights[0]) @ resize.sparse() @ first.sparse(weights[1])
    assert (op.sparse(weights).toarray() == product.toarray()).all()


def test_the_adjoint_of_a_chain_counts_as_the_chain() -> None:
    up = derive.Interpolate(1, (8, 8), scale_factor=2)
    op = derive.Conv2d(1, 1, 3, padding=1, bias=False, input_size=16) @ up
    assert isinstance(op, derive.Operator)
    assert (op.T.macs, op.T.naive_macs) == (op.macs, op.naive_macs)
    assert op.macs < op.naive_macs
