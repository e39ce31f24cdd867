"""How far a fast function may be from exact arithmetic, for the data at hand.

Stage by stage, from numbers that float64 follows: the transforms of input, weight and result by
the roundings of their rows, the sum over channels addition by addition. It holds whether products
are fused with the sums they enter or not. What this module itself rounds enlarges the result.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codegen.rounding import gamma, rounded_up
from derive.weights import by_channel

from .rounded import Arithmetic, Array, Rounded, Stage, spacing
from .schedule import Transform
from .summed import Weights, products, weights
from .windows import put, transformed

LARGEST = 1 << 22  # numbers of an array of products, about


def transform_bound(
    transform: Transform, inputs: Sequence[NDArray[Any]], dtype: str, *, in_order: bool = True
) -> Array:
    """The most by which each number of (batch, *output_shape) may be wrong, in float64.

    ``inputs`` are x (batch, *input_shape), the weight in the layer's layout and, if the function
    adds one, the bias. The bound is rounded up; it is inf where a number may leave the range of
    ``dtype``, and NaN or inf in tiles of data that are not finite. Tiles of zeros are exact. Not
    ``in_order``, sums are not followed term by term: that is sooner done, and less tight.

    >>> from codegen._runtime.machine import X86
    >>> from codegen.transforms import candidates
    >>> from derive import Conv2d
    >>> form = Conv2d(8, 8, 3, padding=1, input_size=12).form
    >>> _, transform = candidates(form, X86[1], 4)[0]
    >>> x, w = np.ones((1, 8, 12, 12)), np.ones((8, 8, 3, 3))
    >>> bound = transform_bound(transform, (x, w), "float32")
    >>> bound.shape, bool(0 < bound.min() < bound.max() < 0.01)
    ((1, 8, 12, 12), True)
    >>> transform_bound(transform, (0 * x, w), "float32").any()
    np.False_
    """
    form, axes = transform.form, transform.axes
    x, weight, *bias = (np.asarray(each, np.float64) for each in inputs)
    x = x.reshape(len(x), form.groups, form.channels_in, *(each.n_in for each in axes))
    outputs = [each.n_out for each in axes]
    found = np.zeros((len(x), form.groups, form.channels_out, *outputs))
    grouped = by_channel(form, weight)
    taps = grouped.reshape(*grouped.shape[:3], *(each.tile.algorithm.n_tap for each in axes))
    added = bias[0].reshape(form.groups, -1) if bias else np.zeros(grouped.shape[:2])
    with np.errstate(over="ignore", invalid="ignore"):
        for g in range(form.groups):
            group = _Group(transform, taps[g], added[g], Arithmetic.of(dtype), in_order)
            for sample, out in zip(x, found, strict=True):
                group.into(out[g], sample[g])
        found *= rounded_up(1 + gamma(_own(transform), "float64"))
        np.nextafter(found, np.inf, out=found, where=found != 0)
    if all(np.isfinite(each).all() for each in inputs):
        found[np.isnan(found)] = np.inf  # of inf times 0
    return found.reshape(len(x), *form.output_shape)


def _own(transform: Transform) -> int:
    """Roundings that a number of these bounds passes: the sums of all stages, twice and more."""
    algorithms = [each.tile.algorithm for each in transform.axes]
    lengths = sum(sum(each.shape) + each.products for each in algorithms)
    return 4 * (transform.terms + lengths + 16)


@dataclass(frozen=True, slots=True)
class _Group:
    """One group of channels: ``taps`` (out, in, depth, down, across) and the bias, 0 for none."""

    transform: Transform
    taps: Array
    bias: Array
    arithmetic: Arithmetic
    in_order: bool

    def into(self, out: Array, x: Array) -> None:
        """The bound of one sample x (channel, depth, down, across)."""
        live = np.ones(len(x), bool)
        if self._harmless:
            live = np.asarray((x != 0).any(axis=(1, 2, 3)))
        if not live.any():
            return
        own = rounded_up(gamma(_own(self.transform), "float64"))
        u = weights(self.transform, self.taps[:, live], self.arithmetic, own)
        v = transformed(self.transform, x[live], self.arithmetic)
        for z, rows in self._parts(int(live.sum())):
            terms = self._terms(u, v, z, rows)
            if terms is not None:
                U, V, at = terms
                summed, drift = products(U, V, self.arithmetic, in_order=self.in_order)
                put(self.transform, self._result(summed, drift), at, rows, out[:, z])

    @property
    def _harmless(self) -> bool:
        """Whether channels and tiles of zeros give zeros: no weight may become inf or NaN."""
        most = np.abs(self.taps).max(initial=0)
        for tiles in self.transform.axes:
            sums = (sum(map(abs, row), Fraction(0)) for row in tiles.tile.algorithm.G)
            most = most * rounded_up(max(sums))
        return bool(most < self.arithmetic.half)

    def _parts(self, channels: int) -> Iterator[tuple[int, slice]]:
        """Planes of outputs, and in them rows of tiles that have not too many products."""
        t = self.transform
        widest = max(t.depth.tile.products * channels, t.form.channels_out)
        step = max(1, LARGEST // (t.products * widest * t.across.tiles))
        for z in range(t.depth.n_out):
            for begin in range(0, t.down.tiles, step):
                yield z, slice(begin, min(begin + step, t.down.tiles))

    def _terms(
        self, u: Weights, v: Rounded, z: int, rows: slice
    ) -> tuple[Weights, Rounded, NDArray[np.intp]] | None:
        """U and V (down, across, term, ...) of the products of tiles that are not zeros."""
        t = self.transform
        first = t.depth.tile.input_step * z + t.depth.tile.inputs[0]
        inside = [d for d in range(t.depth.tile.products) if 0 <= first + d < t.depth.n_in]
        planes = [first + d for d in inside]
        part = v.each(lambda a: _joined(a[:, :, planes, :, rows], (2, 4)))
        at = np.arange(part.value.shape[-1])
        if self._harmless:
            at = np.flatnonzero(((part.value != 0) | (part.error != 0)).any(axis=(0, 1, 2)))
        if not len(at) or not inside:
            return None
        down, across = (np.array(each.row_of) for each in (t.down, t.across))
        numbers = part.each(lambda a: a[down[:, None], across][..., at])
        chosen = (_joined(a[:, :, inside], (2,)) for a in (u.value, u.error, u.drift))
        return Weights(*chosen), numbers, at

    def _result(self, summed: Rounded, drift: Array) -> Array:
        """The errors (across, down, tile, channel out) of AT M + bias, M = ``summed``."""
        y = summed
        for tiles in (self.transform.down, self.transform.across):
            matrix = tiles.tile.algorithm.AT
            y = Stage.of(matrix, self.arithmetic)(y).each(lambda a: a.swapaxes(0, 1))
            drift = np.tensordot(np.array(matrix, np.float64), drift, 1).swapaxes(0, 1)
        y, drift = y.each(lambda a: a.swapaxes(0, 1)), drift.swapaxes(0, 1)
        error = y.error + np.abs(drift)
        if self.bias.any():
            reach = np.abs(y.value + self.bias) + 2 * error
            error += (y.reach > 0) * self.arithmetic.unit * spacing(reach)
            error = self.arithmetic.within(error, reach)
        return error


def _joined(a: Array, places: Sequence[int]) -> Array:
    """With each of these axes and the one behind it as one."""
    for place in reversed(places):
        a = a.reshape(*a.shape[:place], -1, *a.shape[place + 2 :])
    return a
