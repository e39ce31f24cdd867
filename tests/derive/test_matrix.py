"""The symbolic matrix: the classic one, exact numbers, and symbols that tell every tap."""

from fractions import Fraction

import numpy as np
import pytest
import sympy

import derive
from tests import cases, definition
from tests.cases import generator, random_layer


def entry(matrix: sympy.ImmutableSparseMatrix, row: int, column: int) -> str:
    return str(matrix[row, column])


def test_the_classic_matrix() -> None:
    """A 3x3 kernel on 4x4: four rows, each the kernel laid out over the image."""
    op = derive.Conv2d(1, 1, 3, input_size=(4, 4))
    matrix = op.matrix()
    assert matrix.shape == (4, 16)
    w = sympy.IndexedBase("w")
    for y, x in np.ndindex(2, 2):
        for i, j in np.ndindex(4, 4):
            p, q = i - y, j - x
            expected = w[0, 0, p, q] if 0 <= p < 3 and 0 <= q < 3 else 0
            assert matrix[2 * y + x, 4 * i + j] == expected
    assert op.T.matrix() == matrix.T
    assert op.T.matrix().shape == (16, 4)


@pytest.mark.parametrize("chunk", range(8))
def test_numbers_against_the_definition(chunk: int) -> None:
    done = 0
    for case in range(60):
        rng = generator(60, chunk, case)
        layer = random_layer(rng)
        if layer.nnz > 300:
            continue
        done += 1
        weight = cases.integers(rng, layer.weight_shape)
        expected = definition.matrix(layer, weight)
        assert (np.array(layer.matrix(weight).tolist()) == expected).all(), layer
        assert (np.array(layer.T.matrix(weight).tolist()) == expected.T).all(), layer
    assert done > 30


@pytest.mark.parametrize("chunk", range(4))
def test_symbols_against_the_definition(chunk: int) -> None:
    """Unit weights, one after the other, are the coefficients of the symbols."""
    for case in range(30):
        layer = random_layer(generator(61, chunk, case), 1)
        if layer.nnz > 60:
            continue
        matrix = layer.matrix(name="v")
        symbols = sympy.IndexedBase("v")
        expected = sympy.zeros(*matrix.shape)
        for index in np.ndindex(*layer.weight_shape):
            unit = np.zeros(layer.weight_shape, dtype=np.int64)
            unit[index] = 1
            expected += symbols[index] * sympy.Matrix(definition.matrix(layer, unit))
        assert matrix == sympy.ImmutableSparseMatrix(expected), layer
        assert layer.T.matrix(name="v") == matrix.T


def test_fractions_stay_exact() -> None:
    op = derive.Conv1d(1, 1, 2, input_size=3)
    matrix = op.matrix([[[Fraction(1, 3), sympy.Rational(-2, 7)]]])
    third, other = sympy.Rational(1, 3), sympy.Rational(-2, 7)
    assert matrix == sympy.Matrix([[third, other, 0], [0, third, other]])


def test_repeated_reads_add_up() -> None:
    op = derive.Conv1d(1, 1, 3, padding=1, padding_mode="replicate", input_size=2)
    assert entry(op.matrix(), 0, 0) == "w[0, 0, 0] + w[0, 0, 1]"
    assert entry(op.matrix(), 1, 1) == "w[0, 0, 1] + w[0, 0, 2]"


def test_opposite_weights_cancel_in_value_only() -> None:
    op = derive.Conv1d(1, 1, 3, padding=1, padding_mode="replicate", input_size=2)
    weight = [[[1, -1, 5]]]
    assert op.matrix(weight) == sympy.Matrix([[0, 5], [1, 4]])
    assert op.nnz == op.sparse(weight, dtype="int64").nnz == 4


def test_symbolic_weights_may_be_expressions() -> None:
    a, b = sympy.symbols("a b")
    matrix = derive.Conv1d(1, 1, 2, input_size=2).matrix([[[a + 1, a * b]]])
    assert matrix == sympy.Matrix([[a + 1, a * b]])


def test_the_adjoint_of_reflect_padding_is_no_transposed_convolution() -> None:
    op = derive.Conv1d(1, 1, 3, padding=1, padding_mode="reflect", bias=False, input_size=4)
    zeros = derive.ConvTranspose1d(1, 1, 3, padding=1, bias=False, input_size=4)
    assert op.T.matrix() == op.matrix().T
    assert op.T.matrix() != zeros.matrix()
