"""Strands against the dense tensor P[y, t, x]: made, exchanged, composed."""

from collections import Counter
from fractions import Fraction

import numpy as np
import pytest

from derive.core.axis import Axis, disjoint
from derive.core.polyphase import Strand
from derive.core.relation import Relation
from tests import definition
from tests.cases import generator
from tests.derive.axes import axes_of_every_kind, random_axis, random_composition, random_relation

CHUNKS = range(8)
PER_CHUNK = range(60)


def rational_axis(seed: int) -> Axis:
    """Overlapping strands with rational coefficients, as an interpolation has them."""
    rng = generator(10, seed)
    step, advance = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    strands = [
        Strand(
            int(rng.integers(4)),
            int(rng.integers(2)),
            int(rng.integers(4)),
            int(rng.integers(1, 4)),
            Fraction(int(rng.integers(-3, 4)), int(rng.integers(1, 4))),
        )
        for _ in range(int(rng.integers(1, 9)))
    ]
    return Axis(13, 13, 2, step, advance, disjoint(strands, step, advance))


@pytest.mark.parametrize("chunk", CHUNKS)
def test_strands_are_the_relation(chunk: int) -> None:
    for case in PER_CHUNK:
        rng = generator(11, chunk, case)
        relation = random_relation(rng)
        n_in, n_out, n_tap = (int(n) for n in rng.integers((1, 1, 1), (14, 14, 6)))
        axis = Axis.of(relation, n_in=n_in, n_out=n_out, n_tap=n_tap)
        expected = definition.of_relation(relation, n_in=n_in, n_out=n_out, n_tap=n_tap)
        assert (definition.of_axis(axis) == expected).all(), relation


@pytest.mark.parametrize("chunk", CHUNKS)
def test_strands_are_canonical(chunk: int) -> None:
    for case in PER_CHUNK:
        for axis in axes_of_every_kind(generator(12, chunk, case)):
            assert list(axis.strands) == sorted(axis.strands)
            assert all(strand.count > 0 and strand.coefficient for strand in axis.strands)
            assert max(Counter(entry[:3] for entry in axis.entries()).values(), default=1) == 1
            assert disjoint(axis.strands, axis.step, axis.advance) == axis.strands


@pytest.mark.parametrize("chunk", CHUNKS)
def test_row_nnz_and_triples_count_the_tensor(chunk: int) -> None:
    for case in PER_CHUNK:
        for axis in axes_of_every_kind(generator(13, chunk, case)):
            dense = definition.of_axis(axis)
            for y in range(axis.n_out):
                taps, xs = np.nonzero(dense[y])
                row = sorted((x, t, dense[y, t, x]) for t, x in zip(taps, xs, strict=True))
                assert list(axis.row(y)) == row
            assert axis.triples == np.count_nonzero(dense)
            assert axis.nnz == np.count_nonzero(dense.astype(bool).any(axis=1))


@pytest.mark.parametrize("chunk", CHUNKS)
def test_adjoint_exchanges_y_and_x(chunk: int) -> None:
    for case in PER_CHUNK:
        for axis in axes_of_every_kind(generator(14, chunk, case)):
            adjoint = axis.adjoint()
            assert (
                definition.of_axis(adjoint) == definition.of_axis(axis).transpose(2, 1, 0)
            ).all()
            assert adjoint.adjoint() == axis


@pytest.mark.parametrize("seed", range(100))
def test_adjoint_axis_is_the_axis_of_the_adjoint_relation(seed: int) -> None:
    relation = random_relation(generator(15, seed))
    axis = Axis.of(relation, n_in=9, n_out=11, n_tap=3)
    assert axis.adjoint() == Axis.of(relation.adjoint(), n_in=11, n_out=9, n_tap=3)


def contracted(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """The middle position summed over; the two taps become one, the outer one leading."""
    middle = np.tensordot(outer, inner, axes=([2], [0]))
    return middle.reshape(len(outer), -1, inner.shape[2])


@pytest.mark.parametrize("chunk", CHUNKS)
def test_after_contracts_the_middle_position(chunk: int) -> None:
    for case in PER_CHUNK:
        outer, inner = random_composition(generator(16, chunk, case))
        composed = outer.after(inner)
        expected = contracted(definition.of_axis(outer), definition.of_axis(inner))
        assert (definition.of_axis(composed) == expected).all(), (outer, inner)


@pytest.mark.parametrize("seed", range(100))
def test_rational_coefficients_add_up(seed: int) -> None:
    outer, inner = rational_axis(seed), rational_axis(1000 + seed)
    expected = contracted(definition.of_axis(outer), definition.of_axis(inner))
    assert (definition.of_axis(outer.after(inner)) == expected).all()
    assert (
        definition.of_axis(inner.adjoint()) == definition.of_axis(inner).transpose(2, 1, 0)
    ).all()


@pytest.mark.parametrize("seed", range(100))
def test_after_is_associative(seed: int) -> None:
    rng = generator(17, seed)
    first = random_axis(rng)
    second = random_axis(rng, n_in=first.n_out)
    third = random_axis(rng, n_in=second.n_out)
    assert third.after(second).after(first) == third.after(second.after(first))


@pytest.mark.parametrize("seed", range(100))
def test_adjoint_of_a_composition_composes_in_the_opposite_order(seed: int) -> None:
    outer, inner = random_composition(generator(18, seed))
    adjoint = definition.of_axis(outer.after(inner).adjoint())
    opposite = definition.of_axis(inner.adjoint().after(outer.adjoint()))
    taps = opposite.reshape(len(opposite), inner.n_tap, outer.n_tap, -1).swapaxes(1, 2)
    assert (adjoint == taps.reshape(adjoint.shape)).all()


def test_opposite_strands_cancel() -> None:
    line = Strand(0, 0, 0, 5, Fraction(1, 2))
    minus = Strand(1, 0, 1, 3, Fraction(-1, 2))
    assert disjoint([line, minus], 1, 1) == (
        Strand(0, 0, 0, 1, Fraction(1, 2)),
        Strand(4, 0, 4, 1, Fraction(1, 2)),
    )


def test_touching_strands_join() -> None:
    halves = [Strand(0, 0, 0, 2, Fraction(1)), Strand(4, 0, 6, 3, Fraction(1))]
    assert disjoint(halves, 2, 3) == (Strand(0, 0, 0, 5, Fraction(1)),)


def test_work_does_not_grow_with_the_size() -> None:
    relation = Relation(up=3, stride=2, dilation=2, pad=4)
    short, long = (Axis.of(relation, n_in=n, n_out=n, n_tap=5) for n in (100, 10**12))
    assert len(long.strands) == len(short.strands)
    assert len(long.after(long).strands) == len(short.after(short).strands)
    assert long.adjoint().adjoint() == long
