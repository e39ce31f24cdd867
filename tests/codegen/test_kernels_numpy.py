"""Emitted NumPy kernels against torch and against the matrix: all small ones, many random ones."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from codegen._runtime import Kernel
from codegen.builder import numpy_kernel
from codegen.emit import emit_numpy
from derive import Operator
from derive.layers import Layer
from tests.cases import exhaustive_1d, generator, random_layer
from tests.codegen.judge import (
    DTYPES,
    Answer,
    Data,
    against_matrix,
    answer_of,
    of_empty_batch,
    of_torch,
    of_torch_adjoint,
    telling,
)

ALL_1D_CHUNKS = 48
RANDOM_CHUNKS, RANDOM = 20, 100
ADJOINT_CHUNKS, ADJOINTS = 4, 50


def emitted(op: Operator) -> Kernel:
    return numpy_kernel("kernel", emit_numpy(op, "kernel"))


def check(
    op: Operator,
    layer: Layer,
    reference: Callable[[Layer, Data], Answer],
    case: int,
    seed: int,
    every: int = 1,
) -> bool:
    """One kernel against torch, and ``every`` so many against the matrix; whether it tells."""
    kernel = emitted(op)
    data = Data.of(op, generator(seed, case))
    expected = reference(layer, data)
    if case % every == 0:
        wrong = against_matrix(op, data, expected, weight_gradient=case % (4 * every) == 0)
        assert wrong == [], op
    for dtype in DTYPES[: 1 + case % 3]:
        assert answer_of(kernel, data.astype(dtype)).differences(expected) == [], (op, dtype)
    if case % 3 == 0:
        empty, zeros = of_empty_batch(op)
        assert answer_of(kernel, empty).differences(zeros) == [], (op, "batch of 0")
    return telling(expected)


@pytest.mark.parametrize("chunk", range(ALL_1D_CHUNKS))
def test_every_small_layer_of_one_axis(chunk: int) -> None:
    layers = list(exhaustive_1d(chunk, ALL_1D_CHUNKS))
    assert len(layers) * ALL_1D_CHUNKS > 20_000
    told = sum(
        check(layer, layer, of_torch, case, 100 + chunk, every=3)  # derive compares them all
        for case, layer in enumerate(layers)
    )
    assert told > 0.95 * len(layers)


@pytest.mark.parametrize("chunk", range(RANDOM_CHUNKS))
def test_random_layers(chunk: int) -> None:
    """So many that tell; the others are compared, too, and not counted."""
    told = case = 0
    while told < RANDOM:
        layer = random_layer(generator(200, chunk, case))
        told += check(layer, layer, of_torch, case, 201)
        case += 1


@pytest.mark.parametrize("chunk", range(ADJOINT_CHUNKS))
def test_random_adjoints(chunk: int) -> None:
    """Of every padding mode: the adjoint of a padded layer adds up what the border read twice."""
    told = case = 0
    while told < ADJOINTS:
        layer = random_layer(generator(202, chunk, case))
        told += check(layer.T, layer, of_torch_adjoint, case, 203)
        case += 1


def test_batch_of_zero_as_torch_has_it() -> None:
    for case in range(50):
        layer = random_layer(generator(204, case))
        data, expected = of_empty_batch(layer)
        assert of_torch(layer, data).differences(expected) == []
