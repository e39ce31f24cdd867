"""F(m, r): every small one against the definition, any points, and what is refused."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import pytest

from derive import GeometryError
from derive.derivations import fast
from derive.derivations.fast import minimal_filtering_of
from derive.winograd import POINTS, cook_toom, growth
from derive.winograd.bilinear import SCALINGS
from derive.winograd.rational import matrix
from tests.cases import generator

SMALL = [(m, r) for m in range(1, 9) for r in range(1, 8)]


def correlation(m: int, r: int) -> dict[tuple[int, int, int], int]:
    return {(y, t, y + t): 1 for y, t in product(range(m), range(r))}


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize(("m", "r"), SMALL)
def test_every_small_one(m: int, r: int, scaling: str) -> None:
    algorithm = cook_toom(m, r, scaling=scaling)
    assert algorithm.tensor == correlation(m, r)
    assert algorithm.shape == (m, r, m + r - 1)
    assert algorithm.products == m + r - 1
    for value in (value for row in (*algorithm.AT, *algorithm.BT) for value in row):
        assert value.denominator & (value.denominator - 1) == 0  # exact in binary floating point
        assert abs(value.numerator) < 2**24
        assert scaling == "unit" or value.denominator == 1


def test_random_points() -> None:
    rng = generator(0)
    for _ in range(60):
        m, r = (int(size) for size in rng.integers(1, 7, 2))
        numbers = {Fraction(int(a), int(b)) for a, b in rng.integers(1, 12, (40, 2)) * [[1, 1]]}
        signed = [p * int(rng.choice((-1, 1))) for p in sorted(numbers)]
        points = [signed[i] for i in rng.permutation(len(signed))][: m + r - 2]
        assert cook_toom(m, r, points).tensor == correlation(m, r)


def test_the_matrices_of_lavin_and_gray() -> None:
    """F(4, 3) at 0, 1, -1, 2, -2: their B^T, A^T and G but for signs of rows."""
    algorithm = cook_toom(4, 3, (0, 1, -1, 2, -2))
    assert algorithm.BT == (
        (4, 0, -5, 0, 1, 0),
        (0, -4, -4, 1, 1, 0),
        (0, 4, -4, -1, 1, 0),
        (0, -2, -1, 2, 1, 0),
        (0, 2, -1, -2, 1, 0),
        (0, 4, 0, -5, 0, 1),
    )
    assert algorithm.AT[3] == (0, 1, -1, 8, -8, 1)
    sixth = Fraction(1, 6)
    assert algorithm.G[1] == (-sixth, -sixth, -sixth)
    assert algorithm.G[3] == (sixth / 4, sixth / 2, sixth)


def test_the_first_points_are_each_the_best_next_one() -> None:
    """Among magnitudes of small numerators and denominators, for three taps."""
    magnitudes = {Fraction(a, b) for a, b in product((1, 2, 3, 4), (1, 2, 3, 4))}
    candidates = [sign * each for each in sorted(magnitudes) for sign in (1, -1)]
    for m in range(2, 7):
        chosen = POINTS[: m + 1]
        others = (p for p in candidates if p not in chosen[:-1])
        least = min(growth(cook_toom(m, 3, (*chosen[:-1], p))) for p in others)
        assert growth(cook_toom(m, 3)) == least


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 3), "m = 0: allowed is an int >= 1"),
        ((2, True), "r = True: allowed is an int >= 1"),
        ((9, 7), "m + r - 1 = 15: allowed is at most 14, or points = 14 distinct ones"),
        ((2, 3, (0, 1, 1)), "points = ['0', '1', '1']: allowed is 3 distinct ones"),
        ((2, 3, (0, 1)), "points = ['0', '1']: allowed is 3 distinct ones"),
        ((2, 3, (0, 1, 0.5)), "points = 0.5: allowed is ints and Fractions"),
        ((2, 3, None, "half"), "scaling = 'half': allowed is one of 'unit', 'integral'"),
    ],
)
def test_refused(arguments: tuple[object, ...], message: str) -> None:
    with pytest.raises(GeometryError) as refusal:
        cook_toom(*arguments)  # type: ignore[arg-type]
    assert str(refusal.value) == message


@pytest.mark.parametrize(("m", "r"), [(1, 1), (3, 2), (4, 3), (2, 5)])
def test_the_derivation_with_numbers(m: int, r: int) -> None:
    derived = minimal_filtering_of(m, r)
    assert len(derived.steps) == m + r - 1 + 2
    assert derived.title == f"F({m}, {r}) by {m + r - 1} products"


def test_a_wrong_formula_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    right = fast._derived_by_output()
    monkeypatch.setattr(fast, "_derived_by_output", lambda: 2 * right)
    with pytest.raises(AssertionError, match=r"output 0 of F\(1, 2\): derived is"):
        fast.cook_toom.__wrapped__()
    wrong = cook_toom(2, 2).before_output(matrix([[1, 0], [0, 2]]))
    monkeypatch.setattr(fast, "algorithm_of", lambda m, r: wrong)
    with pytest.raises(AssertionError, match=r"y\[1\] = .*: derived is"):
        minimal_filtering_of(2, 2)
