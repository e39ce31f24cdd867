"""The errors of each stage alone: what numbers really do stays below, and comes near."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from numpy.random import Generator
from numpy.typing import NDArray

from codegen._runtime.machine import X86
from codegen.transforms import Transform, candidates
from codegen.transforms.bound import transform_bound
from codegen.transforms.linear import steps
from codegen.transforms.rounded import Arithmetic, Rounded, Stage, spacing
from codegen.transforms.summed import Weights, of_constants, products, weights
from derive import Conv2d
from derive.winograd import cook_toom
from derive.winograd.rational import Matrix
from tests.cases import generator

Array = NDArray[Any]
FLOAT32, FLOAT64 = Arithmetic.of("float32"), Arithmetic.of("float64")
NEAR = 0.4  # of its bound, that an error reaches in many trials
OWN = 1e-13


def drawn(rng: Generator, *shape: int) -> Array:
    """Numbers of float32, held in float64."""
    return rng.standard_normal(shape).astype("f4").astype("f8")


def by_steps(matrix: Matrix, x: Array) -> Array:
    """In float32, each product rounded."""
    known = {f"x{j}": column.astype("f4") for j, column in enumerate(x)}
    names = [f"y{i}" for i in range(len(matrix))]
    for step in steps(matrix, list(known), names):
        parts = [np.float32(c) * known[source] for c, source in step.terms]
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        known[step.target] = total
    return np.stack([known[name] for name in names])


def near(wrong: Array, error: Array) -> float:
    assert (wrong <= error).all()
    return float(np.divide(wrong, error, where=error > 0, out=np.zeros_like(error)).max())


@pytest.mark.parametrize("m", [2, 3, 4, 6])
@pytest.mark.parametrize("side", ["BT", "AT"])
def test_a_stage(side: str, m: int) -> None:
    matrix = getattr(cook_toom(m, 3), side)
    x = drawn(generator(970, m), len(matrix[0]), 5000)
    made = Stage.of(matrix, FLOAT32)(Rounded(x, np.zeros_like(x)))
    assert np.allclose(made.value, np.array(matrix, float) @ x, atol=1e-12)
    assert near(abs(by_steps(matrix, x) - made.value), made.error) > NEAR


def test_errors_are_handed_on() -> None:
    """Through absolute values, beside those that are made."""
    matrix = cook_toom(4, 3).BT
    x, off = drawn(generator(971), 6, 50), 1e-3
    clean, handed = (
        Stage.of(matrix, FLOAT32)(Rounded(x, np.full_like(x, e))).error for e in (0.0, off)
    )
    sums = np.abs(np.array(matrix, float)).sum(axis=1)[:, None]
    assert np.allclose(handed - clean, off * sums, rtol=1e-3)


def test_copies_do_not_round() -> None:
    x = drawn(generator(972), 2, 9)
    one = Fraction(1)
    made = Stage.of(((one, 0 * one), (0 * one, -one), (2 * one, 0 * one)), FLOAT32)(
        Rounded(x, np.zeros_like(x))
    )
    assert not made.error[:2].any()
    assert (made.error[2] <= 2**-24 * spacing(made.reach[2]) + 1e-44).all()


def summed(u: Array, v: Array, *, fused: bool) -> Array:
    """Term after term in float32."""
    total = np.zeros((v.shape[1], u.shape[1]), "f4")
    for k in range(len(u)):
        term = v[k, :, None] * u[k]
        total = (total + (term if fused else term.astype("f4"))).astype("f4")
    return total


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("terms", [1, 2, 3, 40])
def test_a_sum(terms: int, fused: bool) -> None:
    rng = generator(973, terms)
    u, v = drawn(rng, terms, 90), drawn(rng, terms, 80)
    made, drift = products(Weights(u, 0 * u, 0 * u), Rounded(v, 0 * v), FLOAT32, in_order=True)
    share = near(abs(summed(u, v, fused=fused) - v.T @ u), made.error)
    assert share > (NEAR / 2 if terms < 9 else 0.05)
    assert not drift.any()


def test_a_sum_that_rounds_alike_each_time() -> None:
    """Equal terms: where errors do not cancel, the bound is what they add up to."""
    u, v = np.full((3000, 1), np.float32(0.1), "f8"), np.ones((3000, 1))
    made, _ = products(Weights(u, 0 * u, 0 * u), Rounded(v, 0 * v), FLOAT32, in_order=True)
    assert near(abs(summed(u, v, fused=True) - v.T @ u), made.error) > NEAR / 2


def test_parts_that_are_off() -> None:
    """Errors of U and of V enter each term."""
    rng = generator(974)
    u, v = drawn(rng, 5, 4), drawn(rng, 5, 3)
    exact, _ = products(Weights(u, 0 * u, 0 * u), Rounded(v, 0 * v), FLOAT32, in_order=True)
    for du, dv in ((1e-3, 0.0), (0.0, 1e-3)):
        off, _ = products(
            Weights(u, 0 * u + du, 0 * u), Rounded(v, 0 * v + dv), FLOAT32, in_order=True
        )
        most = abs((v + dv).T @ (u + du) - v.T @ u)
        assert (off.error - exact.error >= most * 0.99).all()


def transform_of(m: int) -> Transform:
    form = Conv2d(4, 8, 3, padding=1, input_size=4 * m).form
    found = [each for _, each in candidates(form, X86[2], 4)]
    return next(each for each in found if len(each.down.tile.outputs) == m)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weights(dtype: str) -> None:
    """Against fractions: how far U is off is known, all but a little."""
    transform, arithmetic = transform_of(4), Arithmetic.of(dtype)
    taps = drawn(generator(975), 8, 4, 1, 3, 3)
    found = weights(transform, taps, arithmetic, OWN)
    G = [each.tile.algorithm.G for each in transform.axes]
    wide, share = 0, 0.0
    for i, j, o, c in np.ndindex(6, 6, 8, 4):
        exact = sum(
            G[1][i][t] * G[2][j][s] * Fraction(taps[o, c, 0, t, s])
            for t in range(3)
            for s in range(3)
        )
        value, error, drift = (a[i, j, 0, c, o] for a in (found.value, found.error, found.drift))
        off = abs(Fraction(value) - Fraction(drift) - exact)
        assert off <= Fraction(error)
        share = max(share, float(off / Fraction(error)) if error else 0)
        wide += bool(error > 2.0**-40)
    if dtype == "float32":
        assert (found.value == found.value.astype("f4")).all()
        assert found.drift.any()
        assert (
            0 < wide < found.value.size / 20
        )  # where float64 leaves open to which side float32 rounds
    else:
        assert share > NEAR / 2


def test_rounded_constants() -> None:
    """What U is off by when G is rounded and nothing else is, in fractions."""
    transform = transform_of(4)
    taps = drawn(generator(977), 1, 1, 1, 3, 3)
    G = [each.tile.algorithm.G for each in transform.axes[1:]]
    held = [[[Fraction(float(c)) for c in row] for row in matrix] for matrix in G]
    found = of_constants(transform, taps)
    assert found.any()
    for i, j in np.ndindex(6, 6):
        rounded, exact = (
            sum(a[i][t] * b[j][s] * Fraction(taps[0, 0, 0, t, s]) for t, s in np.ndindex(3, 3))
            for a, b in (held, G)
        )
        assert abs(float(rounded - exact) - found[0, 0, 0, i, j]) <= 1e-12 * abs(found).max()


def test_what_weights_are_off_by_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    transform = transform_of(4)
    rng = generator(976)
    x, w = drawn(rng, 1, 4, 16, 16), drawn(rng, 8, 4, 3, 3)
    right = transform_bound(transform, [x, w], "float32")

    def doubled(*arguments: Any) -> Weights:
        found = weights(*arguments)
        return Weights(found.value, found.error, found.value)

    monkeypatch.setattr("codegen.transforms.bound.weights", doubled)
    off = transform_bound(transform, [x, w], "float32")
    assert off.max() > 1e4 * right.max()  # all of the result, which it was not meant to be


def test_the_spacing_of_floats() -> None:
    numbers = np.array([0.0, 1.0, 1.5, 2.0, 0.3, np.inf])
    assert np.array_equal(spacing(numbers), [0, 1, 1, 2, 0.25, np.inf])
