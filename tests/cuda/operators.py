"""Random operators for the CUDA tests: small ones of every kind, and ones with many channels."""

from __future__ import annotations

from functools import reduce
from operator import matmul
from typing import Any

from numpy.random import Generator

import derive
from derive import Operator
from derive.layers import Layer
from tests.cases import generator, random_chain, random_layer

WIDE = (8, 16, 24, 32, 64)  # channels: of a group, or groups of one channel
GROWN = {1: 64, 2: 12, 3: 5}  # positions that an axis has more, by dimensions


def random_operator(*seed: int) -> Operator:
    """Of four: a small layer, a small chain, and two layers that fast schedules are for."""
    rng = generator(*seed)
    kind = seed[-1] % 4
    if kind == 0:
        return random_layer(rng)
    if kind == 1:
        return reduce(matmul, random_chain(rng, 2))
    wide = _wide(random_layer(rng), rng)
    return _resized(wide, rng) if rng.random() < 0.25 else wide


def _wide(layer: Layer, rng: Generator) -> Layer:
    """The same layer with many channels, on a larger input."""
    words: dict[str, Any] = {**layer.parameters, "output_size": None}
    if "output_padding" not in words:
        del words["output_size"]
    groups = 1 if rng.random() < 0.75 else int(rng.choice(WIDE))
    alone = groups > 1 and rng.random() < 0.7
    into, out = (1, 1) if alone else (int(rng.choice(WIDE)) for _ in range(2))
    words |= {"in_channels": groups * into, "out_channels": groups * out, "groups": groups}
    assert layer.sizes is not None
    grown = GROWN[layer.dimensions]
    words["input_size"] = [n + int(rng.integers(1, grown + 1)) for n in layer.sizes]
    return type(layer)(**words)


def _resized(layer: Layer, rng: Generator) -> Operator:
    """Behind a resize by two where its input can be one."""
    assert layer.sizes is not None
    halves = [max(1, n // 2) for n in layer.sizes]
    mode = ("nearest", ("linear", "bilinear", "trilinear")[layer.dimensions - 1])[
        int(rng.integers(2))
    ]
    channels = int(layer.parameters["in_channels"])
    up = derive.Interpolate(channels, halves, scale_factor=2, mode=mode)
    chain = layer.at([2 * n for n in halves]) @ up
    assert isinstance(chain, Operator)
    return chain
