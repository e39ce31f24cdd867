"""A formula together with the steps that lead to it, each a SymPy statement with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import sympy

from .mathml import mathml
from .notation import escaped, latex, text


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a derivation; the reason introduces the statement and is plain text.

    >>> n = sympy.Symbol("n")
    >>> str(Step(sympy.Eq(n, 2), "given"))
    'given: n = 2'
    """

    statement: sympy.Basic
    reason: str

    def __str__(self) -> str:
        return f"{self.reason}: {text(self.statement)}"


@dataclass(frozen=True, slots=True)
class Derivation:
    """Numbered steps from the relation to ``formula``, valid under ``conditions``.

    The formula is an equation, or what a theorem concludes: any SymPy statement.

    >>> n = sympy.Symbol("n")
    >>> d = Derivation("size", (Step(sympy.Eq(n, 2), "given"),), sympy.Eq(n, 2), (n > 0,))
    >>> print(d)
    size
      1. given:
           n = 2
      => n = 2    where n > 0
    """

    title: str
    steps: tuple[Step, ...]
    formula: sympy.Basic
    conditions: tuple[sympy.Basic, ...] = ()

    def __str__(self) -> str:
        lines = [self.title]
        for number, step in enumerate(self.steps, 1):
            lines += [f"  {number}. {step.reason}:", f"       {text(step.statement)}"]
        where = "    where " + ", ".join(map(text, self.conditions)) if self.conditions else ""
        return "\n".join([*lines, f"  => {text(self.formula)}{where}"])

    def latex(self) -> str:
        r"""An ``enumerate`` of the steps, then the formula and its conditions.

        Long reasons and formulas are broken to the width of the page.

        >>> n = sympy.Symbol("n")
        >>> print(Derivation("size", (Step(sympy.Eq(n, 2), "given"),), sympy.Eq(n, 2)).latex())
        \begin{enumerate}\raggedright
        \item given:\\
        $\displaystyle n = 2$
        \item[$\Rightarrow$] $\displaystyle n = 2$
        \end{enumerate}
        """
        items = [
            f"\\item {escaped(step.reason)}:\\\\\n$\\displaystyle {latex(step.statement)}$"
            for step in self.steps
        ]
        where = " where " if self.conditions else ""
        where += ", ".join(f"${latex(condition)}$" for condition in self.conditions)
        items.append(f"\\item[$\\Rightarrow$] $\\displaystyle {latex(self.formula)}${where}")
        return "\n".join(("\\begin{enumerate}\\raggedright", *items, "\\end{enumerate}"))

    def html(self) -> str:
        """An ordered list of the steps, then the formula and its conditions, in MathML Core.

        >>> n = sympy.Symbol("n")
        >>> print(Derivation("size", (Step(n, "1 < 2"),), sympy.Eq(n, 2)).html())
        <ol>
        <li><div>1 &lt; 2: <math displaystyle="true"><mi>n</mi></math></div></li>
        </ol>
        <p class="result">⇒ <math displaystyle="true"><mrow><mi>n</mi><mo>=</mo><mn>2</mn></mrow>\
</math></p>
        """
        steps = (
            f"<li><div>{escape(step.reason)}: {mathml(step.statement)}</div></li>"
            for step in self.steps
        )
        where = " where " if self.conditions else ""
        where += ", ".join(map(mathml, self.conditions))
        result = f'<p class="result">⇒ {mathml(self.formula)}{where}</p>'
        return "\n".join(("<ol>", *steps, "</ol>", result))

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {latex(self.formula)}$"

    def _repr_html_(self) -> str:
        return f"<p>{escape(self.title)}</p>\n{self.html()}"
