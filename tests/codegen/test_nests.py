"""Affine places: what they print is what they are, in C and in Python."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from codegen.nests import Affine, Loop
from tests.cases import generator

VARIABLES = ("b", "g", "q0", "a1", "q")


def random_affine(seed: int) -> Affine:
    rng = generator(400, seed)
    coefficients = dict(zip(VARIABLES, map(int, rng.integers(-3, 4, len(VARIABLES))), strict=True))
    return Affine.of(int(rng.integers(-9, 10)), **coefficients)


def value(place: Affine, **variables: int) -> int:
    return place.constant + sum(c * variables[v] for v, c in place.terms)


@pytest.mark.parametrize("seed", range(50))
def test_text_evaluates_to_the_place(seed: int) -> None:
    place = random_affine(seed)
    variables = dict(zip(VARIABLES, (2, 3, 5, 7, 11), strict=True))
    assert eval(str(place), dict(variables)) == value(place, **variables)
    assert "+ -" not in str(place)


@pytest.mark.parametrize("seed", range(20))
def test_sums_and_parts(seed: int) -> None:
    one, other = random_affine(seed), random_affine(seed + 100)
    variables = dict(zip(VARIABLES, (13, 17, 19, 23, 29), strict=True))
    assert value(one + other, **variables) == value(one, **variables) + value(other, **variables)
    inside = one.within([Loop("g", 3), Loop("q", 2)])
    assert {variable for variable, _ in inside.terms} <= {"g", "q"}
    zeros = dict.fromkeys(VARIABLES, 0) | {"g": 13, "q": 17}
    assert value(inside, **zeros) == value(one, **zeros)


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (Affine.of(0), "0"),
        (Affine.of(7), "7"),
        (Affine.of(-7), "-7"),
        (Affine.of(0, q=1), "q"),
        (Affine.of(0, q=-1), "-1*q"),
        (Affine.of(2, q=1, i=0), "q + 2"),
        (Affine.of(-2, q=3, i=-4), "3*q - 4*i - 2"),
        (Affine.of(2**40, q=2**33), "8589934592*q + 1099511627776"),
    ],
)
def test_texts(place: Affine, text: str) -> None:
    assert str(place) == text


def test_places_do_not_change() -> None:
    place = Affine.of(1, q=2)
    with pytest.raises(FrozenInstanceError):
        place.constant = 2  # type: ignore[misc]
    assert place == Affine.of(1, q=2)
    assert hash(place) == hash(Affine.of(1, q=2))
