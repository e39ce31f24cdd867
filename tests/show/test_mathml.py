"""Formulas in MathML: every index of a sum, and nothing that could be read in two ways."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
import sympy

import derive
from derive.core.mathml import mathml

N, S, K, I, J = sympy.symbols("n_in s k i j", integer=True)  # noqa: E741
W = sympy.IndexedBase("w")


def words(expression: sympy.Basic) -> str:
    return "".join(ElementTree.fromstring(mathml(expression)).itertext()).translate(
        {0x2062: "", 0x2212: "-"}
    )


def test_every_index_of_a_sum_has_its_limits() -> None:
    both = sympy.Sum(W[I, J], (I, 0, K - 1), (J, 0, S))
    assert words(both) == "∑i=0k-1∑j=0swi,j"
    assert words(sympy.Sum(I + J, (I, 0, K))) == "∑i=0k(i+j)"


def test_a_remainder_says_of_what() -> None:
    assert words(sympy.Mod(N - 1, S)) == "mod(nin-1,s)"


def test_cases_say_when() -> None:
    cases = sympy.Piecewise((1, N > 1), (0, True))
    assert words(cases) == "{1if\N{NO-BREAK SPACE}nin>10otherwise"


def test_statements_inside_statements_have_brackets() -> None:
    some = sympy.Or(sympy.And(N > 1, K > 2, evaluate=False), S > 3, evaluate=False)
    assert "(" in words(some)
    assert words(sympy.Implies(N > 1, K > 2)) == "nin>1⇒k>2"
    assert words(sympy.And(sympy.Le(0, N), sympy.Lt(N, S))) == "0≤nin<s"


@pytest.mark.parametrize("derivation", derive.derivations.general(), ids=lambda d: d.title)
def test_sums_and_remainders_of_the_derivations_are_whole(derivation: derive.Derivation) -> None:
    for step in derivation.steps:
        sums = sum(len(each.limits) for each in step.statement.atoms(sympy.Sum))
        assert mathml(step.statement).count("<mo>∑</mo>") >= sums
        assert ElementTree.fromstring(mathml(step.statement)).tag == "math"
