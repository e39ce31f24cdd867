"""A formula together with the steps that lead to it, each a SymPy statement with its reason."""

from __future__ import annotations

from dataclasses import dataclass

import sympy


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a derivation.

    >>> n = sympy.Symbol("n")
    >>> str(Step(sympy.Eq(n, 2), "given"))
    'Eq(n, 2)    (given)'
    """

    statement: sympy.Basic
    reason: str

    def __str__(self) -> str:
        return f"{self.statement}    ({self.reason})"


@dataclass(frozen=True, slots=True)
class Derivation:
    """Numbered steps from the relation to ``formula``, valid under ``conditions``.

    >>> n = sympy.Symbol("n")
    >>> d = Derivation("size", (Step(sympy.Eq(n, 2), "given"),), sympy.Eq(n, 2), (n > 0,))
    >>> print(d)
    size
      1. Eq(n, 2)    (given)
      => Eq(n, 2)    where n > 0
    """

    title: str
    steps: tuple[Step, ...]
    formula: sympy.Eq
    conditions: tuple[sympy.Basic, ...] = ()

    def __str__(self) -> str:
        lines = [self.title]
        lines += [f"  {number}. {step}" for number, step in enumerate(self.steps, 1)]
        where = "    where " + ", ".join(map(str, self.conditions)) if self.conditions else ""
        return "\n".join([*lines, f"  => {self.formula}{where}"])

    def latex(self) -> str:
        """An ``align*`` environment (amsmath): the steps, then the formula and its conditions."""
        rows = [
            f"& {sympy.latex(step.statement)} && \\text{{{step.reason}}}" for step in self.steps
        ]
        where = ", ".join(sympy.latex(condition) for condition in self.conditions)
        rows.append(f"\\Rightarrow\\quad & {sympy.latex(self.formula)} && {where}")
        return "\\begin{align*}\n" + " \\\\\n".join(rows) + "\n\\end{align*}"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {sympy.latex(self.formula)}$"
