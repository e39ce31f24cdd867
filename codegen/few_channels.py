"""A large operator with few channels: the same axes, so the same relation, at a small cost.

What a kernel does along its axes does not depend on how many channels there are, and its loops over
channels are affine in their counters. So a check whose cost grows with pairs of channels is made of
the first two and the last ones. Its record says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from derive import Operator
from derive.core.form import TrilinearForm
from derive.weights import by_channel

WHOLE = 1 << 20  # multiply-adds of a sample, up to which all channels are checked
KEPT = 3
WORDS = f"of more than {WHOLE:,} multiply-adds a sample: the first two and the last channels"
Array = NDArray[Any]


def is_large(op: Operator) -> bool:
    """Whether checks of all pairs of channels would take long.

    >>> from derive import Conv2d
    >>> is_large(Conv2d(8, 8, 3, input_size=32)), is_large(Conv2d(64, 64, 3, input_size=32))
    (False, True)
    """
    return op.macs > WHOLE


@lru_cache(maxsize=1024)
def few_channels(op: Operator) -> Operator:
    """The operator with at most three groups, and three channels in and out of each.

    >>> from derive import Conv2d
    >>> few_channels(Conv2d(64, 96, 3, groups=32, input_size=8)).weight_shape
    (9, 2, 3, 3)
    """
    groups, into, out = (min(KEPT, n) for n in (op.groups, op.channels_in, op.channels_out))
    return Operator(
        f"{op.description} with {groups * into} -> {groups * out} channels",
        op.rules,
        groups=groups,
        channels_in=into,
        channels_out=out,
        output_leads=op.output_leads,
        bias=op.bias,
        sizes=op.sizes,
        learned=op.learned,
    )


def kept(count: int) -> list[int]:
    """The first two and the last.

    >>> kept(2), kept(64)
    ([0, 1], [0, 1, 63])
    """
    return list(range(count)) if count <= KEPT else [0, 1, count - 1]


@dataclass(frozen=True, slots=True)
class Channels:
    """Where the numbers of an operator with few channels lie among those of the whole one.

    Arrays are called as kernels call them: x, y (also the gradients of these), weight and bias.
    """

    whole: Operator
    few: Operator

    def spread(self, name: str, numbers: Array) -> Array:
        """Among zeros, which cost no memory before they are read."""
        batch = len(numbers) if name in ("x", "y") else 0
        room = np.zeros(self.shape(name, batch), numbers.dtype)
        self.put(name, room, numbers)
        return room

    def put(self, name: str, room: Array, numbers: Array | int) -> None:
        """Write the numbers into an array of the whole operator; or one number, everywhere."""
        given = numbers if isinstance(numbers, int) else _grouped(self.few, name, numbers)
        _grouped(self.whole, name, room)[self._at(name, room)] = given

    def picked(self, name: str, array: Array) -> Array:
        """Those of an array of the whole operator, grouped by channels as ``grouped``."""
        found: Array = _grouped(self.whole, name, array)[self._at(name, array)]
        return found

    def grouped(self, name: str, array: Array) -> Array:
        """An array of the operator with few channels, beside what is ``picked``."""
        return _grouped(self.few, name, array)

    def shape(self, name: str, batch: int) -> tuple[int, ...]:
        """That of an array of the whole operator."""
        op = self.whole
        shapes = {"x": (batch, *op.input_shape), "y": (batch, *op.output_shape)}
        shapes |= {"weight": op.form.weight_shape, "bias": op.output_shape[:1]}
        return shapes[name]

    def _at(self, name: str, array: Array) -> tuple[Array, ...]:
        whole, few = ((op.groups, op.channels_in, op.channels_out) for op in (self.whole, self.few))
        groups, into, out = (
            list(range(n)) if m == n else kept(n) for n, m in zip(whole, few, strict=True)
        )
        batch = list(range(len(array)))
        lists = {"x": [batch, groups, into], "y": [batch, groups, out]}
        lists |= {"weight": [groups, out, into], "bias": [groups, out]}
        return np.ix_(*lists[name])


def _grouped(op: Operator, name: str, array: Array) -> Array:
    """A view: (batch, groups, channels, ...), (groups, out, in, *taps), (groups, out)."""
    form: TrilinearForm = op.form
    if name == "weight":
        return by_channel(form, array)
    if name == "bias":
        return array.reshape(form.groups, form.channels_out)
    channels = form.channels_in if name == "x" else form.channels_out
    return array.reshape(len(array), form.groups, channels, *array.shape[2:])
