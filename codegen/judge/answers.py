"""What each function of an operator gives, in integers: the exact answer over one denominator.

The coefficients of an axis are multiplied by their common denominator, so every answer is an
integer array over one number. Floats do the sums where they hold all of them, then int64, then
Python's integers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from math import lcm, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codegen.rounding import DIRECTIONS
from derive import Operator
from derive.apply import by_strands, weight_gradient
from derive.core.axis import Axis
from derive.core.form import TrilinearForm
from derive.core.resize_rule import ResizeRule
from derive.core.rules import AdjointRule, AxisRule, ChainRule

Ints = NDArray[np.int64]
BITS = {"int8": 7, "int16": 15, "int32": 31, "int64": 62}
HELD = {2**24: np.float32, 2**53: np.float64}  # which hold all integers up to here


@dataclass(frozen=True, slots=True)
class Sample:
    """Integers for every argument: x and grad (batch, *shape), weight and bias, None if none."""

    x: Ints
    weight: Ints | None
    bias: Ints | None
    grad: Ints

    @property
    def batch(self) -> tuple[int, ...]:
        """Of one axis."""
        return (len(self.x),)

    def absolute(self) -> Sample:
        """The magnitudes, for bounds."""
        weight = None if self.weight is None else abs(self.weight)
        bias = None if self.bias is None else abs(self.bias)
        return Sample(abs(self.x), weight, bias, abs(self.grad))


@dataclass(frozen=True)
class Answers:
    """The exact answers of an operator of fixed size; ``absolute`` takes coefficients' magnitudes.

    >>> import numpy as np
    >>> from derive import Interpolate
    >>> half = Answers(Interpolate(1, 2, scale_factor=2, mode="linear"))
    >>> x = Sample(np.array([[[0, 4]]]), None, None, np.zeros((1, 1, 4), int))
    >>> half.denominator, half.of("forward", x)
    (4, array([[[ 0,  4, 12, 16]]]))
    """

    op: Operator
    absolute: bool = False

    @property
    def denominator(self) -> int:
        """What ``of`` must be divided by."""
        return prod(_denominator(axis) for axis in self.op.axes)

    @cached_property
    def form(self) -> TrilinearForm:
        """The form of the operator with integers for coefficients."""
        axes = tuple(_whole(axis, absolute=self.absolute) for axis in self.op.axes)
        return replace(self.op.form, axes=axes)

    def shape(self, direction: str) -> tuple[int, ...]:
        """Of one sample's result; of the whole one for the gradients of weight and bias."""
        found = {
            "forward": self.op.output_shape,
            "input_gradient": self.op.input_shape,
            "weight_gradient": self.op.form.weight_shape,
            "bias_gradient": self.op.output_shape[:1],
        }
        return found[direction]

    def terms(self, direction: str, batch: int) -> int:
        """The most products that one result is a sum of."""
        form, axes = self.op.form, self.op.axes
        if direction in ("forward", "input_gradient"):
            form = form if direction == "forward" else form.adjoint
            return form.channels_in * prod(_widest(axis) for axis in form.axes)
        positions = prod(axis.n_out for axis in axes)
        if direction == "weight_gradient":
            positions = prod(max((_reach(axis).values()), default=0) for axis in axes)
        return batch * positions

    def of(self, direction: str, sample: Sample) -> Ints:
        """The answer times ``denominator``, (batch, *shape) or the shape of weight or bias."""
        if direction == "bias_gradient":
            axes = (0, *range(2, sample.grad.ndim))
            return multiplied(sample.grad.sum(axis=axes), self.denominator)
        working = self._working(direction, sample)
        if direction == "weight_gradient":
            x, grad = np.asarray(sample.x, working), np.asarray(sample.grad, working)
            return _integers(weight_gradient(self.form, x, grad))
        form, given = self.form, np.asarray(sample.x, working)
        if direction == "input_gradient":
            form, given = form.adjoint, np.asarray(sample.grad, working)
        result = _integers(self._applied(form, given, sample.weight))
        if direction == "forward" and sample.bias is not None:
            added = sample.bias.reshape(-1, *(1 for _ in form.axes))
            result = result + multiplied(added, self.denominator)
        return result

    def values(self, direction: str, sample: Sample) -> NDArray[Any]:
        """The answer itself: integers, or where there are fractions the nearest floats."""
        whole, by = self.of(direction, sample), self.denominator
        return whole if by == 1 else np.asarray(whole / by, np.float64)

    def _working(self, direction: str, sample: Sample) -> np.dtype[Any]:
        """An arithmetic that holds every sum of the answer."""
        weight = 1 if sample.weight is None else _largest(sample.weight)
        sides = {
            "forward": _largest(sample.x) * weight,
            "input_gradient": _largest(sample.grad) * weight,
            "weight_gradient": _largest(sample.x) * _largest(sample.grad),
        }
        sums = self.terms(direction, len(sample.x)) * sides[direction]
        for axis in self.form.axes:
            sums *= max((abs(int(s.coefficient)) for s in axis.strands), default=1)
        if sums >= 2**62:
            return np.dtype(object)
        return np.dtype(next((each for bound, each in HELD.items() if sums < bound), np.int64))

    @staticmethod
    def _applied(form: TrilinearForm, x: NDArray[np.generic], weight: Ints | None) -> Ints:
        if weight is not None:
            result: Ints = by_strands(form, weight.astype(x.dtype))(x)
            return result
        for place, axis in enumerate(form.axes, start=2):  # nothing learned: axis by axis
            matrix = np.zeros((axis.n_out, axis.n_in), x.dtype)
            for y, _, at, c in axis.entries():
                matrix[y, at] += int(c)
            x = np.moveaxis(np.moveaxis(x, place, -1) @ matrix.T, -1, place)
        return np.asarray(x)


def directions(op: Operator) -> tuple[str, ...]:
    """The functions that an operator has: without a weight there is none to derive by."""
    return DIRECTIONS if op.learned else DIRECTIONS[:2]


def rounds(op: Operator) -> bool:
    """Whether a right kernel may round: a resize that blends computes weights that are fractions.

    >>> from derive import Interpolate
    >>> rounds(Interpolate(1, 1, size=3, mode="linear")), rounds(Interpolate(1, 2, size=3))
    (True, False)
    """
    return any(_blends(rule) for rule in op.rules)


def _blends(rule: AxisRule) -> bool:
    if isinstance(rule, ChainRule):
        return _blends(rule.outer) or _blends(rule.inner)
    if isinstance(rule, AdjointRule):
        return _blends(rule.rule)
    return isinstance(rule, ResizeRule) and not rule.kind.startswith("nearest")


def _largest(array: Ints) -> int:
    return int(abs(array).max(initial=1))


def multiplied(array: Ints, by: int) -> Ints:
    """``by * array``, in Python's integers where int64 does not hold it."""
    wide = by * _largest(array) >= 2**62
    return np.asarray((array.astype(object) if wide else array) * by)


def _integers(array: NDArray[Any]) -> Ints:
    """As int64; Python's integers stay what they are."""
    return array if array.dtype == object else array.astype(np.int64)


def _denominator(axis: Axis) -> int:
    return lcm(*(s.coefficient.denominator for s in axis.strands))


def _whole(axis: Axis, *, absolute: bool) -> Axis:
    """The axis with integers for coefficients."""
    by = _denominator(axis)
    if by == 1 and not absolute:
        return axis
    size = abs if absolute else (lambda value: value)
    return replace(
        axis,
        strands=tuple(replace(s, coefficient=size(s.coefficient * by)) for s in axis.strands),
    )


def _widest(axis: Axis) -> int:
    """The most triples of one output."""
    return max((sum(len(tap.weights) for tap in run.taps) for run in axis.runs), default=0)


def _reach(axis: Axis) -> dict[int, int]:
    """How many positions each tap sums over."""
    found: dict[int, int] = {}
    for strand in axis.strands:
        found[strand.tap] = found.get(strand.tap, 0) + strand.count
    return found
