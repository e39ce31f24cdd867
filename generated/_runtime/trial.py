# Copied by `python -m codegen` from codegen/_runtime; edit it there.
"""The test of a library before it is kept: numbers that the generator derived, met again.

For integers x, w and g that both sides compute, the value <g, A(w) x> was derived exactly. The
forward function must give it with g, the input gradient with x and the weight gradient with w.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import prod

import numpy as np

from .arrays import Array, Raw, Shape
from .kernel import Kernel, host_kernel
from .specialised import Specialised

BATCH = 2
FLOAT32_INTEGERS = 1 << 24  # below it float32 holds every integer
STRETCH = 1 << 20  # numbers that are made at once


def numbers(shape: Shape, seed: int, largest: int) -> Array:
    """Integers of -largest..largest, none of them 0, the same everywhere.

    >>> numbers((6,), 1, 4).tolist()
    [-3, -4, 2, 2, -4, 4]
    """
    made = np.empty(prod(shape), np.int64)
    for first in range(0, made.size, STRETCH):
        stretch = made[first : first + STRETCH]
        stretch[:] = _mixed(first, len(stretch), seed, largest)
    return made.reshape(shape)


def _mixed(first: int, count: int, seed: int, largest: int) -> Array:
    """The numbers from ``first`` on."""
    at = np.arange(first, first + count, dtype=np.uint64) + np.uint64(seed * 0x9E3779B9)
    mixed = at * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(32))) * np.uint64(0xD6E8FEB86659FD93)
    sign = np.where(mixed >> np.uint64(63), 1, -1)
    return sign * ((mixed >> np.uint64(33)).astype(np.int64) % largest + 1)


@dataclass(frozen=True)
class Trial:
    """The derived values, one for each seed 0, 1, ..., and how far rounding may take them.

    ``allowed`` is how far that is in each dtype, nothing where all is integer and must be met
    exactly. ``longest`` is the number of products in the longest sum.
    """

    values: tuple[float, ...]
    longest: int
    allowed: Mapping[str, float] = field(default_factory=dict)

    @property
    def largest(self) -> int:
        """The largest integer of the data, so that float32 holds every sum of them."""
        return 4 if 16 * BATCH * self.longest < FLOAT32_INTEGERS else 1

    def wrong(self, kernel: Specialised, functions: Mapping[str, Raw], dtype: str) -> list[str]:
        """The raw functions of a kernel that do not meet the derived values."""
        found: set[str] = set()
        made = host_kernel(kernel, functions, dtype)
        for seed, value in enumerate(self.values):
            found.update(self._wrong(made, seed, value))
        return sorted(found)

    def _wrong(self, kernel: Kernel, seed: int, value: float) -> Iterator[str]:
        """The functions of one dtype that do not meet the value of one seed."""
        dtype = kernel.dtypes[0]
        allowed = self.allowed.get(dtype, 0)
        learned = kernel.weight_shape is not None
        shapes = (BATCH, *kernel.input_shape), (BATCH, *kernel.output_shape)
        x, g, w, bias = (
            numbers(shape or (1,), 4 * seed + i, self.largest).astype(dtype)
            for i, shape in enumerate((*shapes, kernel.weight_shape, kernel.bias_shape))
        )
        weight, constant = w if learned else None, bias if kernel.bias_shape else None
        sums = g.reshape(BATCH, kernel.output_shape[0], -1).sum(axis=(0, 2))
        added = 0 if constant is None else _dot(sums, constant)

        y = kernel.forward(x, weight, constant, out=_unwritten(g))
        if not abs(_dot(y, g) - added - value) <= allowed:
            yield "forward"
        gx = kernel.input_gradient(g, weight, out=_unwritten(x))
        if not abs(_dot(gx, x) - value) <= allowed:
            yield "input_gradient"
        if learned:
            gw = kernel.weight_gradient(x, g, out=_unwritten(w))
            if not abs(_dot(gw, w) - value) <= allowed:
                yield "weight_gradient"
            if not np.array_equal(kernel.bias_gradient(g, out=_unwritten(sums)), sums):
                yield "bias_gradient"


def _unwritten(like: Array) -> Array:
    """Where a kernel may write; what it leaves out shows."""
    return np.full_like(like, 77)


def _dot(a: Array, b: Array) -> float:
    """Their inner product in the widest type of their kind, in which integers stay exact."""
    widest = np.int64 if a.dtype.kind == "i" else np.float64
    return float(np.vdot(a.astype(widest), b.astype(widest)))
