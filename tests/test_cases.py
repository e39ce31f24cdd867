"""The generators of test layers hold what they promise, and the same in every run."""

from collections import Counter

import numpy as np
import pytest

from derive.layers import Layer
from derive.layers.transposed import TransposedConvolution
from tests import cases


def kinds(layer: Layer) -> set[str]:
    """What a layer is a case of."""
    words, rules = layer.parameters, layer.rules
    assert layer.sizes is not None
    assert layer.output_size is not None
    found = {type(layer).__name__, words["padding_mode"]}
    padding = words["padding"]
    tests = {
        "groups": layer.groups > 1,
        "depthwise": layer.groups > 1 and layer.channels_in == 1,
        "bias": layer.bias,
        "same": padding == "same",
        "valid": padding == "valid",
        "int for every axis": isinstance(padding, int),
        "pair": any(rule.before != rule.after for rule in rules),
        "crop": any(min(rule.before, rule.after) < 0 for rule in rules),
        "stride beyond kernel": any(rule.stride > rule.kernel for rule in rules),
        "different strides": len({rule.stride for rule in rules}) > 1,
        "dilation": any(rule.dilation > 1 for rule in rules),
        "size 1": 1 in layer.sizes,
        "one output": 1 in layer.output_size,
        "input dilation": any(getattr(rule, "up", 1) > 1 for rule in rules),
        "output_size": words.get("output_size") is not None,
        "output_padding": any(getattr(rule, "output_padding", 0) for rule in rules),
        "output_padding beyond stride": any(
            getattr(rule, "output_padding", 0) >= rule.stride for rule in rules
        ),
    }
    return found | {kind for kind, is_one in tests.items() if is_one}


@pytest.fixture(scope="module")
def layers() -> list[Layer]:
    return [cases.random_layer(cases.generator(100, seed)) for seed in range(2000)]


def test_every_kind_is_there_often(layers: list[Layer]) -> None:
    counts = Counter(kind for layer in layers for kind in kinds(layer))
    names = [f"{name}{d}d" for name in ("Conv", "ConvTranspose") for d in (1, 2, 3)]
    assert len(counts) == len(names) + len(cases.MODES) + 17
    assert set(names) | set(cases.MODES) < set(counts)
    assert min(counts.values()) >= 80, counts


def test_few_operators_are_empty(layers: list[Layer]) -> None:
    """Comparing zeros proves nothing."""
    assert sum(layer.nnz == 0 for layer in layers) < len(layers) // 10


def test_matrices_stay_small(layers: list[Layer]) -> None:
    assert max(layer.nnz for layer in layers) < 50_000


def test_a_seed_gives_one_layer(layers: list[Layer]) -> None:
    again = [cases.random_layer(cases.generator(100, seed)) for seed in range(100)]
    assert again == layers[:100]
    assert list(map(repr, again)) == list(map(repr, layers[:100]))
    assert len(set(layers)) > 0.9 * len(layers)


def test_batches_are_zero_one_three_or_none() -> None:
    shapes = {cases.batch(cases.generator(101, seed), (2, 3)).shape for seed in range(50)}
    assert shapes == {(2, 3), (0, 2, 3), (1, 2, 3), (3, 2, 3)}


def test_integers_reach_both_ends() -> None:
    drawn = cases.integers(cases.generator(102), (1000,), "float32", largest=2)
    assert drawn.dtype == np.float32
    assert sorted(set(drawn.tolist())) == [-2, -1, 0, 1, 2]


def test_exhaustive_layers_are_distinct_and_complete() -> None:
    layers = list(cases.exhaustive_1d())
    assert len(layers) == len(set(layers)) == 21070
    assert list(cases.exhaustive_1d(7, 50)) == layers[7::50]
    transposed = [layer for layer in layers if isinstance(layer, TransposedConvolution)]
    assert len(transposed) == 9586
    assert repr(layers[0]) == "Conv1d(1, 1, 1, bias=False, input_size=1)"
