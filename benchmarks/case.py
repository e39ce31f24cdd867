"""One measurement: a layer, maybe behind a resize, which function of it, and its data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
from numpy.typing import NDArray

from derive import Operator
from derive.layers import Interpolate, Layer

Array = NDArray[np.floating]
LINE = 64  # bytes of a cache line, on which every array begins


@dataclass(frozen=True)
class Case:
    """What is measured. ``direction`` is a function of a kernel; weights have the layer's shape."""

    name: str
    family: str
    layer: Layer
    resize: Interpolate | None = None
    batch: int = 1
    dtype: str = "float32"
    direction: str = "forward"

    @cached_property
    def op(self) -> Operator:
        """The layer, after the resize where there is one."""
        if self.resize is None:
            return self.layer
        fused = self.layer @ self.resize
        assert isinstance(fused, Operator)
        return fused

    @property
    def flops(self) -> int:
        """Of the direct sum, nothing multiplied by padding: what "% of peak" counts."""
        return 2 * self.batch * self.layer.macs


@dataclass(frozen=True, slots=True)
class Data:
    """The arrays of a case, the same for everyone: x and grad have a batch."""

    x: Array
    weight: Array
    bias: Array
    grad: Array


def data_of(case: Case) -> Data:
    """Normal numbers, the weights scaled so that outputs are about 1."""
    rng = np.random.default_rng(0)
    form = case.layer.form
    products = form.channels_in * prod(axis.n_tap for axis in form.axes)
    weight = rng.standard_normal(form.weight_shape) / np.sqrt(products)
    x = rng.standard_normal((case.batch, *case.op.input_shape))
    grad = rng.standard_normal((case.batch, *case.op.output_shape))
    bias = rng.standard_normal(case.op.output_shape[0])
    return Data(*(aligned(each, case.dtype) for each in (x, weight, bias, grad)))


def aligned(values: Array, dtype: str) -> Array:
    """A copy that begins on a cache line."""
    size = values.size * np.dtype(dtype).itemsize
    room = np.empty(size + LINE, np.uint8)
    begin = -room.ctypes.data % LINE
    copy: Array = room[begin : begin + size].view(dtype).reshape(values.shape)
    copy[...] = values
    return copy
