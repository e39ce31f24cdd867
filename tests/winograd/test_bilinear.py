"""The value itself: roles exchanged, factors composed, and what it refuses."""

from __future__ import annotations

from fractions import Fraction

import pytest

from derive.winograd import BilinearAlgorithm, cook_toom, direct
from derive.winograd.rational import matrix


@pytest.mark.parametrize("algorithm", [cook_toom(4, 3), cook_toom(2, 5), direct(3, 2)])
def test_exchanging_roles_permutes_the_tensor(algorithm: BilinearAlgorithm) -> None:
    entries = algorithm.tensor.items()
    adjoint, gradient = algorithm.transposed("input"), algorithm.transposed("taps")
    assert adjoint.tensor == {(x, t, y): value for (y, t, x), value in entries}
    assert gradient.tensor == {(t, y, x): value for (y, t, x), value in entries}
    assert adjoint.products == gradient.products == algorithm.products
    assert adjoint.transposed("input") == gradient.transposed("taps") == algorithm


def test_factors_compose() -> None:
    algorithm = cook_toom(2, 2)
    inputs, taps = matrix([[1, 1], [0, 1], [2, 0]]), matrix([[1, 0, 1], [0, 1, 3]])
    outputs = matrix([[1, 1], [0, 2], [5, 0]])
    composed = algorithm.after_input(inputs, 2).after_taps(taps, 3).before_output(outputs)
    wanted: dict[tuple[int, int, int], Fraction] = {}
    for (y, t, x), value in algorithm.tensor.items():
        for z in range(3):
            for s in range(3):
                for u in range(2):
                    entry = value * outputs[z][y] * taps[t][s] * inputs[x][u]
                    wanted[z, s, u] = wanted.get((z, s, u), Fraction(0)) + entry
    assert composed.tensor == {place: value for place, value in wanted.items() if value}
    assert composed.scaled("integral").tensor == composed.tensor


def test_products_without_effect_are_dropped() -> None:
    algorithm = cook_toom(2, 2)  # at 0, 1, infinity
    assert algorithm.before_output(matrix([[1, 0]])).products == 2
    assert algorithm.after_taps(matrix([[1], [0]]), 1).products == 2
    pairs = matrix([[1], [1], [1]])
    assert algorithm.after_input(pairs, 1).products == 1


def test_a_wrong_algorithm_is_found() -> None:
    wrong = cook_toom(2, 3)
    with pytest.raises(AssertionError, match=r"T\[1, 2, 3\] is 2, the algorithm has 1"):
        wrong.verify({**wrong.tensor, (1, 2, 3): Fraction(2)})
    with pytest.raises(AssertionError, match=r"T\[0, 0, 0\] is 0, the algorithm has 1"):
        wrong.verify({p: v for p, v in wrong.tensor.items() if p != (0, 0, 0)})


def test_shapes_must_fit() -> None:
    with pytest.raises(ValueError, match="AT 1 x 2, G 1 x 1, BT 1 x 1: allowed are"):
        BilinearAlgorithm(matrix([[1, 1]]), matrix([[1]]), matrix([[1]]), 1, 1)
    with pytest.raises(ValueError, match=r"shape \(2, 2, 3\) added to one of \(1, 1, 1\)"):
        direct(1, 1) + direct(2, 2)
