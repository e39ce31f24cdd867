"""A size formula as a function in Python and in C, both printed from the one SymPy object.

Division rounds down in both. C's ``/`` rounds towards zero: a kernel of 5 on an input of 4 with
stride 2 would have 1 output instead of 0, so the C calls ``floor_div``.
"""

from __future__ import annotations

from typing import Any

import sympy
from sympy.printing.c import C99CodePrinter
from sympy.printing.pycode import PythonCodePrinter

from .notation import READING_ORDER

FLOOR_DIV = """\
static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b != 0 && (a % b < 0) != (b < 0));
}
"""


def _quotient(floor: sympy.floor) -> tuple[sympy.Expr, sympy.Expr]:
    """Numerator and denominator of what is rounded down, whole numbers where the symbols are."""
    numerator, denominator = sympy.fraction(sympy.together(floor.args[0]))
    return numerator, denominator


class FloorDivision(PythonCodePrinter):  # type: ignore[misc]
    """Prints floor(a/b) as a//b: exact for integers of any size."""

    def _print_floor(self, expression: sympy.floor) -> str:
        numerator, denominator = _quotient(expression)
        return f"(({self._print(numerator)})//({self._print(denominator)}))"


class _C(C99CodePrinter):  # type: ignore[misc]
    """Prints floor(a/b) and a mod b by floor_div, Max and Min by comparison, all in int64."""

    def _print_Integer(self, expression: sympy.Integer) -> str:  # noqa: N802
        return f"INT64_C({expression})" if abs(expression) >= 2**31 else str(expression)

    def _print_floor(self, expression: sympy.floor) -> str:
        return self._divided(*_quotient(expression))

    def _print_Mod(self, expression: sympy.Mod) -> str:  # noqa: N802
        a, b = expression.args
        return f"({self._print(a)} - ({self._print(b)})*{self._divided(a, b)})"

    def _divided(self, a: sympy.Expr, b: sympy.Expr) -> str:
        return f"floor_div({self._print(a)}, {self._print(b)})"

    def _print_Max(self, expression: sympy.Max) -> str:  # noqa: N802
        return self._chosen(expression, ">")

    def _print_Min(self, expression: sympy.Min) -> str:  # noqa: N802
        return self._chosen(expression, "<")

    def _chosen(self, expression: sympy.Expr, sign: str) -> str:
        best, *others = map(self._print, expression.args)
        for other in others:
            best = f"(({best}) {sign} ({other}) ? ({best}) : ({other}))"
        return str(best)


def python(formula: sympy.Eq) -> str:
    """The formula as a Python function of its symbols, named as what it defines.

    ValueError where the formula divides without rounding down.

    >>> n_in, n_out, s = sympy.symbols("n_in n_out s", integer=True)
    >>> print(python(sympy.Eq(n_out, sympy.floor((n_in - 1) / s) + 1)))
    def n_out(n_in, s):
        return ((n_in - 1)//(s)) + 1
    """
    names = ", ".join(_arguments(formula))
    body = FloorDivision(_OPTIONS).doprint(formula.rhs)
    return f"def {formula.lhs}({names}):\n    return {body}"


def c(formula: sympy.Eq) -> str:
    """The formula as a C11 function of int64_t, exact while no intermediate result overflows.

    It calls ``floor_div``, whose text is ``FLOOR_DIV``, and needs stdint.h. ValueError as above.

    >>> n_in, n_out, s = sympy.symbols("n_in n_out s", integer=True)
    >>> print(c(sympy.Eq(n_out, sympy.floor((n_in - 1) / s) + 1)))
    int64_t n_out(int64_t n_in, int64_t s)
    {
        return floor_div(n_in - 1, s) + 1;
    }
    """
    parameters = ", ".join(f"int64_t {name}" for name in _arguments(formula)) or "void"
    body = _C(_OPTIONS).doprint(formula.rhs)
    return f"int64_t {formula.lhs}({parameters})\n{{\n    return {body};\n}}"


_OPTIONS: dict[str, Any] = {"strict": True}


def _arguments(formula: sympy.Eq) -> list[str]:
    """The names of the symbols on the right, in the order in which they are read."""
    place = {name: i for i, name in enumerate(READING_ORDER)}
    floors = {f: sympy.Dummy(integer=True) for f in formula.rhs.atoms(sympy.floor, sympy.Mod)}
    if sympy.fraction(sympy.together(formula.rhs.xreplace(floors)))[1] != 1:
        raise ValueError(f"formula = {formula}: allowed are divisions inside floor(...) only")
    return sorted(map(str, formula.rhs.free_symbols), key=lambda name: (place.get(name, 99), name))
