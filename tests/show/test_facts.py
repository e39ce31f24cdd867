from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

import derive
from derive.show.facts import multiply_adds, overlap_counts, overlap_words, size_formula
from derive.show.record import LARGEST_MATRIX, record
from tests.cases import generator, random_layer
from tests.show import reading


@pytest.mark.parametrize("seed", range(80))
def test_overlap_is_counted_as_it_is_built(seed: int) -> None:
    op = random_layer(generator(64, seed))
    for each in (op, op.T, op.T @ op):
        counted = Counter(map(int, each.overlap().ravel()))
        assert overlap_counts(each.axes) == dict(sorted(counted.items()))


def test_dead_outputs_and_inputs_that_nothing_reads() -> None:
    dead = derive.ConvTranspose2d(1, 1, 1, stride=2, input_size=3)
    assert overlap_words(dead) == ["0 taps at 16 outputs", "1 tap at 9 outputs"]
    assert overlap_words(dead.T) == ["1 tap at 9 outputs", "16 of 25 inputs are never read"]


def test_multiply_adds_of_a_chain_are_those_of_its_parts() -> None:
    op = derive.Conv1d(2, 3, 3, padding=1, input_size=5)
    assert multiply_adds(op) == (op.macs, op.naive_macs) == (6 * 13, 6 * 15)
    assert multiply_adds(op.T @ op) == (2 * op.macs, op.naive_macs + op.T.naive_macs)


@pytest.mark.parametrize("seed", range(80))
def test_formulas_give_the_sizes(seed: int) -> None:
    op = random_layer(generator(65, seed))
    for each in (op, op.T):
        for axis, (n, m) in enumerate(zip(each.input_size, each.output_size, strict=True)):
            derivation = each.size_derivation(axis)
            assert (str(derivation.formula.lhs), derivation.formula.rhs) == ("n_out", m)
            assert derivation.conditions == ()
            (free,) = size_formula(each, axis).rhs.free_symbols
            assert size_formula(each, axis).rhs.subs(free, n) == m


def test_formulas_give_the_sizes_of_chains_and_resizes() -> None:
    for op in reading.FUSED:
        for axis, m in enumerate(op.output_size):
            assert op.size_derivation(axis).formula.rhs == m
    adjoint = reading.PADDED.T
    steps = [str(step) for step in adjoint.size_derivation(0).steps]
    assert steps == [
        "output size of the adjoint of a convolution: n_1 = 2*n_in + o + 1",
        "output size of the adjoint of a convolution: n_out = n_1 + o_1 - 1",
        "so in general: n_out = 2*n_in + o + o_1",
    ]
    assert adjoint.rules[0].equation == "y = 2*x + t, then y = x + t - 2"
    assert repr(adjoint) == f"({reading.PADDED!r}).T"


@pytest.mark.parametrize("seed", range(20))
def test_a_record_holds_the_matrix(seed: int) -> None:
    op = random_layer(generator(66, seed))
    for each in (op, op.T):
        found, matrix = record(each), each.matrix()
        assert found["repr"] == repr(each)
        assert found["nnz"] == len(found["matrix"]) == each.nnz
        assert all(str(matrix[row, column]) == entry for row, column, entry in found["matrix"])
        assert found["matrix"] == sorted(found["matrix"], key=lambda entry: entry[:2])
        assert sum(taps * n for taps, n in found["overlap"]) == np.sum(each.overlap())


def test_a_record_leaves_out_what_is_large_or_free() -> None:
    large = record(derive.Conv1d(1, 1, 1, input_size=LARGEST_MATRIX + 1))
    assert (large["nnz"], large["matrix"]) == (LARGEST_MATRIX + 1, None)
    assert record(derive.Conv1d(1, 1, 1, input_size=LARGEST_MATRIX))["matrix"] is not None
    free = record(derive.Conv2d(1, 1, 3, stride=(1, 2)))
    assert free["matrix"] is free["input_shape"] is free["nnz"] is free["overlap"] is None
    assert free["size_formulas"] == ["n_out = n_in - 2", "n_out = floor((n_in - 1)/2)"]
    assert free["relations"] == ["x = y + t", "x = 2*y + t"]
