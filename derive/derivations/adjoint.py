"""A transposed convolution is a convolution: zeros between inputs, a flipped kernel, other pads."""

from __future__ import annotations

from functools import cache

import sympy

from derive.core.derivation import Derivation, Step
from derive.core.notation import text
from derive.core.rules import AdjointRule, AxisRule, ConvolutionRule, TransposedRule
from derive.core.sizes import (
    AFTER,
    BEFORE,
    DILATION,
    KERNEL,
    N_IN,
    N_OUT,
    OUTPUT_PADDING,
    STRIDE,
    UP,
    T,
    X,
    Y,
    convolution_size,
    transposed_size,
)

from .substitution import agree, equation, put_in, with_numbers

FLIPPED = sympy.Symbol("t'", integer=True)
PAD_BEFORE, PAD_AFTER = sympy.symbols("p'_0 p'_1", integer=True)


@cache
def adjoint_identity() -> Derivation:
    """Transposed convolution = stride - 1 zeros between inputs, then the flipped kernel.

    Its padding p' is complementary to the padding p of the convolution it is the adjoint of.

    >>> from derive.core.notation import text
    >>> print(text(adjoint_identity().formula))
    p'_0 = -p_0 + d*(k - 1) and p'_1 = -p_1 + d*(k - 1) + o
    """
    relation = convolution_size().steps[0].statement.subs(UP, 1)
    exchanged = relation.subs({X: Y, Y: X}, simultaneous=True)
    flipped = sympy.Eq(exchanged.lhs, exchanged.rhs.subs(T, KERNEL - 1 - FLIPPED))
    # a convolution of the input with stride - 1 zeros between its positions, in the same letters
    inserted = (
        convolution_size()
        .steps[0]
        .statement.subs({UP: STRIDE, STRIDE: 1, T: FLIPPED, BEFORE: PAD_BEFORE}, simultaneous=True)
    )
    (spread,) = sympy.solve(flipped, STRIDE * X)
    (before,) = sympy.solve(sympy.Eq(spread, inserted.rhs), PAD_BEFORE)
    agree("the padding before", sympy.expand(before - DILATION * (KERNEL - 1) + BEFORE), 0)
    before = DILATION * (KERNEL - 1) - BEFORE
    size = convolution_size().formula.subs(
        {UP: STRIDE, STRIDE: 1, BEFORE: PAD_BEFORE, AFTER: PAD_AFTER}, simultaneous=True
    )
    wanted = sympy.Eq(transposed_size().formula.rhs, size.rhs.subs(PAD_BEFORE, before))
    (after,) = sympy.solve(sympy.expand(wanted.lhs - wanted.rhs), PAD_AFTER)
    readable = DILATION * (KERNEL - 1) - AFTER + OUTPUT_PADDING
    agree("the padding after", sympy.expand(after - readable), 0)
    formula = sympy.And(sympy.Eq(PAD_BEFORE, before), sympy.Eq(PAD_AFTER, readable), evaluate=False)
    steps = (
        Step(relation, "the relation of a convolution"),
        Step(exchanged, "transposing exchanges x and y: every input position is spread"),
        Step(flipped, "count the taps from the other end, t = k - 1 - t'"),
        Step(
            inserted,
            "a convolution that has s - 1 zeros between its inputs, stride 1 and padding p'",
        ),
        Step(sympy.Eq(PAD_BEFORE, before), "the two are one relation when"),
        Step(wanted, "and they have one size when"),
        Step(formula, "so the padding is complementary, and the output padding adds to its end"),
    )
    return Derivation("transposed convolution as a convolution", steps, formula)


def transposed_rule(rule: AxisRule) -> TransposedRule | ConvolutionRule | None:
    """The rule whose letters a transposed convolution is written in; None for other axes."""
    inner = rule.rule if isinstance(rule, AdjointRule) else rule
    if isinstance(inner, TransposedRule):
        return inner if inner is rule else None
    if not isinstance(inner, ConvolutionRule) or inner is rule:
        return None
    return inner if inner.mode == "zeros" and inner.up == 1 else None


def adjoint_identity_of(rule: AxisRule, n: int | None) -> Derivation | None:
    """The convolution that a transposed axis is, its taps flipped; None for other axes."""
    inner = transposed_rule(rule)
    if inner is None or n is None:
        return None
    axis, values = rule.at(n), dict(inner.values)
    least = transposed_size().formula.rhs.subs({**values, N_IN: axis.n_in, OUTPUT_PADDING: 0})
    values[OUTPUT_PADDING] = axis.n_out - int(least)
    general = adjoint_identity()
    pads = {eq.lhs: int(eq.rhs.subs(values)) for eq in general.formula.args}
    same = ConvolutionRule(
        kernel=inner.kernel,
        dilation=inner.dilation,
        up=inner.stride,
        before=pads[PAD_BEFORE],
        after=pads[PAD_AFTER],
    ).at(axis.n_in)
    agree("the size", same.n_out, axis.n_out)
    last = inner.kernel - 1
    flipped = {(y, last - t, x) for y, t, x, _ in same.entries()}
    agree(text(general.formula), flipped, {(y, t, x) for y, t, x, _ in axis.entries()})
    formula = sympy.And(*(put_in(eq, values) for eq in general.formula.args), evaluate=False)
    size = Step(equation(N_OUT, axis.n_out), "compared triple by triple, the output size being")
    return with_numbers(general, values, formula, size)
