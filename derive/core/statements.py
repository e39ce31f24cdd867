"""What a rule says of the positions along its axis, as SymPy statements."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache

import sympy

from .notation import text
from .relation import Relation
from .sizes import N_IN, N_OUT, T, X, Y


@dataclass(frozen=True, slots=True)
class Names:
    """The symbols for output and input position, and for their numbers."""

    y: sympy.Symbol = Y
    x: sympy.Symbol = X
    n_out: sympy.Symbol = N_OUT
    n_in: sympy.Symbol = N_IN

    @property
    def exchanged(self) -> Names:
        """Those of the adjoint."""
        return Names(self.x, self.y, self.n_in, self.n_out)


FORWARD = Names()


@dataclass(frozen=True, slots=True)
class Statement:
    """A relation of positions, and a note on it in plain text.

    >>> print(Statement(sympy.Eq(X, Y + T), "reflect beyond the border"))
    x = y + t  (reflect beyond the border)
    """

    relation: sympy.Basic
    note: str = ""

    def __str__(self) -> str:
        return text(self.relation) + (self.note and f"  ({self.note})")


class Stated(ABC):
    """A rule that says what it is: one statement, or one for each part of a chain."""

    __slots__ = ()

    @abstractmethod
    def statements(self, names: Names = FORWARD) -> tuple[Statement, ...]:
        """What holds between the positions, the innermost part first."""

    @property
    def equation(self) -> str:
        """The statements in one line of text."""
        return _in_one_line(self.statements())


@lru_cache(maxsize=1024)  # few relations, asked for by each file of each operator
def _in_one_line(statements: tuple[Statement, ...]) -> str:
    return ", then ".join(map(str, statements))


@lru_cache(maxsize=1024)
def related(relation: Relation, names: Names = FORWARD) -> sympy.Eq:
    """The relation with its numbers and a positive tap.

    >>> print(text(related(Relation(stride=2, pad=1))))
    x = 2*y + t - 1
    >>> print(text(related(Relation(stride=2, pad=1).adjoint())))
    y = 2*x + t - 1
    """
    if relation.dilation < 0:
        return related(relation.adjoint(), names.exchanged)
    read = relation.stride * names.y + relation.dilation * T - relation.pad
    return sympy.Eq(relation.up * names.x, read)
