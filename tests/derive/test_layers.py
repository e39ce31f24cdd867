"""Layers against torch: every small one, and random ones with everything at once."""

import numpy as np
import pytest

import derive
from tests import cases, torch_reference
from tests.cases import generator, random_layer

CHUNKS = range(20)
PER_CHUNK = range(100)
SMALL = 150  # entries of a matrix that SymPy is asked for, too


@pytest.mark.parametrize("chunk", CHUNKS)
@pytest.mark.usefixtures("family")
def test_every_small_layer_of_one_axis(chunk: int) -> None:
    """The identity as a batch gives torch's whole matrix; powers of ten tell its taps apart."""
    for layer in torch_reference.share(list(cases.exhaustive_1d(chunk, len(CHUNKS))), 300):
        (n,) = layer.input_shape[1:]
        weight = 10 ** np.arange(layer.weight_shape[2]).reshape(layer.weight_shape)
        identity = np.eye(n, dtype=np.int64)[:, None]
        expected = torch_reference.forward(layer, identity, weight)[:, 0].T
        assert expected.shape == (layer.output_shape[1], n), layer
        sparse = layer.sparse(weight, dtype="int64")
        assert (sparse.toarray() == expected).all(), layer
        assert sparse.nnz == layer.nnz == np.count_nonzero(expected), layer
        assert (expected == layer.apply(identity, weight)[:, 0].T).all(), layer
        assert (layer.T.sparse(weight, dtype="int64").toarray() == expected.T).all(), layer
        if n <= 4:
            assert layer.matrix(weight).tolist() == expected.tolist(), layer


@pytest.mark.parametrize("chunk", CHUNKS)
@pytest.mark.usefixtures("family")
def test_random_layers(chunk: int) -> None:
    for case in torch_reference.share(PER_CHUNK, 50):
        rng = generator(110, chunk, case)
        layer = random_layer(rng)
        x = cases.batch(rng, layer.input_shape)
        weight = cases.integers(rng, layer.weight_shape)
        bias = cases.integers(rng, layer.bias_shape) if layer.bias_shape else None
        y = layer.apply(x, weight, bias)
        assert y.shape[-layer.dimensions - 1 :] == layer.output_shape
        assert same(y, torch_reference.forward(layer, x, weight, bias)), layer
        flat = x.reshape(-1, np.prod(layer.input_shape))
        linear = y if bias is None else y - bias.reshape(-1, *(1,) * layer.dimensions)
        matrix = layer.sparse(weight, dtype="int64")
        assert same((matrix @ flat.T).T.reshape(y.shape), linear), layer

        grad = cases.integers(rng, y.shape)
        by_x, by_weight, by_bias = torch_reference.gradients(layer, x, weight, grad)
        assert same(layer.T.apply(grad, weight), by_x), layer
        flat_grad = grad.reshape(-1, np.prod(layer.output_shape))
        adjoint = layer.T.sparse(weight, dtype="int64")
        assert same((adjoint @ flat_grad.T).T.reshape(x.shape), by_x), layer
        positions = flat_grad.reshape(-1, layer.output_shape[0], np.prod(layer.output_shape[1:]))
        assert same(positions.sum(axis=(0, 2)), by_bias), layer
        # the form is linear in the weight too: sum(W * by_weight) is sum(grad * linear output)
        assert (weight * by_weight).sum() == (grad * linear).sum(), layer

        if len(flat):
            operator = layer.linear_operator(weight)
            assert same(operator.matvec(flat[-1]), linear.reshape(len(flat), -1)[-1]), layer
            assert same(operator.rmatvec(flat_grad[-1]), by_x.reshape(len(flat), -1)[-1]), layer
        if layer.nnz <= SMALL:
            numbers = np.array(layer.matrix(weight).tolist()).reshape(matrix.shape)
            assert (numbers == matrix.toarray()).all(), layer
            numbers = np.array(layer.T.matrix(weight).tolist()).reshape(adjoint.shape)
            assert (numbers == adjoint.toarray()).all(), layer


def same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and bool((a == b).all())


@pytest.mark.parametrize("chunk", range(5))
@pytest.mark.usefixtures("family")
def test_weight_gradient_entry_by_entry(chunk: int) -> None:
    """Its entry is sum(grad * output) for the unit weight of that entry."""
    done = 0
    cases_here = torch_reference.share(range(60), 12)
    for case in cases_here:
        rng = generator(111, chunk, case)
        layer = random_layer(rng)
        if np.prod(layer.weight_shape) > 30:
            continue
        done += 1
        x = cases.integers(rng, (2, *layer.input_shape))
        grad = cases.integers(rng, (2, *layer.output_shape))
        weight = cases.integers(rng, layer.weight_shape)
        by_weight = torch_reference.gradients(layer, x, weight, grad)[1]
        for index in np.ndindex(*layer.weight_shape):
            unit = np.zeros(layer.weight_shape, dtype=np.int64)
            unit[index] = 1
            bias = np.zeros(layer.bias_shape, dtype=np.int64) if layer.bias_shape else None
            assert (grad * layer.apply(x, unit, bias)).sum() == by_weight[index], layer
    assert 4 * done > len(cases_here)


def test_half_of_the_random_layers_are_torchs_own() -> None:
    """Those that torch takes as they are; around the others the reference adds what is beyond."""
    layers = [random_layer(generator(110, 0, case)) for case in PER_CHUNK]
    assert 30 < sum(map(torch_reference.in_torchs_words, layers)) < 70


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_parameters_have_torchs_order_and_defaults(dimensions: int) -> None:
    torch = pytest.importorskip("torch")
    import inspect

    for table in (cases.CONVOLUTIONS, cases.TRANSPOSED):
        ours = inspect.signature(table[dimensions]).parameters
        theirs = inspect.signature(getattr(torch.nn, table[dimensions].__name__)).parameters
        positional = [p for p in ours.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
        expected = [p for p in theirs.values() if p.name not in ("device", "dtype")]
        assert [(p.name, p.default) for p in positional] == [(p.name, p.default) for p in expected]


@pytest.mark.parametrize("chunk", range(4))
def test_repr_makes_the_layer_again(chunk: int) -> None:
    for case in range(50):
        layer = random_layer(generator(112, chunk, case))
        again = eval(repr(layer), vars(derive))
        assert again == layer
        assert hash(again) == hash(layer)
        assert again.parameters == layer.parameters


@pytest.mark.parametrize("chunk", range(4))
def test_at_fixes_the_size(chunk: int) -> None:
    for case in range(50):
        layer = random_layer(generator(113, chunk, case))
        if layer.parameters.get("output_size") is not None:
            continue
        free = type(layer)(**{**layer.parameters, "input_size": None})
        assert free.input_size is None
        assert free.output_size is None
        assert free != layer
        assert free.weight_shape == layer.weight_shape
        assert free.at(layer.parameters["input_size"]) == layer


def test_lists_given_are_not_kept() -> None:
    kernel, padding = [3, 3], [[1, 1], [0, 2]]
    layer = derive.Conv2d(1, 1, kernel, padding=padding, input_size=5)
    kernel[0], padding[0][0] = 1, 4
    assert layer.at(5) == layer


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"stride": 2}, {"stride": (2, 2)}),
        ({"padding": 1}, {"padding": ((1, 1), (1, 1))}),
        ({"padding": "same"}, {"padding": 1}),
        ({"padding": "valid"}, {}),
        ({"dilation": np.int64(2)}, {"dilation": [2, 2]}),
        ({"input_size": 5}, {"input_size": (5, 5)}),
    ],
)
def test_spellings_of_one_layer_are_equal(one: dict, other: dict) -> None:
    layers = [derive.Conv2d(1, 1, 3, **{"input_size": 5, **words}) for words in (one, other)]
    assert layers[0] == layers[1]
    assert hash(layers[0]) == hash(layers[1])


def test_output_size_picks_the_output_padding() -> None:
    for m in (9, 10):
        layer = derive.ConvTranspose1d(1, 1, 3, stride=2, input_size=4, output_size=m)
        assert layer.output_size == (m,)
        padded = derive.ConvTranspose1d(1, 1, 3, stride=2, output_padding=m - 9, input_size=4)
        assert layer == padded


def test_one_free_form_serves_all_sizes() -> None:
    layer = derive.Conv2d(1, 1, (3, 5), stride=(1, 2), padding="valid")
    first, second = layer.polyphase()
    fixed = layer.at((100, 200))
    assert first.at(100) == fixed.axes[0].runs
    assert second.at(200) == fixed.axes[1].runs
    assert fixed.polyphase() == layer.polyphase()
