"""The "same" padding of torch and of TensorFlow, and what ceil mode makes of a size."""

from __future__ import annotations

from functools import cache

import sympy

from derive.core.derivation import Derivation, Step
from derive.core.rules import AxisRule, ConvolutionRule
from derive.core.sizes import (
    AFTER,
    BEFORE,
    DILATION,
    KERNEL,
    N_IN,
    N_OUT,
    STRIDE,
    UP,
    convolution_size,
)

from .substitution import agree, equation, put_in, with_numbers

TOTAL = sympy.Symbol("P", integer=True)
_REACH = DILATION * (KERNEL - 1)


@cache
def same_padding() -> Derivation:
    """torch's "same": the amounts that keep n_in at stride 1, the odd one after.

    >>> from derive.core.notation import text
    >>> print(text(same_padding().formula))
    p_0 = floor(d*(k - 1)/2) and p_1 = d*(k - 1) - floor(d*(k - 1)/2)
    """
    plain = put_in(convolution_size().formula, {STRIDE: 1, UP: 1})
    kept = equation(N_IN, plain.rhs)
    (after,) = sympy.solve(equation(N_IN, sympy.expand(plain.rhs)), AFTER)
    total = sympy.factor_terms(sympy.expand(after + BEFORE))
    agree("the total padding", sympy.expand(_REACH - total), 0)
    before = sympy.floor(_REACH / 2)
    formula = sympy.And(sympy.Eq(BEFORE, before), sympy.Eq(AFTER, _REACH - before), evaluate=False)
    steps = (
        Step(plain, "the size of a convolution with stride 1"),
        Step(kept, "the output is to be as long as the input"),
        Step(sympy.Eq(BEFORE + AFTER, _REACH), "solved for the padding of both sides"),
        Step(formula, "one half before, the rest after: an odd position goes to the end"),
    )
    return Derivation('"same" padding of torch', steps, formula, (sympy.Eq(STRIDE, 1),))


def same_padding_of(rule: AxisRule, n: int | None) -> Derivation | None:
    """The amounts of an axis that torch's "same" would give it, None if it has others."""
    if not isinstance(rule, ConvolutionRule) or (rule.stride, rule.up) != (1, 1):
        return None
    general = same_padding()
    amounts = {eq.lhs: int(eq.rhs.subs(rule.values)) for eq in general.formula.args}
    if amounts != {BEFORE: rule.before, AFTER: rule.after}:
        return None
    if n is not None:
        agree("the size kept", n, rule.at(n).n_out)
    formula = sympy.And(*(put_in(eq, rule.values) for eq in general.formula.args), evaluate=False)
    return with_numbers(general, rule.values, formula)


@cache
def same_padding_tensorflow() -> Derivation:
    """TensorFlow's "same": the least amount with one output per stride; it depends on n_in.

    >>> from derive.core.notation import text
    >>> print(text(same_padding_tensorflow().formula))
    P = Max(0, -mod(n_in - 1, s) + d*(k - 1))
    """
    size = sympy.floor((N_IN - 1) / STRIDE) + 1
    last = STRIDE * (size - 1)
    least = sympy.Max(0, _REACH - sympy.Mod(N_IN - 1, STRIDE))
    formula = equation(TOTAL, least)
    steps = (
        Step(equation(N_OUT, size), "one output for each stride that begins"),
        Step(
            sympy.Le(last + _REACH, N_IN - 1 + TOTAL),
            "the last tap of the last output lies in the padded input, P in all",
        ),
        Step(
            equation(N_IN - 1 - last, sympy.Mod(N_IN - 1, STRIDE)),
            "what is left of the input behind the first tap of the last output",
        ),
        Step(sympy.Ge(TOTAL, _REACH - sympy.Mod(N_IN - 1, STRIDE)), "solved for the padding"),
        Step(formula, "the least such amount; half of it before, the odd position after"),
    )
    conditions = (sympy.Ge(_REACH, 0), sympy.Ge(STRIDE, 1))
    return Derivation('"same" padding of TensorFlow', steps, formula, conditions)


def same_padding_tensorflow_of(rule: AxisRule, n: int | None) -> Derivation | None:
    """The total of an axis that is padded as TensorFlow's "same" does, None if it is not."""
    if not isinstance(rule, ConvolutionRule) or rule.up != 1 or n is None:
        return None
    general = same_padding_tensorflow()
    values = {**rule.values, N_IN: n}
    total = int(general.formula.rhs.subs(values))
    if (rule.before, rule.after) != (total // 2, total - total // 2):
        return None
    agree("the size", general.steps[0].statement.rhs.subs(values), rule.at(n).n_out)
    split = sympy.And(equation(BEFORE, rule.before), equation(AFTER, rule.after), evaluate=False)
    put = Step(put_in(general.formula, values), "the parameters of this axis put in")
    return with_numbers(general, values, split, put)


@cache
def ceil_mode() -> Derivation:
    """n_out of pooling with ceil_mode: rounded up, but no window may start beyond the input.

    >>> from derive.core.notation import text
    >>> print(text(ceil_mode().steps[1].statement.subs({UP: 1, DILATION: 1, BEFORE: 0, AFTER: 0})))
    c = floor((n_in - k + s - 1)/s) + 1
    """
    rounded_up = sympy.Symbol("c", integer=True)
    floor = convolution_size().formula.subs(UP, 1)
    (quotient,) = floor.rhs.atoms(sympy.floor)
    slack, _ = sympy.fraction(sympy.together(quotient.args[0]))
    up = sympy.floor((slack + STRIDE - 1) / STRIDE) + 1
    last = STRIDE * (rounded_up - 1)
    beyond = sympy.Ge(last, N_IN + BEFORE)
    formula = equation(N_OUT, sympy.Piecewise((rounded_up - 1, beyond), (rounded_up, True)))
    steps = (
        Step(floor, "the size of a convolution counts the windows that lie inside"),
        Step(
            equation(rounded_up, up),
            "rounding up counts the window that begins inside and ends beyond the padding too",
        ),
        Step(
            beyond,
            "unless that one begins behind the input, in the padding at its end or further",
        ),
        Step(formula, "then it is left out again"),
    )
    conditions = (sympy.Ge(STRIDE, 1), sympy.Le(AFTER, _REACH + 1))
    return Derivation("output size with ceil mode", steps, formula, conditions)


def ceil_size(values: dict[sympy.Symbol, int]) -> int:
    """The number that ``ceil_mode`` derives.

    >>> ceil_size({N_IN: 6, KERNEL: 3, STRIDE: 2, DILATION: 1, BEFORE: 0, AFTER: 0})
    3
    """
    derived = ceil_mode()
    rounded = derived.steps[1].statement
    return int(derived.formula.rhs.subs(rounded.lhs, rounded.rhs).subs(values))


def ceil_mode_of(rule: AxisRule, n: int | None) -> Derivation | None:
    """What pooling over the windows of an axis would put out with ceil_mode."""
    if not isinstance(rule, ConvolutionRule) or rule.up != 1 or n is None or rule.stride == 1:
        return None
    general = ceil_mode()
    values = {**rule.values, N_IN: n}
    if not all(c.subs(values) == sympy.true for c in general.conditions):
        return None
    rounded = put_in(general.steps[1].statement, values)
    longer = ConvolutionRule(
        kernel=rule.kernel,
        stride=rule.stride,
        dilation=rule.dilation,
        before=rule.before,
        after=rule.after + rule.stride - 1,
    )
    agree("the size rounded up", rounded.rhs, longer.output_size(n))
    put = Step(rounded, "the parameters of this axis put in, rounded up")
    return with_numbers(general, values, equation(N_OUT, ceil_size(values)), put)
