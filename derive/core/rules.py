"""How an axis follows from its size: one rule per layer axis, valid for every n.

``rule.at(n)`` is the axis whose free size is n; ``rule.size`` derives its output size, and
``rule.values`` gives the numbers for the symbols of that derivation. From ``settled`` on, adding
``period`` to n lengthens the interior runs, moves the upper border, and changes nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from typing import Protocol

import sympy

from . import sizes
from .axis import Axis
from .convolution_rule import ConvolutionRule, TransposedRule
from .derivation import Derivation
from .statements import FORWARD, Names, Stated, Statement

__all__ = [
    "AdjointRule",
    "AxisRule",
    "ChainRule",
    "ConvolutionRule",
    "TransposedRule",
    "sized_by_output",
]


class AxisRule(Protocol):
    """What an operator knows of one of its axes before the size is fixed."""

    @property
    def n_tap(self) -> int: ...

    @property
    def equation(self) -> str: ...

    def statements(self, names: Names = FORWARD) -> tuple[Statement, ...]: ...

    @property
    def period(self) -> int: ...

    @property
    def settled(self) -> int: ...

    @property
    def size(self) -> Derivation: ...

    @property
    def adjoint_size(self) -> Derivation: ...

    @property
    def values(self) -> dict[sympy.Symbol, int]: ...

    @property
    def adjoint_values(self) -> dict[sympy.Symbol, int]: ...

    def at(self, n: int) -> Axis: ...


@dataclass(frozen=True, slots=True)
class AdjointRule(Stated):
    """The adjoint of a rule; its free size stays the one of that rule."""

    rule: AxisRule

    @property
    def n_tap(self) -> int:
        return self.rule.n_tap

    def statements(self, names: Names = FORWARD) -> tuple[Statement, ...]:
        """Those of the rule, input and output having changed places, a chain from its other end."""
        return self.rule.statements(names.exchanged)[::-1]

    @property
    def period(self) -> int:
        return self.rule.period

    @property
    def settled(self) -> int:
        return self.rule.settled

    def at(self, n: int) -> Axis:
        return self.rule.at(n).adjoint()

    @property
    def size(self) -> Derivation:
        return self.rule.adjoint_size

    @property
    def adjoint_size(self) -> Derivation:
        return self.rule.size

    @property
    def values(self) -> dict[sympy.Symbol, int]:
        return self.rule.adjoint_values

    @property
    def adjoint_values(self) -> dict[sympy.Symbol, int]:
        return self.rule.values


@dataclass(frozen=True, slots=True)
class ChainRule(Stated):
    """One rule after another along an axis; the free size is that of the inner rule.

    ``between`` is the size of the outer rule where that is sized by its output: it does not
    follow from n, so such a chain has one size only.
    """

    outer: AxisRule
    inner: AxisRule
    between: int | None = None

    @property
    def n_tap(self) -> int:
        return self.outer.n_tap * self.inner.n_tap

    def statements(self, names: Names = FORWARD) -> tuple[Statement, ...]:
        """Those of both, the inner first."""
        return (*self.inner.statements(names), *self.outer.statements(names))

    def _outer(self, n: int) -> Axis:
        inner = self.inner.at(n)
        return self.outer.at(inner.n_out if self.between is None else self.between)

    @property
    def period(self) -> int:
        """The least number of inner periods that the outer rule sees as whole periods."""
        if self.between is not None:
            raise ValueError(
                "input_size: a chain that ends in an adjoint has no normal form for free sizes"
            )
        n = self.inner.settled
        growth = self.inner.at(n + self.inner.period).n_out - self.inner.at(n).n_out
        return self.inner.period * (self.outer.period // gcd(growth, self.outer.period))

    @property
    def settled(self) -> int:
        n = self.inner.settled
        while self.inner.at(n).n_out < 2 * self.outer.settled:
            n *= 2
        return 2 * n

    def at(self, n: int) -> Axis:
        return self._outer(n).after(self.inner.at(n))

    @property
    def size(self) -> Derivation:
        return sizes.chained(self.inner.size, self.inner.values, self.outer.size, self.outer.values)

    @property
    def adjoint_size(self) -> Derivation:
        return sizes.chained(
            self.outer.adjoint_size,
            self.outer.adjoint_values,
            self.inner.adjoint_size,
            self.inner.adjoint_values,
        )

    @property
    def values(self) -> dict[sympy.Symbol, int]:
        return {}

    @property
    def adjoint_values(self) -> dict[sympy.Symbol, int]:
        return {}


def sized_by_output(rule: AxisRule) -> bool:
    """Whether the free size of the rule is that of its output: an adjoint's is.

    >>> sized_by_output(AdjointRule(ConvolutionRule(kernel=3)))
    True
    """
    if isinstance(rule, ChainRule):
        return sized_by_output(rule.inner)
    return isinstance(rule, AdjointRule)
