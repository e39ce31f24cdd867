"""Multiply-adds: what a layer costs when it multiplies no zero, and when it visits every tap."""

from __future__ import annotations

from functools import cache
from math import prod

import sympy

from derive.core.derivation import Derivation, Step
from derive.core.rules import ConvolutionRule
from derive.core.sizes import (
    BEFORE,
    DILATION,
    KERNEL,
    N_IN,
    N_OUT,
    STRIDE,
    UP,
    T,
    X,
    convolution_size,
)
from derive.operator import Operator

from .substitution import agree, equation, put_in, with_numbers

MACS, NAIVE, FIRST, LAST = sympy.symbols("M N y_0 y_1", integer=True)


@cache
def multiply_adds() -> Derivation:
    """M, the pairs (y, t) of an axis whose input is there; N = n_out*k counts all of them.

    >>> from derive.core.notation import text
    >>> print(text(multiply_adds().formula))
    M = sum(Max(0, -y_0 + y_1 + 1); t = 0..k - 1)
    """
    read = convolution_size().steps[0].statement.subs(UP, 1)
    first = sympy.Max(0, sympy.floor((BEFORE - DILATION * T + STRIDE - 1) / STRIDE))
    last = sympy.Min(N_OUT - 1, sympy.floor((N_IN - 1 + BEFORE - DILATION * T) / STRIDE))
    formula = equation(MACS, sympy.Sum(sympy.Max(0, LAST - FIRST + 1), (T, 0, KERNEL - 1)))
    steps = (
        Step(read, "the input that tap t of output y reads"),
        Step(
            sympy.And(sympy.Le(0, X), sympy.Lt(X, N_IN)),
            "outside of this range it is padding, and its product 0",
        ),
        Step(equation(FIRST, first), "solved for y: the first output whose tap t is inside"),
        Step(equation(LAST, last), "and the last one"),
        Step(equation(NAIVE, N_OUT * KERNEL), "when every output visits every tap, there are"),
        Step(formula, "of which are left"),
    )
    return Derivation("multiply-adds of an axis", steps, formula, (sympy.Ge(STRIDE, 1),))


def multiply_adds_of(op: Operator) -> Derivation | None:
    """The multiply-adds of a convolution of fixed size, zeros beyond its border, on all axes."""
    rules = [rule for rule in op.rules if isinstance(rule, ConvolutionRule)]
    if len(rules) < len(op.rules) or any(r.mode != "zeros" or r.up != 1 for r in rules):
        return None
    general, form = multiply_adds(), op.form
    counts, naive = [], []
    for rule, axis in zip(rules, form.axes, strict=True):
        values = {**rule.values, N_IN: axis.n_in, N_OUT: axis.n_out}
        bounds = {general.steps[i].statement.lhs: general.steps[i].statement.rhs for i in (2, 3)}
        count = general.formula.rhs.function.subs(bounds).subs(values)
        counts.append(sum(int(count.subs(T, t)) for t in range(rule.kernel)))
        naive.append(int(put_in(general.steps[4].statement, values).rhs))
        agree("the multiply-adds of an axis", counts[-1], axis.triples)
    pairs = form.groups * form.channels_in * form.channels_out
    agree("the multiply-adds without border", pairs * prod(naive), form.naive_macs)
    all_of = Step(
        equation(NAIVE, pairs * prod(naive)),
        "the product over the axes, for each pair of channels of a group, every tap visited",
    )
    put = equation(MACS, sympy.Mul(pairs, *counts))
    return with_numbers(general, {STRIDE: 1}, put, all_of)


@cache
def flat_index() -> Derivation:
    """The place of (a, b, c, d) in an array of C order: the last index moves fastest.

    >>> from derive.core.notation import text
    >>> print(text(flat_index().formula.subs({INDICES[0]: 0, INDICES[1]: 0})))
    i = N_3*i_2 + i_3
    """
    place: sympy.Expr = sympy.Integer(0)
    steps = []
    for size, index in zip(SIZES, INDICES, strict=True):
        place = place * size + index
        words = "an index is worth as many places as the indices behind it have"
        steps.append(Step(sympy.Eq(FLAT, place), words))
    inside = tuple(
        sympy.And(sympy.Le(0, i), sympy.Lt(i, n)) for i, n in zip(INDICES, SIZES, strict=True)
    )
    return Derivation("place in an array", tuple(steps), steps[-1].statement, inside)


@cache
def group_channel() -> Derivation:
    """Channel c of group j is channel j*C + c of the array, C channels a group."""
    channel, group, each = sympy.symbols("c j C", integer=True)
    groups = sympy.Symbol("G", integer=True)
    formula = sympy.Eq(FLAT, group * each + channel)
    conditions = (
        sympy.And(sympy.Le(0, channel), sympy.Lt(channel, each)),
        sympy.And(sympy.Le(0, group), sympy.Lt(group, groups)),
    )
    return Derivation(
        "channels of groups",
        (Step(formula, "groups lie one behind the other"),),
        formula,
        conditions,
    )


FLAT = sympy.Symbol("i", integer=True)
INDICES = sympy.symbols("i_0:4", integer=True)
SIZES = sympy.symbols("N_0:4", integer=True)
