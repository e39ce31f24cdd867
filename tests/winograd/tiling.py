"""Tiles put side by side over a whole axis, and run over a whole operator, by definition."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from derive.core.axis import Axis
from derive.operator import Operator
from derive.winograd import TensorTile, Tile

Tensor = dict[tuple[int, int, int], Fraction]


def shifts(tile: Tile, axis: Axis) -> Iterator[tuple[int, int]]:
    """What to add to outputs and inputs, for each tile that touches an output of the axis."""
    reach = max(map(abs, tile.outputs)) + tile.output_image * tile.images
    most = (axis.n_out + reach) // tile.output_step + 1
    for i, image in product(range(-most, most + 1), range(tile.images)):
        dy = tile.output_step * i + tile.output_image * image
        if any(0 <= y + dy < axis.n_out for y in tile.outputs):
            yield dy, tile.input_step * i + tile.input_image * image


def assembled(tile: Tile, axis: Axis) -> Tensor:
    """P[y, t, x] as the tiles compute it, beyond the input zeros."""
    total: Counter[tuple[int, int, int]] = Counter()
    for dy, dx in shifts(tile, axis):
        for (j, t, i), value in tile.algorithm.tensor.items():
            y, x = tile.outputs[j] + dy, tile.inputs[i] + dx
            if 0 <= y < axis.n_out and 0 <= x < axis.n_in:
                total[y, t, x] += value
    return {place: value for place, value in total.items() if value}


def written(tile: Tile, axis: Axis) -> Counter[int]:
    """How often each output of the axis is written."""
    places = (y + dy for dy, _ in shifts(tile, axis) for y in tile.outputs)
    return Counter(y for y in places if 0 <= y < axis.n_out)


def exact(axis: Axis) -> Tensor:
    return {(y, t, x): value for y, t, x, value in axis.entries()}


def array(rows: Any) -> NDArray[Any]:
    return np.array(rows, dtype=object)


def run(tile: TensorTile, op: Operator, x: NDArray[Any], weight: NDArray[Any]) -> NDArray[Any]:
    """Two axes, one group: y[o] = sum over i of AT ((G w G') * (BT x BT')) AT', tile by tile."""
    first, second = (each.algorithm for each in tile.axes)
    U = array(first.G) @ weight @ array(second.G).T
    y = np.zeros(op.output_shape, dtype=object)
    for (dy, dx), (ey, ex) in product(*map(shifts, tile.axes, op.axes)):
        rows = [i + dx for i in tile.axes[0].inputs]
        columns = [i + ex for i in tile.axes[1].inputs]
        V = array(first.BT) @ _window(x, rows, columns) @ array(second.BT).T
        M = (U * V[None]).sum(axis=1)
        Y = array(first.AT) @ M @ array(second.AT).T
        for (j, a), (k, b) in product(
            enumerate(tile.axes[0].outputs), enumerate(tile.axes[1].outputs)
        ):
            if 0 <= a + dy < y.shape[1] and 0 <= b + ey < y.shape[2]:
                y[:, a + dy, b + ey] += Y[:, j, k]
    return y


def _window(x: NDArray[Any], rows: list[int], columns: list[int]) -> NDArray[Any]:
    window = np.zeros((x.shape[0], len(rows), len(columns)), dtype=object)
    for (j, a), (k, b) in product(enumerate(rows), enumerate(columns)):
        if 0 <= a < x.shape[1] and 0 <= b < x.shape[2]:
            window[:, j, k] = x[:, a, b]
    return window
