"""Formulas as people write them, in text and in LaTeX: sizes first, numbers last.

SymPy sorts the terms of a sum by its own rules, ``-d*(k - 1) + n_in + p_0``; a reader looks for
the size first. Both printers here, and that of mathml, share one order of terms, and write
``a = b`` and ``a <= b < c``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy
from sympy.core.relational import Relational, _Inequality
from sympy.printing.latex import LatexPrinter
from sympy.printing.str import StrPrinter

READING_ORDER = ("n_in", "n_out", "y", "x", "e", "t", "p_0", "p_1", "k", "d", "s", "u", "o")
_PLACE = {name: place for place, name in enumerate(READING_ORDER)}
_SIGNS = {"==": "=", "<=": "<=", "<": "<", ">=": ">=", ">": ">", "!=": "!="}
_LATEX_SIGNS = {"<=": r"\leq", "<": "<"}


_SPECIAL = {c: f"\\{c}" for c in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}


class Equalities(sympy.Basic):  # type: ignore[misc]
    """``a = b = c``: expressions that are equal, in the order in which they are written.

    >>> text(Equalities(sympy.Symbol("n"), sympy.Symbol("k") + 1, sympy.Integer(3)))
    'n = k + 1 = 3'
    """


class Near(sympy.Basic):  # type: ignore[misc]
    """``x near a``: the position a, which a kernel rounds or weighs.

    >>> latex(Near(sympy.Symbol("x"), sympy.Symbol("y") / 2))
    'x \\\\approx \\\\frac{y}{2}'
    """


class Ordered:
    """Terms of a sum by the first of their symbols in reading order; plain numbers last."""

    def _as_ordered_terms(self, sum_: sympy.Expr, order: object = None) -> list[sympy.Expr]:
        return sorted(sum_.as_ordered_terms(), key=_place)


def _place(term: sympy.Expr) -> int:
    symbols = term.free_symbols
    if not symbols:
        return len(_PLACE) + 1
    return min(_PLACE.get(str(symbol), len(_PLACE)) for symbol in symbols)


def one_fraction(floor: sympy.floor) -> sympy.Expr:
    """What is rounded, over one denominator."""
    return sympy.together(floor.args[0])


def chained(both: sympy.And) -> Sequence[Any]:
    """(a, sign, b, sign, c) where the two relations are a <= b and b < c; else empty."""
    if len(both.args) == 2 and all(isinstance(each, _Inequality) for each in both.args):
        for low, high in (both.args, both.args[::-1]):
            if low.gts == high.lts:
                signs = ["<" if r.rel_op in ("<", ">") else "<=" for r in (low, high)]
                return low.lts, signs[0], low.gts, signs[1], high.gts
    return ()


def escaped(words: str) -> str:
    r"""Words as LaTeX's text mode takes them.

    >>> escaped("input_size = 4 & 100%")
    'input\\_size = 4 \\& 100\\%'
    """
    return "".join(_SPECIAL.get(c, c) for c in words)


class _Text(Ordered, StrPrinter):  # type: ignore[misc]
    def _print_Mod(self, expression: sympy.Mod) -> str:  # noqa: N802
        return f"mod({', '.join(map(self._print, expression.args))})"

    def _print_Or(self, expression: sympy.Or) -> str:  # noqa: N802
        return " or ".join(map(self._inner, expression.args))

    def _print_Not(self, expression: sympy.Not) -> str:  # noqa: N802
        return f"not {self._inner(expression.args[0])}"

    def _print_Implies(self, expression: sympy.Implies) -> str:  # noqa: N802
        given, then = map(self._inner, expression.args)
        return f"if {given}, then {then}"

    def _print_Equivalent(self, expression: sympy.Equivalent) -> str:  # noqa: N802
        return " exactly when ".join(map(self._inner, sides(expression)))

    def _inner(self, expression: sympy.Basic) -> str:
        """A statement inside another one, in brackets where it is joined of several."""
        printed = self._print(expression)
        return f"({printed})" if isinstance(expression, JOINED) else str(printed)

    def _print_Piecewise(self, expression: sympy.Piecewise) -> str:  # noqa: N802
        cases = [
            f"{self._print(value)} " + ("otherwise" if c == sympy.true else f"if {self._print(c)}")
            for value, c in expression.args
        ]
        return f"({'; '.join(cases)})"

    def _print_Sum(self, expression: sympy.Sum) -> str:  # noqa: N802
        return f"sum({self._over(expression)})"

    def _print_Product(self, expression: sympy.Product) -> str:  # noqa: N802
        return f"product({self._over(expression)})"

    def _over(self, expression: sympy.Sum | sympy.Product) -> str:
        limits = (
            f"{self._print(i)} = {self._print(a)}..{self._print(b)}"
            for i, a, b in expression.limits
        )
        return f"{self._print(expression.function)}; {', '.join(limits)}"

    def _print_MatrixBase(self, expression: sympy.MatrixBase) -> str:  # noqa: N802
        return str(self._print(expression.tolist()))

    def _print_Contains(self, expression: sympy.Contains) -> str:  # noqa: N802
        return " in ".join(map(self._print, expression.args))

    def _print_Relational(self, expression: Relational) -> str:  # noqa: N802
        left, right = self._print(expression.lhs), self._print(expression.rhs)
        return f"{left} {_SIGNS[expression.rel_op]} {right}"

    def _print_floor(self, expression: sympy.floor) -> str:
        return f"floor({self._print(one_fraction(expression))})"

    def _print_And(self, expression: sympy.And) -> str:  # noqa: N802
        chain = chained(expression)
        if not chain:
            return " and ".join(map(self._print, expression.args))
        return " ".join(each if isinstance(each, str) else self._print(each) for each in chain)

    def _print_Equalities(self, expression: Equalities) -> str:  # noqa: N802
        return " = ".join(map(self._print, expression.args))

    def _print_Near(self, expression: Near) -> str:  # noqa: N802
        return " near ".join(map(self._print, expression.args))


class _Latex(Ordered, LatexPrinter):  # type: ignore[misc]
    def _print_Or(self, expression: sympy.Or) -> str:  # noqa: N802
        return r" \text{ or } ".join(map(self._inner, expression.args))

    def _print_Not(self, expression: sympy.Not) -> str:  # noqa: N802
        return rf"\text{{not }} {self._inner(expression.args[0])}"

    def _print_Implies(self, expression: sympy.Implies) -> str:  # noqa: N802
        return r" \;\Rightarrow\; ".join(map(self._inner, expression.args))

    def _print_Equivalent(self, expression: sympy.Equivalent) -> str:  # noqa: N802
        return r" \;\Leftrightarrow\; ".join(map(self._inner, sides(expression)))

    def _inner(self, expression: sympy.Basic) -> str:
        printed = self._print(expression)
        joined = isinstance(expression, JOINED)
        return rf"\left({printed}\right)" if joined else str(printed)

    def _print_gcd(self, expression: sympy.Function) -> str:
        return rf"\gcd\left({', '.join(map(self._print, expression.args))}\right)"

    def _print_floor(self, expression: sympy.floor, exp: str | None = None) -> str:
        floor = rf"\left\lfloor {self._print(one_fraction(expression))} \right\rfloor"
        return floor if exp is None else f"{floor}^{{{exp}}}"

    def _print_And(self, expression: sympy.And) -> str:  # noqa: N802
        chain = chained(expression)
        if not chain:
            return r" \text{ and } ".join(map(self._print, expression.args))
        return " ".join(
            _LATEX_SIGNS[each] if isinstance(each, str) else self._print(each) for each in chain
        )

    def _print_Equalities(self, expression: Equalities) -> str:  # noqa: N802
        return " = ".join(map(self._print, expression.args))

    def _print_Near(self, expression: Near) -> str:  # noqa: N802
        return r" \approx ".join(map(self._print, expression.args))

    def _print_Tuple(self, expression: sympy.Tuple) -> str:  # noqa: N802
        comma = "," if len(expression) == 1 else ""
        return f"({', '.join(map(self._print, expression))}{comma})"


JOINED = (sympy.And, sympy.Or, sympy.Implies, sympy.Equivalent)


def sides(expression: sympy.Equivalent) -> list[sympy.Basic]:
    """The sides of an equivalence, which SymPy keeps in no order: the simplest first."""
    return sorted(expression.args, key=lambda side: (side.count_ops(), str(side)))


_NAMES = {
    sympy.Symbol("n_in", integer=True): r"n_{\mathrm{in}}",
    sympy.Symbol("n_out", integer=True): r"n_{\mathrm{out}}",
}


def text(expression: sympy.Basic) -> str:
    """The expression on one line, in the syntax of Python but for ``=``.

    >>> n, k = sympy.symbols("n_in k")
    >>> text(sympy.Eq(n, 1 - k + n / 2))
    'n_in = n_in/2 - k + 1'
    """
    printed: str = _Text().doprint(expression)
    return printed


def latex(expression: sympy.Basic) -> str:
    r"""The expression in LaTeX's mathematics mode.

    >>> n, k = sympy.symbols("n k")
    >>> latex(sympy.floor((n - k) / 2))
    '\\left\\lfloor \\frac{- k + n}{2} \\right\\rfloor'
    """
    printed: str = _Latex({"symbol_names": _NAMES}).doprint(expression)
    return printed
