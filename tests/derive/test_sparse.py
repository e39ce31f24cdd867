"""Compressed rows: canonical, complete, and the same when a block is built alone."""

import numpy as np
import pytest
from scipy.sparse import csr_array

import derive
from tests import cases, definition
from tests.cases import generator, random_layer

CHUNKS = range(8)
PER_CHUNK = range(60)


def check_canonical(matrix: csr_array) -> None:
    """As SciPy finds it, not as the flags claim."""
    copy = csr_array((matrix.data, matrix.indices, matrix.indptr), shape=matrix.shape)
    copy.check_format(full_check=True)
    assert copy.has_canonical_format
    assert copy.has_sorted_indices
    assert matrix.has_canonical_format
    assert matrix.has_sorted_indices


@pytest.mark.parametrize("chunk", CHUNKS)
def test_entries_against_the_definition(chunk: int) -> None:
    for case in PER_CHUNK:
        rng = generator(70, chunk, case)
        layer = random_layer(rng)
        weight = cases.integers(rng, layer.weight_shape)
        expected = definition.matrix(layer, weight)
        for op, dense in ((layer, expected), (layer.T, expected.T)):
            matrix = op.sparse(weight, dtype="int64")
            assert matrix.dtype == np.int64
            assert matrix.shape == dense.shape
            assert (matrix.toarray() == dense).all(), op
            assert matrix.nnz == op.nnz
            check_canonical(matrix)


@pytest.mark.parametrize("chunk", CHUNKS)
def test_a_block_of_rows_is_that_block(chunk: int) -> None:
    for case in range(12):
        rng = generator(71, chunk, case)
        layer = random_layer(rng)
        op = layer if rng.random() < 0.5 else layer.T
        weight = cases.integers(rng, op.weight_shape)
        whole = op.sparse(weight, dtype="int64")
        n_rows = whole.shape[0]
        for _ in range(12):
            lo, hi = sorted(int(row) for row in rng.integers(0, n_rows + 1, size=2))
            block = op.rows(lo, hi, weight, dtype="int64")
            assert block.shape == (hi - lo, whole.shape[1])
            assert (block.toarray() == whole[lo:hi].toarray()).all(), (op, lo, hi)
            assert block.nnz == whole.indptr[hi] - whole.indptr[lo]
            check_canonical(block)


def test_every_block_of_a_small_volume() -> None:
    op = derive.Conv3d(2, 2, 2, padding=1, groups=2, input_size=(2, 1, 2), padding_mode="circular")
    weight = np.arange(16).reshape(op.weight_shape) + 1
    whole = op.sparse(weight).toarray()
    for lo in range(len(whole) + 1):
        for hi in range(lo, len(whole) + 1):
            assert (op.rows(lo, hi, weight).toarray() == whole[lo:hi]).all()


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "int32", "int64", "complex128"])
def test_dtypes(dtype: str) -> None:
    op = derive.Conv2d(1, 2, 3, padding=1, padding_mode="reflect", input_size=4)
    weight = np.arange(18).reshape(op.weight_shape) - 9
    matrix = op.sparse(weight, dtype=dtype)
    assert matrix.dtype == np.dtype(dtype)
    assert (matrix.toarray() == definition.matrix(op, weight)).all()


def test_float64_is_the_default() -> None:
    assert derive.Conv1d(1, 1, 2, input_size=3).sparse([[[1, 2]]]).dtype == np.float64


def test_zero_weights_keep_their_places() -> None:
    op = derive.Conv2d(2, 2, 3, padding=1, input_size=4)
    matrix = op.sparse(np.zeros(op.weight_shape))
    assert matrix.nnz == op.nnz > 0
    assert not matrix.data.any()


def test_taps_add_up_beyond_the_asked_integer() -> None:
    """Three taps of 2**62 on one input cancel to one that fits; int64 alone would wrap."""
    op = derive.Conv1d(1, 1, 3, padding=2, padding_mode="replicate", input_size=1)
    big = 2**62
    assert op.sparse([[[big, big, -big]]], dtype="int64").toarray().tolist() == [[big]] * 3
    with pytest.raises(derive.GeometryError, match="dtype = 'int64'"):
        op.sparse([[[big, big, 0]]], dtype="int64")


def test_indices_grow_to_64_bits_where_the_columns_need_them() -> None:
    op = derive.Conv2d(1, 1, 1, stride=2**16, input_size=2**17)
    matrix = op.sparse([[[[7]]]])
    assert matrix.indices.dtype == matrix.indptr.dtype == np.int64
    assert matrix.shape == (4, 2**34)
    assert matrix.indices.tolist() == [0, 2**16, 2**33, 2**33 + 2**16]
    small = derive.Conv1d(1, 1, 1, input_size=9).sparse([[[7]]])
    assert small.indices.dtype == small.indptr.dtype == np.int32


def test_rows_of_an_operator_that_fits_no_machine() -> None:
    op = derive.Conv2d(1, 1, 3, padding=1, input_size=2**20)
    assert op.nnz == (3 * 2**20 - 2) ** 2
    middle = 2**39 + 2**19
    block = op.rows(middle, middle + 2, np.arange(9).reshape(1, 1, 3, 3))
    assert block.nnz == 18
    assert block.data[:9].tolist() == list(range(9))
    lines = [middle + row * 2**20 + column for row in (-1, 0, 1) for column in (-1, 0, 1)]
    assert block.indices[:9].tolist() == lines


def test_no_rows() -> None:
    op = derive.Conv1d(1, 1, 2, input_size=3)
    assert op.rows(1, 1, [[[1, 2]]]).shape == (0, 3)
