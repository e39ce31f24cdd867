"""Checkerboards: whether every output between the borders gets the same share of the kernel."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import prod

import sympy
from numpy.typing import ArrayLike

from derive.arguments import refuse
from derive.errors import GeometryError
from derive.linear_map import LinearMap
from derive.operator import Operator
from derive.weights import Array

from .phases import AxisPhases, axis_phases, rules_of
from .quiet_kernels import QuietKernels
from .theorem import theorem_of


@dataclass(frozen=True)
class Unreached:
    """How many positions nothing reaches, of how many; and their share as the size grows."""

    count: int
    total: int
    limit: Fraction

    @property
    def fraction(self) -> Fraction:
        """The share at this size."""
        return Fraction(self.count, self.total)

    def __str__(self) -> str:
        return f"{self.count} of {self.total} ({self.limit} in the limit)"


@dataclass(frozen=True)
class Checkerboard:
    """What ``checkerboard(op)`` found. All numbers are exact.

    ``axes`` holds the analysis of each axis, ``theorem`` why it is so, in words.
    """

    op: LinearMap
    axes: tuple[AxisPhases, ...]
    theorem: str

    @property
    def phases(self) -> tuple[tuple[Fraction, ...], ...]:
        """N_r of each phase r of each axis: taps that reach it between the borders.

        Where a coefficient is not 1, the sum of the coefficients; in n dimensions the product of
        one per axis.
        """
        return tuple(axis.overlaps for axis in self.axes)

    @property
    def uniform(self) -> bool:
        """Whether all phases have one overlap, so that no kernel of ones makes a pattern."""
        return all(len(set(overlaps)) == 1 for overlaps in self.phases)

    @property
    def ratio(self) -> Fraction | None:
        """The largest overlap to the least, between the borders; None where some output is dead."""
        if any(min(overlaps) <= 0 for overlaps in self.phases):
            return None
        return Fraction(prod(max(overlaps) / min(overlaps) for overlaps in self.phases))

    @property
    def ramp(self) -> tuple[tuple[int, int], ...]:
        """Outputs at the (lower, upper) border of each axis that lack taps of their phase."""
        return tuple(axis.ramp for axis in self.axes)

    @property
    def dead_outputs(self) -> Unreached:
        """Output positions that no tap reaches: they hold the bias whatever the weight."""
        total = prod(self.op.output_shape[1:])
        sizes = zip(self.op.output_shape[1:], self.axes, strict=True)
        live = prod(n - axis.dead for n, axis in sizes)
        return Unreached(total - live, total, Fraction(1 - prod(a.live_phases for a in self.axes)))

    @property
    def unread_inputs(self) -> Unreached:
        """Input positions that no output reads."""
        total = prod(self.op.input_shape[1:])
        sizes = zip(self.op.input_shape[1:], self.axes, strict=True)
        read = prod(n - axis.unread for n, axis in sizes)
        return Unreached(total - read, total, Fraction(1 - prod(a.read_phases for a in self.axes)))

    @cached_property
    def _kernels(self) -> QuietKernels:
        if not isinstance(self.op, Operator) or self.op.weight_shape is None:
            raise GeometryError(
                f"op = {self.op!r}: allowed is an operator with exactly one weight, whose kernels "
                "are a linear space"
            )
        return QuietKernels(self.op.weight_shape[2:], tuple(axis.sums for axis in self.axes))

    @property
    def basis(self) -> tuple[Array, ...]:
        """A rational basis of the kernels that make no checkerboard at all.

        Arrays of the kernel's shape, of Fractions. These kernels give a constant input the same
        answer in every phase.
        """
        return self._kernels.basis

    @property
    def constraints(self) -> tuple[sympy.Eq, ...]:
        """The equations of those kernels, in symbols w[...]."""
        return self._kernels.constraints

    def project(self, weight: ArrayLike) -> Array:
        """The nearest weight, by least squares, all of whose kernels make no checkerboard.

        ``weight`` has the operator's weight_shape, or any shape that ends in the kernel's. Floats
        stay floats of their dtype; integers and Fractions give Fractions.
        """
        return self._kernels.project(weight)

    def __str__(self) -> str:
        """The verdict in a few lines."""
        each = [" ".join(map(str, overlaps)) for overlaps in self.phases]
        taps = " x ".join(f"({words})" for words in each)
        if self.uniform:
            lines = [f"no checkerboard: overlap {taps} by phase"]
        else:
            ratio = "some outputs dead" if self.ratio is None else f"ratio {self.ratio}"
            lines = [f"checkerboard: overlap {taps} by phase, {ratio}"]
        if self.dead_outputs.count:
            lines.append(f"dead outputs: {self.dead_outputs}")
        if self.unread_inputs.count:
            lines.append(f"inputs never read: {self.unread_inputs}")
        if any(map(any, self.ramp)):
            sides = ", ".join(f"{before} before and {after} after" for before, after in self.ramp)
            lines.append(f"border ramp: {sides}")
        return "\n".join([*lines, self.theorem])


def checkerboard(op: LinearMap) -> Checkerboard:
    """The analysis of an operator of fixed size, from its axes: the work does not grow with size.

    >>> from derive import ConvTranspose1d
    >>> found = checkerboard(ConvTranspose1d(1, 1, 3, stride=2, input_size=8))
    >>> print(found)
    checkerboard: overlap (2 1) by phase, ratio 2
    border ramp: 1 before and 1 after
    uniform exactly when gcd(stride, dilation) = 1 and stride divides kernel: gcd(2, 1) = 1, and 2 \
does not divide 3
    >>> found.constraints
    (Eq(w[0] + w[2], w[1]),)
    >>> print(*found.project([1, 1, 1]))
    2/3 4/3 2/3
    """
    if not isinstance(op, LinearMap):
        refuse("op", op, "an operator")
    rules = rules_of(op) or (None,) * len(op.axes)
    axes = tuple(axis_phases(axis, rule) for axis, rule in zip(op.axes, rules, strict=True))
    return Checkerboard(op, axes, theorem_of(op))
