"""The one transposed convolution that an operator equals, if there is one.

A transposed convolution along an axis repeats itself: what output y takes from input x depends on
y - stride*x alone. So an axis equals one exactly when every line of constant u = y - stride*x,
from border to border, holds the same combination of taps: that combination is its tap
T = (u + padding)/dilation. The stride is that of the axis: with one as long as the output any
matrix would be a transposed convolution, and a useless one.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from math import gcd

import numpy as np
from numpy.typing import ArrayLike

from derive import layers
from derive.arguments import refuse
from derive.core.axis import Axis
from derive.core.folding import Combination
from derive.layers import TransposedConvolution
from derive.linear_map import LinearMap
from derive.operator import Operator
from derive.weights import Array, by_channel, checked, numbers, scaled, widened

MAKERS = {1: layers.ConvTranspose1d, 2: layers.ConvTranspose2d, 3: layers.ConvTranspose3d}


@dataclass(frozen=True)
class AsConvTranspose:
    """The ``layer`` that an operator equals; ``weight(w)`` is the layer's weight, from its own.

    ``combinations[axis][T]`` tells how tap T of the layer is made: ((tap, coefficient), ...).
    """

    layer: TransposedConvolution
    op: Operator
    combinations: tuple[tuple[Combination, ...], ...]

    def weight(self, given: ArrayLike | None = None) -> Array:
        """The weight of the layer, of ``layer.weight_shape``.

        ``given`` is the operator's weight, None where it learns nothing. Exact numbers stay exact:
        integers become Fractions where a resize divides them.
        """
        form = self.op.form
        array = numbers("weight", self.op.weight(given))
        coefficients = (c for axis in self.combinations for each in axis for _, c in each)
        if array.dtype.kind in "biu" and any(c.denominator > 1 for c in coefficients):
            array = array.astype(object)
        result = by_channel(form, widened(checked(form, array))).swapaxes(1, 2)
        for axis, combinations in enumerate(self.combinations, start=3):
            result = np.stack([_combined(result, axis, each) for each in combinations], axis)
        return result.reshape(self.layer.form.weight_shape)

    def __str__(self) -> str:
        return f"{self.op!r} is {self.layer!r}"


@dataclass(frozen=True)
class NoTransposed:
    """There is no such layer, and ``reason`` says why; false in a condition."""

    reason: str

    def __bool__(self) -> bool:
        return False

    def __str__(self) -> str:
        return self.reason


def as_conv_transpose(op: LinearMap) -> AsConvTranspose | NoTransposed:
    """The ConvTranspose layer that ``op`` equals, borders included, or why there is none.

    Nearest resizing by r, then a convolution with kernel k and zero padding, is one transposed
    convolution with kernel k + r - 1 and stride r.

    >>> from derive import Conv1d, Interpolate
    >>> conv = Conv1d(1, 1, 3, padding=1, bias=False, input_size=8)
    >>> found = as_conv_transpose(conv @ Interpolate(1, 4, scale_factor=2))
    >>> found.layer
    ConvTranspose1d(1, 1, 4, stride=2, padding=1, bias=False, input_size=4)
    >>> found.weight([[[1, 10, 100]]])
    array([[[100, 110,  11,   1]]])
    >>> print(as_conv_transpose(Interpolate(1, 4, scale_factor=2, mode="linear")))
    axis 0: output 0 takes w0 from input 0, but output 2, a stride on, takes 3/4*w0 from input 1
    """
    if not isinstance(op, LinearMap):
        refuse("op", op, "an operator")
    if not isinstance(op, Operator):
        return NoTransposed(f"{op!r} multiplies several weights; a layer has one")
    if isinstance(op, TransposedConvolution):
        own = tuple(tuple(((t, Fraction(1)),) for t in range(r.n_tap)) for r in op.rules)
        return AsConvTranspose(op, op, own)
    found = []
    for place, axis in enumerate(op.axes):
        form = _of_axis(axis)
        if isinstance(form, str):
            return NoTransposed(f"axis {place}: {form}")
        found.append(form)
    amounts = [form.padding(axis) for form, axis in zip(found, op.axes, strict=True)]
    inputs, outputs = op.channels
    layer = MAKERS[len(found)](
        inputs,
        outputs,
        _one([len(form.combinations) for form in found]),
        stride=_one([form.stride for form in found]),
        padding=_padding([(before, after) for before, after, _ in amounts]),
        output_padding=_one([extra for _, _, extra in amounts]),
        groups=op.groups,
        bias=op.bias,
        dilation=_one([form.dilation for form in found]),
        input_size=_one([axis.n_in for axis in op.axes]),
    )
    return AsConvTranspose(layer, op, tuple(form.combinations for form in found))


@dataclass(frozen=True)
class _AxisForm:
    """The transposed convolution of an axis: tap T joins y = stride*x + dilation*T - before."""

    stride: int
    dilation: int
    before: int
    combinations: tuple[Combination, ...]

    def padding(self, axis: Axis) -> tuple[int, int, int]:
        """(before, after, output_padding) for the output size; both sides alike if possible."""
        reach = self.stride * (axis.n_in - 1) + self.dilation * (len(self.combinations) - 1) + 1
        after = reach - self.before - axis.n_out
        extra = self.before - after
        if self.before >= 0 and 0 <= extra < max(self.stride, self.dilation):
            return self.before, self.before, extra
        return self.before, after, 0


def _of_axis(axis: Axis) -> _AxisForm | str:
    """The form, or why there is none.

    A line of step stride*x + u is whole when its strands cover it from border to border; strands
    of an axis advance by several inputs at a time, so several of them may share a line.
    """
    stride, remainder = divmod(axis.step, axis.advance)
    if remainder:
        return (
            f"{axis.step} outputs advance with {axis.advance} inputs; allowed is a whole number "
            "of outputs for each input"
        )
    lines: dict[int, dict[tuple[int, Fraction], int]] = defaultdict(lambda: defaultdict(int))
    for s in axis.strands:
        lines[s.y - stride * s.x][s.tap, s.coefficient] += s.count
    combinations: dict[int, Combination] = {}
    for u, counts in sorted(lines.items()):
        first, last = max(0, -(u // stride)), min(axis.n_in, -(-(axis.n_out - u) // stride))
        if any(count != last - first for count in counts.values()):
            return _break(axis, stride, u, first, last)
        combinations[u] = tuple(sorted(counts))
    if not combinations:
        return _AxisForm(stride, 1, 0, ((),))
    least = min(combinations)
    dilation = gcd(*(u - least for u in combinations)) or 1
    places = range(least, max(combinations) + 1, dilation)
    return _AxisForm(stride, dilation, -least, tuple(combinations.get(u, ()) for u in places))


def _break(axis: Axis, stride: int, u: int, first: int, last: int) -> str:
    """The first place where a line of constant y - stride*x changes."""
    before = _read(axis, stride * first + u, first)
    for x in range(first + 1, last):
        now = _read(axis, stride * x + u, x)
        if now != before:
            y = stride * x + u
            return (
                f"output {y - stride} takes {_words(before)} from input {x - 1}, but output {y}, "
                f"a stride on, takes {_words(now)} from input {x}"
            )
    raise AssertionError("the line is unbroken")


def _read(axis: Axis, y: int, x: int) -> Combination:
    return tuple((tap, c) for place, tap, c in axis.row(y) if place == x)


def _words(combination: Combination) -> str:
    """A combination as 3/4*w0 + w1."""
    return " + ".join(f"w{t}" if c == 1 else f"{c}*w{t}" for t, c in combination) or "nothing"


def _combined(array: Array, axis: int, combination: Combination) -> Array:
    parts = [scaled(array.take(tap, axis), c) for tap, c in combination]
    return sum(parts[1:], parts[0]) if parts else np.zeros_like(array.take(0, axis))


def _one(values: list[int]) -> int | tuple[int, ...]:
    """One int for equal ones."""
    return values[0] if len(set(values)) == 1 else tuple(values)


def _padding(pairs: list[tuple[int, int]]) -> int | tuple[int | tuple[int, int], ...]:
    alike = [before if before == after >= 0 else (before, after) for before, after in pairs]
    first = alike[0]
    return first if isinstance(first, int) and len(set(alike)) == 1 else tuple(alike)
