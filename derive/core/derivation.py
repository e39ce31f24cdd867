"""A formula together with the steps that lead to it, each a SymPy statement with its reason."""

from __future__ import annotations

from dataclasses import dataclass

import sympy

from .notation import latex, text


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
    formula: sympy.Eq
    conditions: tuple[sympy.Basic, ...] = ()

    def __str__(self) -> str:
        lines = [self.title]
        for number, step in enumerate(self.steps, 1):
            lines += [f"  {number}. {step.reason}:", f"       {text(step.statement)}"]
        where = "    where " + ", ".join(map(text, self.conditions)) if self.conditions else ""
        return "\n".join([*lines, f"  => {text(self.formula)}{where}"])

    def latex(self) -> str:
        r"""An ``align*`` environment (amsmath): the steps, then the formula and its conditions.

        >>> n = sympy.Symbol("n")
        >>> print(Derivation("size", (Step(sympy.Eq(n, 2), "given"),), sympy.Eq(n, 2)).latex())
        \begin{align*}
        & \text{1. given:} \\
        & \quad n = 2 \\
        & \Rightarrow\quad n = 2
        \end{align*}
        """
        rows = []
        for number, step in enumerate(self.steps, 1):
            rows += [f"\\text{{{number}. {step.reason}:}}", f"\\quad {latex(step.statement)}"]
        conditions = ", ".join(map(latex, self.conditions))
        where = f" \\text{{ where }} {conditions}" if conditions else ""
        rows.append(f"\\Rightarrow\\quad {latex(self.formula)}{where}")
        return "\\begin{align*}\n& " + " \\\\\n& ".join(rows) + "\n\\end{align*}"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {latex(self.formula)}$"
