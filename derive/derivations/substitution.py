"""Putting the numbers of an axis into a derivation, and holding each against the exact axis."""

from __future__ import annotations

from collections.abc import Mapping

import sympy

from derive.core.derivation import Derivation, Step
from derive.core.notation import text

Values = Mapping[sympy.Basic, object]


class gcd(sympy.Function):  # type: ignore[misc]  # noqa: N801 - printed as it is named
    """The greatest common divisor of two integers; SymPy's own takes symbols for polynomials.

    >>> gcd(4, 6), gcd(sympy.Symbol("s"), 2)
    (2, gcd(s, 2))
    """

    nargs = 2

    @classmethod
    def eval(cls, a: sympy.Expr, b: sympy.Expr) -> sympy.Expr | None:
        return sympy.igcd(a, b) if a.is_Integer and b.is_Integer else None


def equation(left: object, right: object) -> sympy.Eq:
    """``left = right`` as it is written, also where SymPy could decide it."""
    return sympy.Eq(sympy.sympify(left), sympy.sympify(right), evaluate=False)


def put_in(formula: sympy.Eq, values: Values) -> sympy.Eq:
    """The formula with numbers on its right side.

    >>> n, m = sympy.symbols("n m")
    >>> put_in(sympy.Eq(n, m + 1), {m: 2})
    Eq(n, 3)
    """
    return equation(formula.lhs, formula.rhs.subs(dict(values), simultaneous=True))


def with_numbers(
    general: Derivation,
    values: Values,
    formula: sympy.Basic,
    *more: Step,
) -> Derivation:
    """The general derivation, then ``more`` steps, then the formula of one axis."""
    steps = general.steps
    if steps[-1].statement != general.formula:
        steps = (*steps, Step(general.formula, "so in general"))
    left = (c.subs(dict(values), simultaneous=True) for c in general.conditions)
    conditions = tuple(c for c in left if c != sympy.true)
    return Derivation(general.title, (*steps, *more), formula, conditions)


def agree(what: sympy.Basic | str, derived: object, found: object) -> None:
    """AssertionError, a fault of this program, unless a derived number is the axis's own.

    >>> agree("the size", 3, 4)
    Traceback (most recent call last):
    ...
    AssertionError: the size: derived is 3, the axis has 4
    """
    if derived != found:
        words = what if isinstance(what, str) else text(what)
        raise AssertionError(f"{words}: derived is {derived}, the axis has {found}")
