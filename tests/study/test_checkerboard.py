"""Checkerboards: counted, and seen in what torch makes of a constant input."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from math import gcd, lcm, prod
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import derive
from derive import GeometryError, LinearMap, checkerboard
from tests import cases, torch_reference

Array = NDArray[Any]


@pytest.mark.parametrize("stride", range(1, 9))
def test_theorem_against_counting(stride: int) -> None:
    """Every stride and dilation up to 8, kernels up to 12: count the taps of each phase."""
    for dilation, kernel in product(range(1, 9), range(1, 13)):
        op = derive.ConvTranspose1d(1, 1, kernel, stride=stride, dilation=dilation, input_size=2)
        found = checkerboard(op)
        counts = [sum(dilation * t % stride == r for t in range(kernel)) for r in range(stride)]
        assert found.phases == (tuple(counts),), op
        divides = kernel % stride == 0
        assert (
            found.uniform == (len(set(counts)) == 1) == (gcd(stride, dilation) == 1 and divides)
        ), op
        ratio = Fraction(max(counts), min(counts)) if min(counts) else None
        assert found.ratio == ratio
        assert f"gcd({stride}, {dilation}) = {gcd(stride, dilation)}" in found.theorem
        words = "divides" if divides else "does not divide"
        assert f"{stride} {words} {kernel}" in found.theorem
        assert found.dead_outputs.limit == Fraction(counts.count(0), stride)
        assert str(found).startswith("no checkerboard" if found.uniform else "checkerboard:")


@pytest.mark.parametrize("stride", range(1, 6))
def test_ramp_and_dead_outputs_at_one_size(stride: int) -> None:
    for dilation, kernel, pad in product(range(1, 5), range(1, 7), (0, 1, 3)):
        op = derive.ConvTranspose1d(
            1, 1, kernel, stride=stride, dilation=dilation, padding=pad, input_size=40
        )
        found, overlap = checkerboard(op), op.overlap()
        inside = [found.phases[0][y % stride] for y in range(len(overlap))]
        off = [y for y, n in enumerate(overlap) if n != inside[y]]
        half = len(overlap) // 2
        ramp = (
            max([y + 1 for y in off if y < half], default=0),
            max([len(overlap) - y for y in off if y >= half], default=0),
        )
        assert found.ramp == (ramp,), op
        assert max(ramp) <= dilation * (kernel - 1)
        assert found.dead_outputs.count == np.count_nonzero(overlap == 0), op
        assert found.dead_outputs.total == len(overlap)
        assert found.unread_inputs.count == np.count_nonzero(op.T.overlap() == 0), op


def test_limits_are_one_over_the_common_divisors() -> None:
    for case in range(60):
        rng = cases.generator(620, case)
        axes = int(rng.integers(1, 4))
        strides, dilations = (tuple(int(v) for v in rng.integers(1, 7, axes)) for _ in range(2))
        op = cases.TRANSPOSED[axes](
            1, 1, 6, stride=strides, dilation=dilations, input_size=200, bias=False
        )
        alive = [Fraction(1, gcd(s, d)) for s, d in zip(strides, dilations, strict=True)]
        found = checkerboard(op)
        assert found.dead_outputs.limit == 1 - prod(alive)
        mirrored = checkerboard(op.T)
        assert mirrored.unread_inputs.limit == 1 - prod(alive)
        assert mirrored.uniform
        assert mirrored.unread_inputs.count == found.dead_outputs.count
        assert abs(found.dead_outputs.fraction - found.dead_outputs.limit) < Fraction(1, 10)


def test_known_shares() -> None:
    dead = checkerboard(derive.ConvTranspose2d(1, 1, 4, stride=2, dilation=2, input_size=8))
    assert dead.dead_outputs.limit == Fraction(3, 4)
    assert dead.ratio is None
    assert "some outputs dead" in str(dead)
    read = checkerboard(derive.Conv2d(1, 1, 1, stride=2, input_size=8))
    assert (read.unread_inputs.count, read.unread_inputs.fraction) == (48, Fraction(3, 4))
    assert read.uniform
    assert "inputs never read: 48 of 64 (3/4 in the limit)" in str(read)
    assert checkerboard(derive.ConvTranspose2d(1, 1, 3, stride=2, input_size=8)).ratio == 4


@pytest.mark.parametrize("chunk", range(5))
def test_random_operators_at_their_size(chunk: int) -> None:
    """Layers, adjoints and chains: positions that nothing reaches, and the overlap inside."""
    for case in range(40):
        rng = cases.generator(621, chunk, case)
        op: LinearMap = cases.random_layer(rng)
        if rng.random() < 0.5:
            op = op.T
        if rng.random() < 0.3:
            inner = cases.random_layer(rng, len(op.output_shape) - 1)
            op = op.T @ op if rng.random() < 0.5 else inner.T @ inner
        found = checkerboard(op)
        assert found.dead_outputs.count == np.count_nonzero(op.overlap() == 0), op
        assert found.unread_inputs.count == np.count_nonzero(op.T.overlap() == 0), op
        assert found.dead_outputs.total == prod(op.output_shape[1:])
        off = op.overlap()
        for axis, (before, after) in enumerate(found.ramp):
            n = off.shape[axis]
            assert 0 <= before <= -(-n // 2)
            assert 0 <= after <= n // 2
            off = off.take(range(before, n - after), axis)
        if off.size and not isinstance(op, derive.Composite):
            starts = [before for before, _ in found.ramp]
            for place in np.ndindex(*off.shape):
                phases = zip(place, starts, found.phases, strict=True)
                expected = prod(n[(p + s) % len(n)] for p, s, n in phases)
                assert off[place] == expected, (op, place)


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "linear", "area"])
@pytest.mark.parametrize("factor", [2, 3, Fraction(3, 2), Fraction(5, 3)])
def test_resize_then_convolution_is_uniform(mode: str, factor: Fraction) -> None:
    for kernel, n in product((1, 2, 3, 5), (6, 7)):
        resize = derive.Interpolate(1, n, scale_factor=factor, mode=mode)
        (m,) = resize.output_size
        op = derive.Conv1d(1, 1, kernel, padding=kernel // 2, bias=False, input_size=m) @ resize
        found = checkerboard(op)
        assert found.uniform
        assert found.ratio == 1
        assert set(found.phases[0]) == {kernel}
        assert found.constraints == ()
        assert len(found.basis) == kernel
        assert "add up to 1" in found.theorem
        weight = cases.integers(cases.generator(622), op.weight_shape)
        assert (found.project(weight) == weight).all()


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "linear", "area"])
@pytest.mark.parametrize(("n", "m"), [(7, 10), (5, 10), (10, 7), (3, 13), (2, 3)])
def test_a_given_size_may_repeat_nothing(mode: str, n: int, m: int) -> None:
    """Every phase is there once, so the size is multiplied to tell the phases from the border."""
    for aligned in (False, True) if mode == "linear" else (None,):
        resize = derive.Interpolate(1, n, size=m, mode=mode, align_corners=aligned)
        for kernel in (1, 2, 3):
            op = derive.Conv1d(1, 1, kernel, padding=1, input_size=m) @ resize
            found = checkerboard(op)
            assert found.uniform
            assert max(found.phases[0]) == kernel
            assert found.ramp == ((1, 1),)


def test_resize_in_two_axes() -> None:
    conv = derive.Conv2d(1, 1, 3, padding=1, input_size=(8, 12))
    op = conv @ derive.Interpolate(1, (4, 4), scale_factor=(2, 3), mode="bicubic")
    found = checkerboard(op)
    assert found.uniform
    assert found.ramp == ((1, 1), (1, 1))
    assert not found.dead_outputs.count
    assert "no checkerboard" in str(found)


def test_stack_of_layers() -> None:
    """Two transposed convolutions: the overlap of phase r is the sum of the product's row."""
    for case in range(40):
        rng = cases.generator(623, case)
        s, t, k, m = (int(v) for v in rng.integers(1, 5, 4))
        inner = derive.ConvTranspose1d(1, 1, k, stride=s, bias=False, input_size=24)
        outer = derive.ConvTranspose1d(1, 1, m, stride=t, bias=False, input_size=inner.output_size)
        found = checkerboard(outer @ inner)
        ones = [np.ones(op.weight_shape, int) for op in (outer, inner)]
        sums = (outer @ inner).sparse(ones, "int64").sum(axis=1)
        middle = len(sums) // 2 // (s * t) * (s * t)
        assert found.phases == (tuple(sums[middle : middle + s * t]),), (outer, inner)
        assert found.uniform == (len(set(sums[middle : middle + s * t])) == 1)
        with pytest.raises(GeometryError, match="exactly one weight"):
            _ = found.basis
    assert "; then " in found.theorem


def test_a_small_input_shows_the_phases_of_a_large_one() -> None:
    small, large = (
        checkerboard(derive.ConvTranspose1d(1, 1, 9, stride=2, dilation=4, input_size=n))
        for n in (1, 1000)
    )
    assert small.phases == large.phases == ((9, 0),)
    assert small.ratio is None


def test_size_costs_nothing() -> None:
    op = derive.ConvTranspose2d(1, 1, 5, stride=2, padding=2, output_padding=1, input_size=10**9)
    found = checkerboard(op)
    assert found.phases == ((3, 2), (3, 2))
    assert found.ratio == Fraction(9, 4)
    assert found.dead_outputs.total == 4 * 10**18


# --- the kernels that make none --------------------------------------------------------------


def test_known_equation() -> None:
    found = checkerboard(derive.ConvTranspose1d(1, 1, 3, stride=2, input_size=8))
    assert [str(equation) for equation in found.constraints] == ["Eq(w[0] + w[2], w[1])"]
    assert len(found.basis) == 2
    for kernel in found.basis:
        assert kernel[0] + kernel[2] == kernel[1]
    assert found.project([1, 1, 1]).tolist() == [Fraction(2, 3), Fraction(4, 3), Fraction(2, 3)]


def transposed(rng: np.random.Generator, axes: int) -> Any:
    """A transposed convolution with room inside, and no dead outputs most of the time."""
    most = {1: 6, 2: 4, 3: 3}[axes]
    words = {
        "kernel_size": tuple(int(v) for v in rng.integers(1, most + 1, axes)),
        "stride": tuple(int(v) for v in rng.integers(1, 4, axes)),
        "dilation": int(rng.choice((1, 1, 2))),
        "padding": int(rng.integers(2)),
        "groups": int(rng.choice((1, 2))),
    }
    words["output_padding"] = int(rng.integers(min(words["stride"])))
    size = {1: 20, 2: 12, 3: 8}[axes]
    return cases.TRANSPOSED[axes](2, 4, bias=False, input_size=size, **words)


@pytest.mark.usefixtures("family")
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_projection_and_basis(axes: int) -> None:
    """Quiet, nearest, nothing quiet left out; then torch, to whom a constant stays constant."""
    uneven = 0
    looked_at = torch_reference.share(range({1: 60, 2: 30, 3: 8}[axes]), 6)
    for case in looked_at:
        rng = cases.generator(624, axes, case)
        op = transposed(rng, axes)
        found = checkerboard(op)
        weight = cases.integers(rng, op.weight_shape)
        quiet = found.project(weight)
        assert all(type(v) is Fraction for v in quiet.flat)
        assert (found.project(quiet) == quiet).all()
        rest = weight - quiet
        for kernel in found.basis:
            assert not (rest * kernel).sum(axis=tuple(range(2, 2 + axes))).any()
            assert (found.project(kernel) == kernel).all()
        taps = prod(op.weight_shape[2:])
        rank = np.linalg.matrix_rank(differences(found)) if found.constraints else 0
        assert len(found.basis) == taps - rank
        assert all_constant(op, found, quiet), op
        for kernel in found.basis[-1:]:
            assert all_constant(op, found, np.broadcast_to(kernel, op.weight_shape)), op
        uneven += not all_constant(op, found, weight)
    assert uneven > min(5, len(looked_at) // 2)


def differences(found: derive.Checkerboard) -> Array:
    """The rows of all phases less that of the first, multiplied out by NumPy."""
    rows = []
    sums = [axis.sums for axis in found.axes]
    for phase in product(*sums):
        row: Any = np.array(1)
        for each in phase:
            row = np.multiply.outer(row, np.array(each, dtype=float))
        rows.append(row.ravel())
    return np.array(rows[1:]) - rows[0]


def all_constant(op: Any, found: derive.Checkerboard, weight: Array) -> bool:
    """Whether torch makes a constant of each channel of ones, between the borders; exactly."""
    whole = lcm(*(Fraction(v).denominator for v in weight.flat))
    integers = np.array([int(v * whole) for v in weight.flat]).reshape(weight.shape)
    y = torch_reference.forward(op, np.ones((1, *op.input_shape)), integers)
    inside = tuple(
        slice(before, n - after) for (before, after), n in zip(found.ramp, y.shape[2:], strict=True)
    )
    y = y[(slice(None), slice(None), *inside)]
    assert y.size
    return all(len(np.unique(channel)) == 1 for channel in y[0])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_floats_stay_floats(dtype: str) -> None:
    op = derive.ConvTranspose2d(3, 2, 3, stride=2, input_size=8)
    found = checkerboard(op)
    rng = cases.generator(625)
    weight = rng.standard_normal(op.weight_shape).astype(dtype)
    quiet = found.project(weight)
    assert quiet.dtype == dtype
    exact = found.project(np.vectorize(Fraction, otypes=[object])(weight.astype(float)))
    taps, u = 9, np.finfo(dtype).eps / 2
    bound = 4 * (taps + 1) * u * np.abs(weight).sum(axis=(2, 3), keepdims=True)
    assert (np.abs(quiet - exact.astype(float)) <= bound).all()


def test_what_cannot_be_projected_is_refused() -> None:
    found = checkerboard(derive.ConvTranspose1d(1, 1, 3, stride=2, input_size=8))
    for bad, words in (
        ([1, 2], "weight has shape"),
        (3, "weight has shape"),
        (["a", "b", "c"], "weight.dtype"),
        ([None, 1, 2], "weight = None"),
        ([[1, 2, 3], [1]], "weight is not an array"),
    ):
        with pytest.raises(GeometryError, match=words):
            found.project(bad)  # type: ignore[arg-type]
    with pytest.raises(GeometryError, match="exactly one weight"):
        checkerboard(derive.Interpolate(1, 4, size=8)).project([1])
    with pytest.raises(GeometryError, match=r"taps; allowed are 4096"):
        _ = checkerboard(derive.ConvTranspose2d(1, 1, 65, stride=2, input_size=8)).basis
    with pytest.raises(GeometryError, match=r"^op = 3: allowed is an operator"):
        checkerboard(3)  # type: ignore[arg-type]
    with pytest.raises(GeometryError, match="needs a fixed input_size"):
        checkerboard(derive.Conv1d(1, 1, 1))
