"""The operator on arrays: the slow exact way and the matrix-free way for solvers."""

from fractions import Fraction

import numpy as np
import pytest

import derive
from tests import cases, definition
from tests.cases import generator, random_layer

CHUNKS = range(8)
PER_CHUNK = range(60)


def times(matrix: np.ndarray, x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """matrix @ x for x batched or not; ``shape`` is the one of a single output."""
    leading = x.shape[: x.ndim - len(shape)]
    flat = x.reshape(*leading, matrix.shape[1])
    return (flat @ matrix.T).reshape(*leading, *shape)


@pytest.mark.parametrize("chunk", CHUNKS)
def test_apply_against_the_definition(chunk: int) -> None:
    for case in PER_CHUNK:
        rng = generator(80, chunk, case)
        layer = random_layer(rng)
        weight = cases.integers(rng, layer.weight_shape)
        bias = cases.integers(rng, layer.bias_shape) if layer.bias_shape else None
        matrix = definition.matrix(layer, weight)
        x = cases.batch(rng, layer.input_shape)
        expected = times(matrix, x, layer.output_shape)
        if bias is not None:
            expected = expected + bias.reshape(-1, *(1,) * layer.dimensions)
        y = layer.apply(x, weight, bias)
        assert y.dtype == np.int64
        assert y.shape == expected.shape
        assert (y == expected).all(), layer
        g = cases.batch(rng, layer.output_shape)
        assert (layer.T.apply(g, weight) == times(matrix.T, g, layer.input_shape)).all(), layer


@pytest.mark.parametrize("chunk", CHUNKS)
def test_linear_operator_against_the_definition(chunk: int) -> None:
    for case in PER_CHUNK:
        rng = generator(81, chunk, case)
        layer = random_layer(rng)
        weight = cases.integers(rng, layer.weight_shape, "float64")
        matrix = definition.matrix(layer, weight)
        for op, dense in ((layer, matrix), (layer.T, matrix.T)):
            operator = op.linear_operator(weight)
            x = cases.integers(rng, (dense.shape[1],), "float64")
            g = cases.integers(rng, (dense.shape[0],), "float64")
            assert operator.shape == dense.shape
            assert operator.dtype == np.float64
            assert (operator.matvec(x) == dense @ x).all(), op
            assert (operator.rmatvec(g) == dense.T @ g).all(), op
            assert (operator.T @ g == dense.T @ g).all(), op


def test_linear_operator_of_many_columns() -> None:
    op = derive.Conv2d(2, 4, 3, stride=2, padding=1, groups=2, input_size=5)
    rng = generator(82)
    weight = cases.integers(rng, op.weight_shape, "float64")
    x = cases.integers(rng, (50, 3), "float64")
    assert (op.linear_operator(weight) @ x == definition.matrix(op, weight) @ x).all()


def test_rmatvec_conjugates_complex_weights() -> None:
    """SciPy's rmatvec is the conjugate transpose."""
    op = derive.Conv1d(1, 1, 2, input_size=4)
    weight = np.array([[[1 + 2j, 3 - 1j]]])
    operator, matrix = op.linear_operator(weight), op.sparse(weight, "complex128").toarray()
    g = np.array([1, 2j, 3])
    assert (operator.rmatvec(g) == matrix.conj().T @ g).all()
    assert (operator.H @ g == matrix.conj().T @ g).all()


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int16"])
def test_linear_operator_widens_small_integers(dtype: str) -> None:
    op = derive.Conv1d(1, 1, 3, input_size=5)
    weight = np.full(op.weight_shape, 100).astype(dtype)
    x = np.full(5, 100).astype(dtype)
    expected = 3 * int(weight[0, 0, 0]) * int(x[0])
    assert op.linear_operator(weight).matvec(x).tolist() == [expected] * 3


@pytest.mark.parametrize(
    ("x", "weight", "result"),
    [
        ("int8", "int8", "int64"),
        ("uint8", "uint8", "int64"),
        ("bool", "bool", "int64"),
        ("int32", "int64", "int64"),
        ("uint64", "uint64", "uint64"),
        ("uint64", "int64", "int64"),
        ("int64", "float32", "float64"),
        ("float32", "float32", "float32"),
        ("float64", "int8", "float64"),
        ("complex64", "float32", "complex64"),
        ("object", "int64", "object"),
    ],
)
def test_dtype_of_the_result(x: str, weight: str, result: str) -> None:
    op = derive.Conv1d(1, 1, 3, input_size=5)
    y = op.apply(np.ones((1, 5), x), np.ones((1, 1, 3), weight), bias=np.ones(1, weight))
    assert y.dtype == np.dtype(result)
    assert (y == 4).all()


def test_integers_beyond_double_precision_stay_exact() -> None:
    op = derive.Conv1d(1, 1, 2, bias=False, input_size=2)
    x = np.array([[2**62, 1]], dtype=np.uint64)
    assert op.apply(x, [[[1, 1]]]).tolist() == [[2**62 + 1]]


def test_fractions_stay_exact() -> None:
    op = derive.Conv1d(1, 1, 2, bias=False, input_size=2)
    weight = np.array([[[Fraction(1, 3), Fraction(1, 7)]]])
    assert op.apply([[1, 2]], weight).tolist() == [[Fraction(13, 21)]]


def test_python_integers_of_any_size() -> None:
    op = derive.Conv1d(1, 1, 2, bias=False, input_size=2)
    x = np.array([[10**40, 1]], dtype=object)
    assert op.apply(x, [[[1, 1]]]).tolist() == [[10**40 + 1]]


def test_integers_that_would_overflow_are_refused() -> None:
    op = derive.Conv1d(1, 1, 2, bias=False, input_size=2)
    with pytest.raises(derive.GeometryError, match=f"reaches {2**63}, beyond int64"):
        op.apply([[2**62, 2**62]], [[[1, 1]]])
    assert op.apply([[2**62, 2**62 - 1]], [[[1, 1]]]).tolist() == [[2**63 - 1]]


def test_extra_outputs_of_output_padding_have_their_taps_and_bias() -> None:
    """What torch computes there: real taps where there are any, and always the bias."""
    op = derive.ConvTranspose1d(1, 1, 1, stride=3, output_padding=2, input_size=2)
    y = op.apply([[1, 1]], [[[1]]], bias=[7])
    assert y.tolist() == [[8, 7, 7, 8, 7, 7]]


@pytest.mark.parametrize("layout", ["reversed", "strided", "fortran", "broadcast"])
def test_any_memory_layout(layout: str) -> None:
    op = derive.Conv2d(2, 2, 3, bias=False, input_size=(4, 5))
    rng = generator(83)
    weight = cases.integers(rng, op.weight_shape)
    x = {
        "reversed": cases.integers(rng, (3, 2, 4, 5))[:, ::-1, ::-1],
        "strided": cases.integers(rng, (3, 2, 8, 10))[:, :, ::2, 1::2],
        "fortran": np.asfortranarray(cases.integers(rng, (3, 2, 4, 5))),
        "broadcast": np.broadcast_to(cases.integers(rng, (1, 1, 4, 5)), (3, 2, 4, 5)),
    }[layout]
    assert (op.apply(x, weight) == op.apply(x.copy(), weight)).all()
