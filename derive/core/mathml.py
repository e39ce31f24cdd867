"""Formulas in MathML Core, which browsers set without a script.

SymPy's presentation printer makes the tree; here it gets the order of terms and the signs that
notation has, and is written as XML in which nothing is left to escape.
"""

from __future__ import annotations

from html import escape, unescape
from typing import Any

import sympy
from sympy.core.relational import Relational
from sympy.printing.mathml import MathMLPresentationPrinter

from .notation import JOINED, Equalities, Near, Ordered, chained, one_fraction, sides

Node = Any  # of xml.dom.minidom, which has no types for what SymPy builds
_SIGNS = {"==": "=", "<=": "≤", "<": "<", ">=": "≥", ">": ">", "!=": "≠"}


class _MathML(Ordered, MathMLPresentationPrinter):  # type: ignore[misc]
    def _print_Relational(self, expression: Relational) -> Node:  # noqa: N802
        return self._infix([expression.lhs, expression.rhs], _SIGNS[expression.rel_op])

    def _print_floor(self, expression: sympy.floor) -> Node:
        row = self.dom.createElement("mrow")
        row.childNodes += [
            self._leaf("mo", "⌊"),
            self._print(one_fraction(expression)),
            self._leaf("mo", "⌋"),
        ]
        return row

    def _print_And(self, expression: sympy.And) -> Node:  # noqa: N802
        chain = chained(expression)
        if not chain:
            return self._infix(expression.args, "and", "mtext")
        row = self.dom.createElement("mrow")
        row.childNodes += [
            self._leaf("mo", _SIGNS[each]) if isinstance(each, str) else self._print(each)
            for each in chain
        ]
        return row

    def _print_Or(self, expression: sympy.Or) -> Node:  # noqa: N802
        return self._infix(expression.args, "or", "mtext")

    def _print_Not(self, expression: sympy.Not) -> Node:  # noqa: N802
        row = self.dom.createElement("mrow")
        row.childNodes += [
            self._leaf("mtext", "not\N{NO-BREAK SPACE}"),
            self._inner(expression.args[0]),
        ]
        return row

    def _print_Implies(self, expression: sympy.Implies) -> Node:  # noqa: N802
        return self._infix(expression.args, "⇒")

    def _print_Equivalent(self, expression: sympy.Equivalent) -> Node:  # noqa: N802
        return self._infix(sides(expression), "⇔")

    def _print_Contains(self, expression: sympy.Contains) -> Node:  # noqa: N802
        return self._infix(expression.args, "∈")

    def _inner(self, expression: sympy.Basic) -> Node:
        """A statement inside another one, in brackets where it is joined of several."""
        printed = self._print(expression)
        if not isinstance(expression, JOINED):
            return printed
        row = self.dom.createElement("mrow")
        row.childNodes += [self._leaf("mo", "("), printed, self._leaf("mo", ")")]
        return row

    def _print_Equalities(self, expression: Equalities) -> Node:  # noqa: N802
        return self._infix(expression.args, "=")

    def _print_Near(self, expression: Near) -> Node:  # noqa: N802
        return self._infix(expression.args, "≈")

    def _print_Sum(self, expression: sympy.Sum) -> Node:  # noqa: N802
        """One sign for each index, of which SymPy's own printer shows the first alone."""
        row = self.dom.createElement("mrow")
        for index, low, high in expression.limits:
            sign = self.dom.createElement("munderover")
            begin = self._infix([index, low], "=")
            sign.childNodes += [self._leaf("mo", "∑"), begin, self._print(high)]
            row.appendChild(sign)
        summed = self._print(expression.function)
        if isinstance(expression.function, sympy.Add):
            row.childNodes += [self._leaf("mo", "("), summed, self._leaf("mo", ")")]
        else:
            row.appendChild(summed)
        return row

    def _print_Tuple(self, expression: sympy.Tuple) -> Node:  # noqa: N802
        row = self._infix(expression.args, ",")
        if len(expression) == 1:
            row.appendChild(self._leaf("mo", ","))
        row.childNodes = [self._leaf("mo", "("), *row.childNodes, self._leaf("mo", ")")]
        return row

    def _print_Indexed(self, expression: sympy.Indexed) -> Node:  # noqa: N802
        return self._sub(expression.base, expression.indices)

    def _print_Piecewise(self, expression: sympy.Piecewise) -> Node:  # noqa: N802
        table = self.dom.createElement("mtable")
        for value, condition in expression.args:
            otherwise = condition == sympy.true
            when = self.dom.createElement("mrow")
            words = "otherwise" if otherwise else "if\N{NO-BREAK SPACE}"
            when.appendChild(self._leaf("mtext", words))
            if not otherwise:
                when.appendChild(self._print(condition))
            row = self.dom.createElement("mtr")
            for each in (self._print(value), when):
                cell = self.dom.createElement("mtd")
                cell.appendChild(each)
                row.appendChild(cell)
            table.appendChild(row)
        pieces = self.dom.createElement("mrow")
        pieces.childNodes += [self._leaf("mo", "{"), table]
        return pieces

    def _print_AppliedUndef(self, expression: Any) -> Node:  # noqa: N802
        row = self.dom.createElement("mrow")
        row.appendChild(self._leaf("mi", expression.func.__name__))
        row.appendChild(self._print_Tuple(sympy.Tuple(*expression.args)))
        return row

    def _sub(self, base: sympy.Basic, indices: Any) -> Node:
        sub = self.dom.createElement("msub")
        sub.childNodes += [self._print(base), self._infix(indices, ",")]
        return sub

    def _infix(self, args: Any, sign: str, tag: str = "mo") -> Node:
        row = self.dom.createElement("mrow")
        between = sign if tag == "mo" else f"\N{NO-BREAK SPACE}{sign}\N{NO-BREAK SPACE}"
        for number, each in enumerate(args):
            if number:
                row.appendChild(self._leaf(tag, between))
            row.appendChild(self._inner(each))
        return row

    def _leaf(self, tag: str, words: str) -> Node:
        leaf = self.dom.createElement(tag)
        leaf.appendChild(self.dom.createTextNode(words))
        return leaf


def mathml(expression: sympy.Basic) -> str:
    """The expression as a ``math`` element of MathML Core.

    >>> n, k = sympy.symbols("n k")
    >>> mathml(sympy.Lt(n, k))
    '<math displaystyle="true"><mrow><mi>n</mi><mo>&lt;</mo><mi>k</mi></mrow></math>'
    """
    return f'<math displaystyle="true">{_written(_MathML()._print(expression))}</math>'


def _written(node: Node) -> str:
    """A node as XML; SymPy leaves some characters as entities in the text, and some bare."""
    if node.nodeType == node.TEXT_NODE:
        minus = node.data == "-"
        return "\N{MINUS SIGN}" if minus else escape(unescape(node.data), quote=False)
    inside = "".join(map(_written, node.childNodes))
    return f"<{node.tagName}>{inside}</{node.tagName}>"
