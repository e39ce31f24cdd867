"""Phases: how outputs fall into classes that read alike."""

from __future__ import annotations

from functools import cache
from math import gcd as common_divisor

import sympy

from derive.core.axis import Axis
from derive.core.derivation import Derivation, Step
from derive.core.relation import Relation
from derive.core.rules import AdjointRule, AxisRule, ConvolutionRule, TransposedRule
from derive.core.sizes import BEFORE, DILATION, STRIDE, UP, T, X, Y, convolution_size

from .substitution import agree, equation, put_in, with_numbers

PHASE, QUOTIENT = sympy.symbols("r q", integer=True)
G, STEP, ADVANCE = sympy.symbols("g P S", integer=True)
MOST_PHASES = 16  # that a table of a concrete operator shows

_READ = STRIDE * PHASE + DILATION * T - BEFORE


@cache
def phase_decomposition() -> Derivation:
    """y = P*q + r reads x = S*q + a constant: each phase is a small dense convolution.

    >>> from derive.core.notation import text
    >>> print(text(phase_decomposition().formula))
    x = (d*t - p_0 + r*s)/u + S*q
    """
    relation = convolution_size().steps[0].statement
    split = sympy.Eq(Y, STEP * QUOTIENT + PHASE)
    inserted = sympy.Eq(relation.lhs, STRIDE * STEP * QUOTIENT + _READ)
    expanded = sympy.expand(relation.rhs.subs(Y, split.rhs) - inserted.rhs)
    agree("the relation of a phase", expanded, 0)
    formula = sympy.Eq(X, ADVANCE * QUOTIENT + _READ / UP)
    steps = (
        Step(relation, "the relation of an axis"),
        Step(
            sympy.And(sympy.Eq(UP, STEP * G), sympy.Eq(STRIDE, ADVANCE * G), evaluate=False),
            "write g for gcd(u, s)",
        ),
        Step(split, "sort the outputs by their remainder r after division by P"),
        Step(inserted, "put into the relation"),
        Step(sympy.Eq(STRIDE * STEP, UP * ADVANCE), "both are P times S times g"),
        Step(
            sympy.Eq(sympy.Mod(_READ, UP), 0),
            "so u divides the rest, or the tap takes no part in this phase",
        ),
        Step(formula, "divided by u: the offset of a tap is the same for every q"),
    )
    conditions = (
        sympy.And(sympy.Le(0, PHASE), sympy.Lt(PHASE, STEP)),
        sympy.Eq(sympy.Mod(_READ, UP), 0),
    )
    return Derivation("phase decomposition", steps, formula, conditions)


def relation_of(rule: AxisRule) -> Relation | None:
    """The one relation of an axis, None where there are pad maps, resizes or several."""
    if isinstance(rule, AdjointRule):
        inner = relation_of(rule.rule)
        return None if inner is None else inner.adjoint()
    if isinstance(rule, TransposedRule) or (
        isinstance(rule, ConvolutionRule) and rule.mode == "zeros"
    ):
        return rule.relation
    return None


def phase_decomposition_of(rule: AxisRule, n: int | None) -> Derivation | None:
    """The small convolution of each phase of an axis; None where it has no single relation."""
    relation = relation_of(rule)
    if relation is None:
        return None
    common = common_divisor(relation.up, relation.stride)
    step, advance = relation.up // common, relation.stride // common
    values = {
        UP: relation.up,
        STRIDE: relation.stride,
        DILATION: relation.dilation,
        BEFORE: relation.pad,
        STEP: step,
        ADVANCE: advance,
        G: common,
    }
    general = phase_decomposition()
    offsets = _offsets(general.formula.rhs.subs(values), step, rule.n_tap)
    if n is not None:
        _compare(rule.at(n), offsets)
    steps = [Step(put_in(general.formula, values), "the coefficients of this axis put in")]
    steps += [
        Step(_phase(phase, step, advance, offsets), f"phase {phase} of {step}")
        for phase in range(min(step, MOST_PHASES))
    ]
    return with_numbers(general, values, steps[0].statement, *steps[1:])


def _offsets(source: sympy.Expr, step: int, n_tap: int) -> dict[tuple[int, int], int]:
    """x - S*q for each (phase, tap) that takes part."""
    constant = source.subs(QUOTIENT, 0)
    each = {(r, t): constant.subs({PHASE: r, T: t}) for r in range(step) for t in range(n_tap)}
    return {place: int(x) for place, x in each.items() if x.is_integer}


def _phase(phase: int, step: int, advance: int, offsets: dict[tuple[int, int], int]) -> sympy.Eq:
    w, x, y = map(sympy.IndexedBase, "wxy")
    terms = [
        sympy.Mul(w[t], x[advance * QUOTIENT + offset], evaluate=False)
        for (r, t), offset in offsets.items()
        if r == phase
    ]
    return equation(y[step * QUOTIENT + phase], sympy.Add(*terms, evaluate=False) if terms else 0)


def _compare(axis: Axis, offsets: dict[tuple[int, int], int]) -> None:
    """Every strand has its offset, and no line of triples that fits in the axis is missing."""
    triples = 0
    for (phase, _), offset in offsets.items():
        begin = max(0, -(offset // axis.advance))
        last = min((axis.n_out - phase - 1) // axis.step, (axis.n_in - 1 - offset) // axis.advance)
        triples += max(0, last + 1 - begin)
    agree("the number of triples", triples, axis.triples)
    for strand in axis.strands:
        q, phase = divmod(strand.y, axis.step)
        found = strand.x - axis.advance * q
        agree("the offset of a tap", offsets[phase, strand.tap], found)
