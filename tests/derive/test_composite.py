"""Chains of operators: their matrix is the product, their adjoint the chain reversed."""

from math import prod

import numpy as np
import pytest

import derive
from derive import Composite, LinearMap
from tests import cases, definition
from tests.cases import CONVOLUTIONS, generator, random_convolution, random_transposed

CHUNKS = range(6)
PER_CHUNK = range(20)


def random_chain(*seed: int) -> tuple[LinearMap, LinearMap]:
    """(outer, inner) whose shapes match: a random layer, and one that reads what it writes."""
    rng = generator(*seed)
    dimensions = int(rng.integers(1, 3))
    make = random_transposed if rng.random() < 0.4 else random_convolution
    inner: LinearMap = make(rng, dimensions)
    if rng.random() < 0.3:
        inner = inner.T
    channels, *sizes = inner.output_shape
    groups = int(rng.choice([g for g in (1, 2, 3) if channels % g == 0]))
    outer: LinearMap = CONVOLUTIONS[dimensions](
        channels,
        groups * int(rng.integers(1, 3)),
        int(rng.integers(1, 4)),
        stride=int(rng.integers(1, 3)),
        padding=3,
        dilation=int(rng.integers(1, 3)),
        groups=groups,
        bias=bool(rng.random() < 0.5),
        padding_mode=str(rng.choice(["zeros", "replicate"])),
        input_size=sizes,
    )
    if outer.output_shape == inner.input_shape and rng.random() < 0.5:
        outer = inner.T
    return outer, inner


def weights(rng: np.random.Generator, chain: Composite, least: int = -4) -> list[np.ndarray]:
    return [rng.integers(least, 5, size=shape) for shape in chain.weight_shape]


@pytest.mark.parametrize("chunk", CHUNKS)
def test_matrix_is_the_product(chunk: int) -> None:
    for case in PER_CHUNK:
        outer, inner = random_chain(90, chunk, case)
        chain = outer @ inner
        rng = generator(91, chunk, case)
        u, v = weights(rng, chain)
        product = outer.sparse(u, "int64").toarray() @ inner.sparse(v, "int64").toarray()
        assert chain.input_shape == inner.input_shape
        assert chain.output_shape == outer.output_shape
        assert (chain.sparse((u, v), "int64").toarray() == product).all(), chain
        assert (chain.T.sparse((v, u), "int64").toarray() == product.T).all(), chain
        lo, hi = sorted(int(row) for row in rng.integers(0, len(product) + 1, size=2))
        assert (chain.rows(lo, hi, (u, v), "int64").toarray() == product[lo:hi]).all(), chain
        operator = chain.linear_operator((u.astype(float), v.astype(float)))
        x, g = (cases.integers(rng, (n,), "float64") for n in product.shape[::-1])
        assert (operator.matvec(x) == product @ x).all(), chain
        assert (operator.rmatvec(g) == product.T @ g).all(), chain


@pytest.mark.parametrize("chunk", CHUNKS)
def test_nnz_is_predicted(chunk: int) -> None:
    for case in PER_CHUNK:
        outer, inner = random_chain(92, chunk, case)
        chain = outer @ inner
        matrix = chain.sparse(weights(generator(93, chunk, case), chain, least=1), "int64")
        assert chain.nnz == matrix.nnz == np.count_nonzero(matrix.toarray()), chain


@pytest.mark.parametrize("chunk", CHUNKS)
def test_apply_is_one_after_the_other(chunk: int) -> None:
    for case in PER_CHUNK:
        outer, inner = random_chain(94, chunk, case)
        chain = outer @ inner
        rng = generator(95, chunk, case)
        u, v = weights(rng, chain)
        biases = [None if s is None else rng.integers(-4, 5, size=s) for s in chain.bias_shape]
        x = cases.batch(rng, chain.input_shape)
        expected = outer.apply(inner.apply(x, v, biases[1]), u, biases[0])
        assert (chain.apply(x, (u, v), biases) == expected).all(), chain


@pytest.mark.parametrize("chunk", CHUNKS)
def test_axes_are_composed(chunk: int) -> None:
    """Overlap and receptive field count on the axes what the matrices multiply."""
    for case in PER_CHUNK:
        outer, inner = random_chain(96, chunk, case)
        chain = outer @ inner
        dense = [definition.of_axis(axis) for axis in chain.axes]
        counts = [np.count_nonzero(p, axis=(1, 2)) for p in dense]
        expected = np.array(1)
        for count in counts:
            expected = np.multiply.outer(expected, count)
        assert (chain.overlap() == expected).all()
        sizes = chain.output_shape[1:]
        for position in np.ndindex(*sizes):
            reads = [np.flatnonzero(p[y].any(axis=0)) for p, y in zip(dense, position, strict=True)]
            field = chain.receptive_field(position)
            assert len(field) == prod(len(r) for r in reads)
            assert set(field) == {
                tuple(int(x) for x in place)
                for place in np.stack(np.meshgrid(*reads, indexing="ij"), -1).reshape(
                    -1, len(sizes)
                )
            }


def test_symbols_are_counted_from_the_outermost() -> None:
    inner = derive.Conv1d(1, 1, 2, bias=False, input_size=3)
    outer = derive.Conv1d(1, 1, 2, bias=False, input_size=2)
    entries = [str(entry) for entry in (outer @ inner).matrix()]
    assert entries == [
        "w_0[0, 0, 0]*w_1[0, 0, 0]",
        "w_0[0, 0, 0]*w_1[0, 0, 1] + w_0[0, 0, 1]*w_1[0, 0, 0]",
        "w_0[0, 0, 1]*w_1[0, 0, 1]",
    ]
    assert (outer @ inner).matrix(([[[1, 2]]], [[[3, 5]]])).tolist() == [[3, 11, 10]]


def test_composition_is_associative() -> None:
    first = derive.Conv1d(1, 2, 3, padding=1, input_size=6)
    second = derive.ConvTranspose1d(2, 2, 2, stride=2, groups=2, input_size=6)
    third = derive.Conv1d(2, 1, 3, padding=2, padding_mode="reflect", input_size=12)
    left, right = (third @ second) @ first, third @ (second @ first)
    assert left == right
    assert hash(left) == hash(right)
    assert left.parts == right.parts == (third, second, first)
    assert left.matrix() == right.matrix()
    assert left.axes == right.axes
    assert left.nnz == right.nnz
    assert left.T.T.matrix() == left.matrix()


def test_groups_that_never_meet_are_not_counted() -> None:
    depthwise = derive.Conv1d(4, 4, 1, groups=4, input_size=3)
    pairs = derive.Conv1d(4, 4, 1, groups=2, input_size=3)
    assert (depthwise @ depthwise).nnz == 12
    assert (pairs @ depthwise).nnz == 24


def test_normal_operator_is_symmetric() -> None:
    op = derive.Conv2d(1, 2, 3, stride=2, padding=1, bias=False, input_size=4)
    weight = cases.integers(generator(97), op.weight_shape)
    normal = (op.T @ op).sparse((weight, weight), "int64").toarray()
    assert (normal == normal.T).all()
    assert op.T @ op == (op.T @ op).T
