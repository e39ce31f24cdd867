"""The trilinear form: its shapes, and its counts before anything is built."""

import numpy as np
import pytest

from derive.core.form import TrilinearForm
from tests import definition
from tests.cases import generator, random_layer

CHUNKS = range(5)
PER_CHUNK = range(40)


def multiply_adds(form: TrilinearForm) -> int:
    """Counted on the dense axes: triples, or pairs (y, x) where that saves a quarter."""
    count = form.groups * form.channels_in * form.channels_out
    for axis in form.axes:
        tensor = definition.of_axis(axis)
        triples, pairs = np.count_nonzero(tensor), np.count_nonzero(tensor.any(axis=1))
        count *= pairs if 4 * pairs < 3 * triples else triples
    return count


@pytest.mark.parametrize("chunk", CHUNKS)
def test_shapes_are_torchs(chunk: int) -> None:
    for case in PER_CHUNK:
        layer = random_layer(generator(50, chunk, case))
        words, kernel = layer.parameters, tuple(rule.n_tap for rule in layer.rules)
        into, out = words["in_channels"], words["out_channels"]
        leading, other = (into, out) if "output_padding" in words else (out, into)
        assert layer.form.input_shape == (into, *layer.sizes)
        assert layer.form.output_shape[0] == out
        assert layer.form.weight_shape == (leading, other // words["groups"], *kernel)
        assert layer.weight_shape == layer.form.weight_shape
        assert layer.bias_shape == ((out,) if words["bias"] else None)


@pytest.mark.parametrize("chunk", CHUNKS)
def test_counts_are_the_matrixs(chunk: int) -> None:
    for case in PER_CHUNK:
        layer = random_layer(generator(51, chunk, case))
        ones = np.ones(layer.weight_shape, dtype=np.int64)
        matrix = definition.matrix(layer, ones)
        assert layer.nnz == np.count_nonzero(matrix)
        assert layer.macs == multiply_adds(layer.form) <= matrix.sum()
        taps = np.prod([axis.n_out * axis.n_tap for axis in layer.axes])
        pairs = layer.groups * layer.channels_in * layer.channels_out
        assert layer.naive_macs == taps * pairs >= layer.macs
        assert (layer.T.nnz, layer.T.macs) == (layer.nnz, layer.macs)


@pytest.mark.parametrize("chunk", CHUNKS)
def test_adjoint_exchanges_x_and_y_and_keeps_the_weight(chunk: int) -> None:
    for case in PER_CHUNK:
        form = random_layer(generator(52, chunk, case)).form
        assert form.adjoint.input_shape == form.output_shape
        assert form.adjoint.output_shape == form.input_shape
        assert form.adjoint.weight_shape == form.weight_shape
        assert form.adjoint.adjoint == form
