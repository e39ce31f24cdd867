"""Error growth: exact numbers, what they depend on, and float32 held under the bound.

The bound is that of derive.winograd.growth. It must hold for all data; to see how tight it is,
inputs and taps are given the signs that make one product as large as its bound.
"""

from __future__ import annotations

from fractions import Fraction
from functools import reduce
from itertools import permutations

import numpy as np
import pytest
from numpy.typing import NDArray

import derive
from derive.operator import Operator
from derive.winograd import (
    POINTS,
    BilinearAlgorithm,
    amplification,
    cook_toom,
    fast_tile,
    growth,
    transform_roundings,
)
from tests.cases import generator

SIZES = [(2, 3), (4, 3), (6, 3), (3, 2), (4, 4), (6, 5)]
UNIT = 2.0**-24  # the unit roundoff of float32


def test_growth_of_three_taps() -> None:
    found = [growth(cook_toom(m, 3)) for m in range(1, 9)]
    assert [round(float(value), 1) for value in found] == [
        2.3,
        2.7,
        8.1,
        9.9,
        21.8,
        22.6,
        91.0,
        99.5,
    ]
    assert found[1] == Fraction(8, 3)
    in_order = cook_toom(4, 3, (0, 1, -1, 2, -2))
    assert growth(in_order) == 16  # the points of Lavin and Gray
    assert growth(in_order) > growth(cook_toom(4, 3))


def test_scaling_does_not_change_it() -> None:
    for m, r in SIZES:
        unit, integral = cook_toom(m, r), cook_toom(m, r, scaling="integral")
        assert amplification(unit) == amplification(integral)


def test_no_order_of_the_chosen_points_matters() -> None:
    values = {growth(cook_toom(3, 3, points)) for points in permutations(POINTS[:4])}
    assert len(values) == 1


def test_roundings_are_counted() -> None:
    counted = transform_roundings(cook_toom(4, 3, (0, 1, -1, 2, -2)))
    # -5 rounds once and there are 3 terms; 1/24 is rounded, multiplied, and there are 3 terms
    assert (counted.inputs, counted.taps, counted.outputs, counted.count) == (3, 4, 4, 11)


def test_two_axes_multiply() -> None:
    op = derive.Conv2d(1, 1, 3, padding=1, input_size=(9, 9))
    assert isinstance(op, Operator)
    both = fast_tile(op, (2, 4))
    assert both.growth == growth(cook_toom(2, 3)) * growth(cook_toom(4, 3))
    assert fast_tile(op, (None, 2)).growth == Fraction(8, 3)


def floats(rows: object, dtype: str = "float64") -> NDArray[np.floating]:
    return np.array(rows, dtype=object).astype(dtype)


def along(matrix: NDArray[np.floating], x: NDArray[np.floating]) -> NDArray[np.floating]:
    """The matrix applied along every axis but the first, in the arithmetic of the data."""
    for axis in range(1, x.ndim):
        x = np.moveaxis(np.tensordot(matrix, x, axes=(1, axis)), 0, axis)
    return x


def aligned(rows: NDArray[np.floating], chosen: NDArray[np.integer], values: NDArray[np.integer]):
    """The values with the signs of the product of the chosen rows."""
    signs = reduce(np.multiply.outer, (rows[p] for p in chosen))
    return np.where(signs < 0, -values, values)


def seen_and_bound(
    algorithm: BilinearAlgorithm, axes: int, channels: int, align: bool, seed: int
) -> tuple[float, float]:
    """Error and bound where they are closest, of one tile in float32."""
    rng = generator(seed)
    _, r, n = algorithm.shape
    AT, G, BT = (floats(rows) for rows in (algorithm.AT, algorithm.G, algorithm.BT))
    x = rng.integers(2**12, 2**13, (channels,) + (n,) * axes)
    g = rng.integers(2**12, 2**13, (channels,) + (r,) * axes)
    share = abs(AT).max(axis=0) * abs(G).sum(axis=1) * abs(BT).sum(axis=1)
    chosen = rng.choice(len(share), p=share / share.sum(), size=axes)
    if align:
        x, g = aligned(BT, chosen, x), aligned(G, chosen, g)
    else:
        x, g = x - 6000, g * rng.choice((-1, 1), g.shape)
    A, U, V = (m.astype("float32") for m in (AT, G, BT))
    products = along(U, g.astype("float32")) * along(V, x.astype("float32"))
    y = along(A, reduce(np.add, products)[None])[0]
    assert y.dtype == np.float32
    exact = sum(_direct(x[c], g[c], algorithm.n_out) for c in range(channels))
    magnitude = (along(abs(G), abs(g)) * along(abs(BT), abs(x))).sum(axis=0)
    rounds = axes * transform_roundings(algorithm).count + channels
    bound = rounds * UNIT / (1 - rounds * UNIT) * along(abs(AT), magnitude[None])[0]
    error = abs(y.astype("float64") - exact)
    closest = np.argmax(error / bound)
    return float(error.flat[closest]), float(bound.flat[closest])


def _direct(x: NDArray[np.integer], g: NDArray[np.integer], m: int) -> NDArray[np.integer]:
    windows = np.lib.stride_tricks.sliding_window_view(x, g.shape)
    return (windows * g).sum(axis=tuple(range(x.ndim, 2 * x.ndim)))


@pytest.mark.parametrize("channels", [1, 8])
@pytest.mark.parametrize(("axes", "looseness"), [(1, 50), (2, 150)])
@pytest.mark.parametrize(("m", "r"), SIZES)
def test_float32_stays_under_the_bound(
    m: int, r: int, axes: int, looseness: int, channels: int
) -> None:
    algorithm = cook_toom(m, r)
    tightest = 0.0
    for seed in range(60):
        error, bound = seen_and_bound(algorithm, axes, channels, seed % 2 == 0, seed)
        assert error <= bound
        tightest = max(tightest, error / bound)
    assert tightest * looseness >= 1
