"""What an operator says of itself: overlap, receptive field, names, and free sizes."""

from math import gcd

import numpy as np
import pytest

import derive
from tests import cases, definition
from tests.cases import generator, random_layer

CHUNKS = range(5)
PER_CHUNK = range(30)


@pytest.mark.parametrize("chunk", CHUNKS)
def test_overlap_counts_the_taps_of_each_output(chunk: int) -> None:
    for case in PER_CHUNK:
        layer = random_layer(generator(140, chunk, case))
        single = type(layer)(
            1, 1, **{k: v for k, v in layer.parameters.items() if k not in CHANNELS}
        )
        ones = np.ones(single.weight_shape, dtype=np.int64)
        matrix = definition.matrix(single, ones)
        assert layer.overlap().shape == layer.output_size
        assert (layer.overlap().ravel() == matrix.sum(axis=1)).all(), layer
        assert (layer.T.overlap().ravel() == matrix.sum(axis=0)).all(), layer


CHANNELS = ("in_channels", "out_channels", "groups")


@pytest.mark.parametrize("chunk", CHUNKS)
def test_receptive_field_is_what_the_matrix_reads(chunk: int) -> None:
    for case in PER_CHUNK:
        layer = random_layer(generator(141, chunk, case))
        single = type(layer)(
            1, 1, **{k: v for k, v in layer.parameters.items() if k not in CHANNELS}
        )
        ones = np.ones(single.weight_shape, dtype=np.int64)
        matrix = definition.matrix(single, ones)
        for op, rows in ((layer, matrix), (layer.T, matrix.T)):
            for row, position in enumerate(np.ndindex(*op.output_size)):
                reads = np.unravel_index(np.flatnonzero(rows[row]), op.input_size)
                expected = tuple(zip(*(x.tolist() for x in reads), strict=True))
                assert op.receptive_field(position) == expected, (op, position)


@pytest.mark.parametrize(
    "position", [1, (1,), [1], np.int64(1), np.array([1])], ids=lambda p: type(p).__name__
)
def test_receptive_field_of_any_spelling(position: object) -> None:
    assert derive.Conv1d(1, 1, 2, input_size=3).receptive_field(position) == ((1,), (2,))


@pytest.mark.parametrize("kernel", range(1, 7))
@pytest.mark.parametrize("stride", range(1, 5))
@pytest.mark.parametrize("dilation", range(1, 4))
def test_checkerboards_are_where_the_rule_says(kernel: int, stride: int, dilation: int) -> None:
    """Uniform inside exactly when gcd(stride, dilation) = 1 and stride divides the kernel."""
    op = derive.ConvTranspose1d(1, 1, kernel, stride=stride, dilation=dilation, input_size=40)
    border = dilation * (kernel - 1)
    inside = op.overlap()[border : op.output_size[0] - border]
    uniform = len(set(inside.tolist())) == 1
    assert uniform == (gcd(stride, dilation) == 1 and kernel % stride == 0)
    assert (0 in inside) == (gcd(stride, dilation) > 1 or kernel < stride)


def test_names() -> None:
    op = derive.Conv2d(3, 6, (3, 1), stride=2, groups=3, input_size=8)
    assert repr(op) == "Conv2d(3, 6, (3, 1), stride=2, groups=3, input_size=8)"
    assert repr(op.T) == f"{op!r}.T"
    assert repr(op.T @ op) == f"{op!r}.T @ {op!r}"


def test_operators_are_equal_by_what_they_are() -> None:
    one, same, other = (derive.Conv1d(1, 1, k, input_size=5) for k in (3, 3, 2))
    assert one == same
    assert hash(one) == hash(same)
    assert one != other
    assert one != one.T
    assert one != "Conv1d(1, 1, 3, input_size=5)"
    assert len({one, same, other, one.T, same.T}) == 3


def test_a_free_size_knows_its_weight_and_nothing_of_positions() -> None:
    op = derive.Conv2d(2, 4, 3)
    assert op.weight_shape == (4, 2, 3, 3)
    assert op.bias_shape == (4,)
    assert op.T.weight_shape == (4, 2, 3, 3)
    assert (op.input_size, op.output_size, op.T.input_size) == (None, None, None)
    assert op.size_derivation().formula == op.at(4).size_derivation().formula
    for ask in ("nnz", "input_shape", "output_shape", "axes", "form", "macs"):
        with pytest.raises(derive.GeometryError, match="input_size = None"):
            getattr(op, ask)


def test_weight_is_shared_by_an_operator_and_its_adjoint() -> None:
    rng = generator(142)
    op = derive.Conv2d(4, 6, (2, 3), groups=2, bias=False, input_size=5)
    weight = cases.integers(rng, op.weight_shape)
    assert (op.T.sparse(weight).toarray() == op.sparse(weight).toarray().T).all()
