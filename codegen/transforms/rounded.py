"""Numbers with the errors that a kernel makes of them, through fixed matrices.

``error`` bounds how far the kernel's number, and ours in float64, are from the exact one. An
addition errs by at most half the distance of floats at its result, whatever was exact before it (N.
Higham, Accuracy and Stability of Numerical Algorithms, 2nd edition, section 3.3): fused or not, as
a product that is rounded before it is added is counted, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import numpy as np
from numpy.typing import NDArray

from codegen.rounding import PRECISION, gamma, rounded_up
from derive.winograd import row_roundings
from derive.winograd.rational import Matrix

from .linear import Step, steps

Array = NDArray[np.float64]
HELD = 2**53  # integers up to it are float64
EXPONENT = np.int64(0x7FF0000000000000)  # of a float64: alone, the power of 2 below its magnitude


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Of a dtype: ``unit`` of its roundings, its ``smallest`` number, ``half`` of its largest."""

    dtype: str
    unit: float
    smallest: float
    half: float

    @classmethod
    def of(cls, dtype: str) -> Arithmetic:
        """Of float32 or float64."""
        found, unit = np.finfo(dtype), 2.0 ** -PRECISION[dtype]
        return cls(dtype, unit, float(found.smallest_subnormal), float(found.max) / 2)

    def gamma(self, n: int) -> float:
        """n*u/(1 - n*u), rounded up."""
        return rounded_up(gamma(n, self.dtype)) if n else 0.0

    def within(self, error: Array, reach: Array) -> Array:
        """The error; inf where ``reach``, the largest number on the way, may leave the range."""
        error[reach > self.half] = np.inf
        return error


@dataclass(frozen=True, slots=True)
class Rounded:
    """Numbers in float64, and how far they and those of the kernel may be from the exact ones."""

    value: Array
    error: Array

    @property
    def reach(self) -> Array:
        """The largest magnitudes that the kernel's may have."""
        return np.asarray(np.abs(self.value) + 2 * self.error)

    @classmethod
    def stacked(cls, parts: Sequence[Rounded]) -> Rounded:
        """Side by side on a new first axis."""
        return cls(np.stack([p.value for p in parts]), np.stack([p.error for p in parts]))

    def at(self, j: int) -> Rounded:
        """Those of place j on the first axis."""
        return Rounded(self.value[j], self.error[j])

    def moved(self, source: int, target: int) -> Rounded:
        """One axis in another place."""
        return self.each(lambda a: np.moveaxis(a, source, target))

    def each(self, change: Callable[[Array], Array]) -> Rounded:
        """With other places for its numbers."""
        return Rounded(change(self.value), change(self.error))

    def plus(self, other: Rounded, arithmetic: Arithmetic) -> Rounded:
        """The sum, rounded."""
        exact = Rounded(self.value + other.value, self.error + other.error)
        reach = exact.reach
        error = exact.error + arithmetic.unit * spacing(reach)
        return Rounded(exact.value, arithmetic.within(error, reach))

    def times(self, constant: Fraction, arithmetic: Arithmetic, *, same: bool = False) -> Rounded:
        """The product with a constant, which may be rounded before; 1 and -1 change nothing.

        It is that with the ``same`` rounded constant if the kernel's is known to be ours.
        """
        value, size = float(constant) * self.value, abs(float(constant))
        if size == 1:
            return Rounded(value, self.error)
        reach, n = size * self.reach, row_roundings((constant,))
        once = n == 1 or (same and max(constant.as_integer_ratio()) < HELD)
        rounding = arithmetic.unit * spacing(reach) if once else arithmetic.gamma(n) * reach
        error = size * self.error + rounding + (reach > 0) * arithmetic.smallest
        return Rounded(value, arithmetic.within(error, reach))


def spacing(reach: Array) -> Array:
    """The power of 2 below each number: at most unit times it is an error of rounding to it.

    >>> spacing(np.array([0.0, 1.5, 0.3]))
    array([0.  , 1.  , 0.25])
    """
    return (reach.view(np.int64) & EXPONENT).view(np.float64)


@dataclass(frozen=True, slots=True)
class Stage:
    """A matrix as a kernel multiplies it: step by step, as ``linear.steps`` says.

    >>> one = Fraction(1)
    >>> exact = Rounded(np.array([[1.5], [0.75]]), np.zeros((2, 1)))
    >>> y = Stage.of(((one, one), (one, 0 * one)), Arithmetic.of("float32"))(exact)
    >>> y.value.ravel(), (y.error * 2**24).ravel()  # 2.25 is between 2 and 4
    (array([2.25, 1.5 ]), array([2., 0.]))
    """

    steps: tuple[Step, ...]
    columns: int
    rows: int
    arithmetic: Arithmetic

    @classmethod
    @cache
    def of(cls, matrix: Matrix, arithmetic: Arithmetic) -> Stage:
        """The stage of a matrix in an arithmetic."""
        columns, rows = len(matrix[0]), len(matrix)
        found = steps(matrix, _names("x", columns), _names("y", rows))
        return cls(tuple(found), columns, rows, arithmetic)

    def __call__(self, x: Rounded) -> Rounded:
        """Along the first axis: (columns, ...) -> (rows, ...)."""
        known = {name: x.at(j) for j, name in enumerate(_names("x", self.columns))}
        nothing = Rounded(np.zeros(x.value.shape[1:]), np.zeros(x.value.shape[1:]))
        for step in self.steps:
            parts = [known[source].times(c, self.arithmetic) for c, source in step.terms]
            total = parts[0] if parts else nothing
            for part in parts[1:]:
                total = total.plus(part, self.arithmetic)
            known[step.target] = total
        made = [known[name] for name in _names("y", self.rows)]
        return Rounded.stacked(made)


def _names(letter: str, count: int) -> list[str]:
    return [f"{letter}{i}" for i in range(count)]
