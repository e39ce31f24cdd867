"""The equation of an axis against a search for its solutions."""

import pytest
import sympy

from derive.core.relation import Relation
from derive.core.sizes import T, X, Y
from derive.core.statements import related
from tests.cases import generator
from tests.derive.axes import random_relation


def triples(relation: Relation) -> set[tuple[int, int, int]]:
    box = range(-12, 13)
    return {
        (y, t, x)
        for y in box
        for t in range(-3, 4)
        for x in box
        if relation.up * x == relation.stride * y + relation.dilation * t - relation.pad
    }


@pytest.mark.parametrize("seed", range(20))
def test_source_is_the_only_solution(seed: int) -> None:
    relation = random_relation(generator(1, seed))
    found = triples(relation)
    for y in range(-12, 13):
        for t in range(-3, 4):
            x = relation.source(y, t)
            if x is None:
                assert not any((a, b) == (y, t) for a, b, _ in found)
            elif -12 <= x <= 12:
                assert [c for a, b, c in found if (a, b) == (y, t)] == [x]


@pytest.mark.parametrize("seed", range(20))
def test_adjoint_exchanges_y_and_x(seed: int) -> None:
    relation = random_relation(generator(2, seed))
    assert triples(relation.adjoint()) == {(x, t, y) for y, t, x in triples(relation)}
    assert relation.adjoint().adjoint() == relation


@pytest.mark.parametrize("seed", range(20))
def test_printed_equation_is_the_equation(seed: int) -> None:
    relation = random_relation(generator(3, seed))
    left, right = related(relation).args
    meant = relation.up * X - relation.stride * Y - relation.dilation * T + relation.pad
    assert sympy.expand(left - right) in (meant, -meant)  # solved for x, or for y


def test_a_convolution_reads_stride_apart() -> None:
    relation = Relation(stride=2, dilation=3, pad=1)
    assert [relation.source(y, 0) for y in range(3)] == [-1, 1, 3]
    assert [relation.source(0, t) for t in range(3)] == [-1, 2, 5]


def test_a_transposed_convolution_reads_between_positions() -> None:
    relation = Relation(stride=2).adjoint()
    assert [relation.source(y, 0) for y in range(4)] == [0, None, 1, None]
