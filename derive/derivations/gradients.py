"""The gradients of a layer: the derivatives of its one trilinear form.

Sums run over one pair of groups; y, t and x stand for positions along all axes.
"""

from __future__ import annotations

from functools import cache

import sympy

from derive.core.derivation import Derivation, Step
from derive.core.sizes import convolution_size
from derive.operator import Operator

from .substitution import agree, equation

O, I, Y, T, X = sympy.symbols("o i y t x", integer=True)  # noqa: E741
OUTPUTS, INPUTS = sympy.symbols("C_out C_in", integer=True)
N_OUT, N_IN, N_TAP = sympy.symbols("n_out n_in k", integer=True)
FORM = sympy.Symbol("T")
DY, W, IN, P, BIAS = map(sympy.IndexedBase, ("Y", "W", "X", "P", "B"))
RANGES = ((O, OUTPUTS), (I, INPUTS), (Y, N_OUT), (T, N_TAP), (X, N_IN))
_TERM = DY[O, Y] * W[O, I, T] * IN[I, X] * P[Y, T, X]
_BIAS_TERM = DY[O, Y] * BIAS[O]


def _summed(term: sympy.Expr, free: set[sympy.Symbol]) -> sympy.Expr:
    """The sum over those indices of the term that are not free, each over its whole range."""
    limits = [(i, 0, n - 1) for i, n in RANGES if i in term.free_symbols - free]
    return sympy.Sum(term, *limits) if limits else term


@cache
def trilinear_form() -> Derivation:
    """T(Y, W, X), whose derivative by Y is the layer itself."""
    form = sympy.Eq(FORM, _summed(_TERM, set()) + _summed(_BIAS_TERM, set()))
    return _derivative("the layer as a derivative", "forward", DY[O, Y], form)


def _derivative(title: str, name: str, by: sympy.Indexed, form: sympy.Eq) -> Derivation:
    """The derivative of the form by one entry: the sum over what does not name the entry."""
    free = set(by.indices)
    linear = [term for term in (_TERM, _BIAS_TERM) if term.has(by.base)]
    factors = [sympy.diff(term, by) for term in linear]
    for term, factor in zip(linear, factors, strict=True):
        agree("linearity", sympy.expand(factor * by - term), 0)
    value = sympy.Add(*(_summed(factor, free) for factor in factors))
    derivative = sympy.Derivative(FORM, by)
    steps = (
        Step(form, "a layer is one form, linear in Y, in the weight W and in the input X"),
        Step(
            sympy.Equivalent(sympy.Ne(P[Y, T, X], 0), convolution_size().steps[0].statement),
            "P is 1 where the relation joins y, t and x, and 0 elsewhere",
        ),
        Step(
            equation(derivative, value),
            f"{name}: differentiate by one entry, only the terms that hold it are left",
        ),
    )
    return Derivation(title, steps, equation(derivative, value))


@cache
def input_gradient() -> Derivation:
    """The gradient by the input: the adjoint operator applied to Y, the output's gradient.

    >>> from derive.core.notation import text
    >>> print(text(input_gradient().formula.rhs.function))
    P[y, t, x]*W[o, i, t]*Y[o, y]
    """
    return _derivative("input gradient", "by X", IN[I, X], trilinear_form().steps[0].statement)


@cache
def weight_gradient() -> Derivation:
    """The gradient by the weight: input and output's gradient, summed over the positions."""
    return _derivative("weight gradient", "by W", W[O, I, T], trilinear_form().steps[0].statement)


@cache
def bias_gradient() -> Derivation:
    """The gradient by the bias: the sum of the output's gradient.

    >>> from derive.core.notation import text
    >>> print(text(bias_gradient().formula.rhs))
    sum(Y[o, y]; y = 0..n_out - 1)
    """
    return _derivative("bias gradient", "by B", BIAS[O], trilinear_form().steps[0].statement)


def gradients_of(op: Operator) -> tuple[Derivation, ...]:
    """Forward, input, weight and bias gradient with the ranges of an operator of fixed size.

    Empty where nothing is learned.
    """
    if not op.learned:
        return ()
    form = op.form
    n_out, n_tap, n_in = (1, 1, 1)
    for axis in form.axes:
        n_out, n_tap, n_in = n_out * axis.n_out, n_tap * axis.n_tap, n_in * axis.n_in
    values = {
        OUTPUTS: form.channels_out,
        INPUTS: form.channels_in,
        N_OUT: n_out,
        N_TAP: n_tap,
        N_IN: n_in,
    }
    general = [trilinear_form(), input_gradient(), weight_gradient()]
    general += [bias_gradient()] if op.bias else []
    count = form.groups * form.channels_in * form.channels_out * n_out * n_tap
    agree("terms when every output visits every tap", count, form.naive_macs)
    return tuple(_with_ranges(each, values) for each in general)


def _with_ranges(general: Derivation, values: dict[sympy.Symbol, int]) -> Derivation:
    formula = equation(general.formula.lhs, general.formula.rhs.subs(values))
    return Derivation(general.title, general.steps, formula)
