"""SymPy statements about integers as z3's.

A quotient rounded down and its remainder are two new integers q and r with a = b*q + r and
0 <= r < b; that b > 0 has to be proven along with the claim.
"""

from __future__ import annotations

from functools import reduce
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import sympy
from sympy.core.relational import Relational

if TYPE_CHECKING:
    import z3


class Translation:
    """Translates statements one after the other, and gathers what their quotients stand for."""

    def __init__(self, z3: Any) -> None:
        self._z3 = z3
        self.integers: dict[str, Any] = {}
        self.meanings: list[z3.BoolRef] = []
        self.positive: list[z3.BoolRef] = []
        self._quotients: dict[tuple[sympy.Expr, sympy.Expr], tuple[Any, Any]] = {}

    def __call__(self, node: sympy.Basic) -> Any:
        """The statement or term in z3; TypeError for what is not about integers."""
        z3 = self._z3
        match node:
            case sympy.Symbol():
                return self.integers.setdefault(node.name, z3.Int(node.name))
            case sympy.Integer():
                return z3.IntVal(int(node))
            case sympy.floor():
                return self._divided(*sympy.fraction(sympy.together(node.args[0])))[0]
            case sympy.Mod():
                return self._divided(*node.args)[1]
            case Relational():
                return self._relation(node)
        parts = (
            [self(arg) for arg in node.args] if not node.is_Pow and not node.is_Piecewise else []
        )
        match node:
            case sympy.Add():
                return z3.Sum(parts)
            case sympy.Mul():
                return z3.Product(parts)
            case sympy.Pow(args=(base, exponent)) if exponent.is_Integer and exponent > 0:
                return z3.Product([self(base)] * int(exponent))
            case sympy.Max():
                return reduce(lambda a, b: z3.If(a >= b, a, b), parts)
            case sympy.Min():
                return reduce(lambda a, b: z3.If(a <= b, a, b), parts)
            case sympy.Piecewise():
                return self._cases(node)
            case sympy.And():
                return z3.And(*parts)
            case sympy.Or():
                return z3.Or(*parts)
            case sympy.Not():
                return z3.Not(*parts)
            case sympy.Implies():
                return z3.Implies(*parts)
            case sympy.Equivalent():
                return z3.And(*(a == b for a, b in pairwise(parts)))
            case sympy.logic.boolalg.BooleanAtom():
                return z3.BoolVal(bool(node))
        raise TypeError(f"{node} of kind {type(node).__name__} is no statement about integers")

    def _relation(self, node: Relational) -> Any:
        """Both sides times their common denominator, where that is a positive number."""
        left, right = node.lhs, node.rhs
        scale = sympy.ilcm(*(int(q) for q in _denominators(left) + _denominators(right)), 1)
        a, b = (self(sympy.expand(scale * side) if scale > 1 else side) for side in (left, right))
        match node.rel_op:
            case "==":
                return a == b
            case "!=":
                return a != b
            case "<":
                return a < b
            case "<=":
                return a <= b
            case ">":
                return a > b
        return a >= b

    def _cases(self, node: sympy.Piecewise) -> Any:
        *cases, (last, _) = node.args
        result = self(last)
        for value, condition in reversed(cases):
            result = self._z3.If(self(condition), self(value), result)
        return result

    def _divided(self, a: sympy.Expr, b: sympy.Expr) -> tuple[Any, Any]:
        """Quotient and remainder: two integers of their own."""
        if (a, b) not in self._quotients:
            z3, number = self._z3, len(self._quotients)
            above, below = self(a), self(b)
            if b == 1:
                return above, z3.IntVal(0)
            q, r = z3.Int(f"quotient {number}"), z3.Int(f"remainder {number}")
            self._quotients[a, b] = q, r
            meaning = z3.And(above == below * q + r, r >= 0, r < below)
            self.meanings.append(meaning if b.is_Integer else z3.Implies(below > 0, meaning))
            if not b.is_Integer:
                self.positive.append(below > 0)
        return self._quotients[a, b]


def _denominators(side: sympy.Expr) -> list[int]:
    """Of the numbers in a sum of products; those inside a floor are not looked at."""
    numbers = (term.as_coeff_Mul()[0] for term in sympy.Add.make_args(side))
    return [int(number.q) for number in numbers if number.is_Rational]
