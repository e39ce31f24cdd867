"""How many taps reach each phase of a transposed convolution, and when all have as many."""

from __future__ import annotations

from functools import cache
from math import gcd as common_divisor

import sympy

from derive.core.derivation import Derivation, Step
from derive.core.notation import text
from derive.core.rules import AxisRule
from derive.core.sizes import BEFORE, DILATION, KERNEL, STRIDE, T, X, Y
from derive.study.phases import axis_phases

from .adjoint import transposed_rule
from .phases import PHASE, G
from .substitution import agree, equation, gcd, with_numbers

FIRST_TAP = sympy.Symbol("t_0", integer=True)
TAPS, MOST_TAPS, LEAST_TAPS = sympy.symbols("N_r N_max N_min", integer=True)


@cache
def taps_per_phase() -> Derivation:
    """N_r, the taps that reach an output of phase r = (y + p_0) mod s of a transposed convolution.

    >>> from derive.core.notation import text
    >>> print(text(taps_per_phase().formula))
    N_r = (floor((g*k + s - g*t_0 - g)/s) if mod(r, g) = 0; 0 otherwise)
    """
    reached = sympy.Eq(sympy.Mod(DILATION * T - PHASE, STRIDE), 0)
    count = sympy.floor((KERNEL - 1 - FIRST_TAP) * G / STRIDE) + 1
    gathered = sympy.floor(sympy.expand((KERNEL - 1 - FIRST_TAP) * G + STRIDE) / STRIDE)
    agree(
        "the count",
        sympy.expand(count.args[1] if count.args[0] == 1 else count.args[0]),
        sympy.expand(gathered - 1),
    )
    alive = sympy.Eq(sympy.Mod(PHASE, G), 0)
    formula = equation(TAPS, sympy.Piecewise((gathered, alive), (0, True)))
    steps = (
        Step(
            sympy.Eq(STRIDE * X, Y + BEFORE - DILATION * T),
            "the relation of a transposed convolution",
        ),
        Step(sympy.Eq(PHASE, sympy.Mod(Y + BEFORE, STRIDE)), "write r for the phase of an output"),
        Step(reached, "a tap reaches the phase when s divides the right side"),
        Step(
            sympy.Implies(reached, alive),
            "g = gcd(s, d) divides s and d: phases that it does not divide are dead",
        ),
        Step(
            sympy.Eq(sympy.Mod(T - FIRST_TAP, STRIDE / G), 0),
            "in the others the taps are every (s/g)-th one from a first one on",
        ),
        Step(formula, "counted below k"),
    )
    conditions = (sympy.And(sympy.Le(0, FIRST_TAP), sympy.Lt(FIRST_TAP, STRIDE / G)),)
    return Derivation("taps per phase", steps, formula, conditions)


def phase_values(stride: int, dilation: int, phase: int) -> dict[sympy.Symbol, int]:
    """The numbers of ``taps_per_phase`` for one phase; t_0 = 0 where it is dead.

    >>> phase_values(3, 2, 1)[FIRST_TAP]
    2
    """
    common = common_divisor(stride, dilation)
    rest, remainder = divmod(phase, common)
    step = stride // common
    first = 0 if remainder else rest * pow(dilation // common, -1, step) % step
    return {STRIDE: stride, DILATION: dilation, PHASE: phase, G: common, FIRST_TAP: first}


def _counts(kernel: int, stride: int, dilation: int) -> list[int]:
    """N_r for each r."""
    count = taps_per_phase().formula.rhs.subs(KERNEL, kernel)
    return [int(count.subs(phase_values(stride, dilation, r))) for r in range(stride)]


def taps_per_phase_of(rule: AxisRule, n: int | None) -> Derivation | None:
    """N_r of a transposed axis, compared with the phases of the axis; None for other axes."""
    inner = transposed_rule(rule)
    if inner is None:
        return None
    counts = _counts(inner.kernel, inner.stride, inner.dilation)
    _compare_counts(rule, n, counts, inner.before)
    general, vector = taps_per_phase(), sympy.ImmutableMatrix([counts])
    formula = equation(sympy.MatrixSymbol("N", 1, inner.stride), vector)
    taps = with_numbers(general, inner.values, formula)
    return Derivation(taps.title, taps.steps, formula)


def _compare_counts(rule: AxisRule, n: int | None, counts: list[int], before: int) -> None:
    size = rule.settled if n is None else n
    found = axis_phases(rule.at(size), rule).overlaps
    for y, overlap in enumerate(found):
        agree(f"the taps of output phase {y}", counts[(y + before) % len(counts)], overlap)


@cache
def overlap_theorem() -> Derivation:
    """All phases have as many taps exactly when gcd(s, d) = 1 and s divides k.

    >>> from derive.core.notation import text
    >>> print(text(overlap_theorem().formula))
    N_max = N_min exactly when (mod(k, s) = 0 and gcd(s, d) = 1)
    """
    r = sympy.IndexedBase("N")
    phases = (PHASE, 0, STRIDE - 1)
    uniform = sympy.Eq(MOST_TAPS, LEAST_TAPS)
    coprime, divides = sympy.Eq(gcd(STRIDE, DILATION), 1), sympy.Eq(sympy.Mod(KERNEL, STRIDE), 0)
    formula = sympy.Equivalent(uniform, sympy.And(coprime, divides))
    steps = (
        Step(taps_per_phase().formula, "the taps of a phase"),
        Step(sympy.Eq(sympy.Sum(r[PHASE], phases), KERNEL), "every tap belongs to one phase"),
        Step(
            sympy.Implies(uniform, sympy.Eq(KERNEL, STRIDE * MOST_TAPS)),
            "so if all phases have as many, s divides k",
        ),
        Step(
            sympy.Implies(sympy.Gt(gcd(STRIDE, DILATION), 1), sympy.Eq(r[1], 0)),
            "and there is a dead phase when s and d have a common divisor, which k > 0 forbids",
        ),
        Step(
            sympy.Implies(sympy.And(coprime, divides), sympy.Eq(r[PHASE], KERNEL / STRIDE)),
            "conversely s taps in a row then reach each phase once",
        ),
        Step(formula, "so both together are what it takes"),
    )
    conditions = (sympy.Ge(KERNEL, 1), sympy.Ge(STRIDE, 1), sympy.Ge(DILATION, 1))
    return Derivation("overlap theorem", steps, formula, conditions)


def overlap_theorem_of(rule: AxisRule, n: int | None) -> Derivation | None:
    """Whether the theorem makes a transposed axis uniform, compared with its phases."""
    inner = transposed_rule(rule)
    if inner is None:
        return None
    general = overlap_theorem()
    counts = _counts(inner.kernel, inner.stride, inner.dilation)
    uniform, reasons = general.formula.args
    if uniform.has(gcd):
        uniform, reasons = reasons, uniform
    promised = bool(reasons.subs(inner.values))
    agree(text(general.formula), promised, max(counts) == min(counts))
    _compare_counts(rule, n, counts, inner.before)
    numbers = sympy.And(
        equation(sympy.Symbol("gcd(s, d)"), common_divisor(inner.stride, inner.dilation)),
        equation(sympy.Symbol("mod(k, s)"), inner.kernel % inner.stride),
        evaluate=False,
    )
    formula = (sympy.Eq if promised else sympy.Gt)(MOST_TAPS, LEAST_TAPS)
    both = sympy.And(
        equation(MOST_TAPS, max(counts)), equation(LEAST_TAPS, min(counts)), evaluate=False
    )
    more = Step(numbers, "for this axis"), Step(both, "counted")
    return with_numbers(general, inner.values, formula, *more)
