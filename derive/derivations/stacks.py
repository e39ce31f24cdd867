"""Layers one after the other: nearest resize and convolution, and the receptive field."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import sympy

from derive.core.derivation import Derivation, Step
from derive.core.resize_rule import ResizeRule
from derive.core.rules import AxisRule, ChainRule, ConvolutionRule, TransposedRule
from derive.core.sizes import BEFORE, DILATION, KERNEL, STRIDE, T, X, Y, convolution_size

from .substitution import agree, equation, with_numbers

FACTOR, WIDE, WIDE_TAP, REST = sympy.symbols("f K t' j", integer=True)
FIELD, LAYER, LAYERS = sympy.symbols("R l L", integer=True)
S, D, KS, PS = (sympy.IndexedBase(c, integer=True) for c in "sdkp")


@cache
def nearest_then_convolution() -> Derivation:
    """Nearest resize by f, then k taps: one transposed convolution of k + f - 1 taps, stride f.

    >>> from derive.core.notation import text
    >>> print(text(nearest_then_convolution().formula))
    W[t'] = sum(w[-j + t']; j = 0..f - 1)
    """
    wide, w = sympy.IndexedBase("W"), sympy.IndexedBase("w")
    place = Y + T - BEFORE
    pad = KERNEL - 1 - BEFORE
    copied = sympy.Eq(X, sympy.floor(place / FACTOR))
    rest = sympy.Eq(place, FACTOR * X + REST)
    (tap,) = sympy.solve(
        sympy.Eq(Y, FACTOR * X + WIDE_TAP - pad).subs(Y, sympy.solve(rest, Y)[0]), WIDE_TAP
    )
    flipped = sympy.expand(tap.subs(T, KERNEL - 1 - T))
    agree("the tap", sympy.expand(flipped - T - REST), 0)
    formula = equation(wide[WIDE_TAP], sympy.Sum(w[WIDE_TAP - REST], (REST, 0, FACTOR - 1)))
    steps = (
        Step(copied, "tap t of output y reads the resized input, which copies"),
        Step(rest, "write j < f for the remainder"),
        Step(
            sympy.Eq(Y, FACTOR * X + WIDE_TAP - pad),
            "that is a transposed convolution with stride f and complementary padding",
        ),
        Step(equation(WIDE_TAP, tap), "whose tap is"),
        Step(equation(WIDE_TAP, T + REST), "so with w counted from its other end"),
        Step(
            sympy.Eq(WIDE, KERNEL + FACTOR - 1),
            "which runs from 0 to k + f - 2, so there are K taps",
        ),
        Step(formula, "each one adds up f neighbours, those outside the kernel being 0"),
    )
    conditions = (sympy.And(sympy.Le(0, WIDE_TAP), sympy.Lt(WIDE_TAP, WIDE)),)
    return Derivation("nearest resize, then a convolution", steps, formula, conditions)


def nearest_then_convolution_of(rule: AxisRule, n: int | None) -> Derivation | None:
    """The transposed convolution that such a chain is, compared triple by triple."""
    match rule:
        case ChainRule(
            ConvolutionRule(stride=1, dilation=1, up=1, mode="zeros") as conv,
            ResizeRule(kind="nearest", float32=False) as resize,
        ) if n is not None and resize.output_size(n) % n == 0 and n > 1:
            factor = resize.output_size(n) // n
        case _:
            return None
    if resize.scale(n, n * factor) * factor != 1:
        return None
    general = nearest_then_convolution()
    values = {KERNEL: conv.kernel, FACTOR: factor, BEFORE: conv.before}
    wide = int(general.steps[5].statement.rhs.subs(values))
    transposed = TransposedRule(
        kernel=wide,
        stride=factor,
        before=conv.kernel - 1 - conv.before,
        after=conv.kernel - 1 - conv.after,
    ).at(n)
    axis, last = rule.at(n), conv.kernel - 1
    agree("the size", transposed.n_out, axis.n_out)
    tap = general.steps[4].statement.rhs
    joined = {
        (last - t, j): int(tap.subs({T: t, REST: j}))
        for t in range(conv.kernel)
        for j in range(factor)
    }
    derived = {
        (y, t, x)
        for y, wide_tap, x, _ in transposed.entries()
        for (t, _), each in joined.items()
        if each == wide_tap
    }
    agree("the triples", derived, {(y, t, x) for y, t, x, _ in axis.entries()})
    window = equation(WIDE, wide)
    put = Step(equation(FACTOR, factor), "the factor of this axis, compared triple by triple")
    return with_numbers(general, values, window, put)


@cache
def receptive_field() -> Derivation:
    """R, the inputs from the first to the last that an output of L convolutions reads.

    >>> from derive.core.notation import latex
    >>> latex(receptive_field().formula).startswith("R = ")
    True
    """
    relation = convolution_size().steps[0].statement.rhs

    def layer(number: int, output: sympy.Expr) -> sympy.Expr:
        letters = {STRIDE: S[number], DILATION: D[number], BEFORE: PS[number], Y: output}
        return relation.subs({**letters, T: sympy.Symbol(f"t_{number}")}, simultaneous=True)

    both = sympy.expand(layer(1, layer(2, Y)))
    steps_taken = sympy.IndexedBase("J")
    m = sympy.Symbol("m", integer=True)
    product = sympy.Product(S[m], (m, 1, LAYER - 1))
    reach = sympy.Sum(steps_taken[LAYER] * D[LAYER] * (KS[LAYER] - 1), (LAYER, 1, LAYERS))
    formula = sympy.Eq(FIELD, reach + 1)
    between = sympy.Symbol("y_1")
    steps = (
        Step(sympy.Eq(X, layer(1, between)), "the input read by the first layer, next the input"),
        Step(sympy.Eq(between, layer(2, Y)), "and by the second"),
        Step(sympy.Eq(X, both), "put together: strides multiply, and taps move by strides below"),
        Step(sympy.Eq(steps_taken[LAYER], product), "a step of layer l is as many inputs as"),
        Step(formula, "from all first taps to all last ones"),
    )
    return Derivation("receptive field of a stack", steps, formula)


def field_of(layers: Sequence[tuple[int, int, int]]) -> int:
    """R of layers (kernel, stride, dilation), the one next to the input first.

    >>> field_of([(3, 2, 1), (3, 1, 1)])
    7
    """
    derived = receptive_field()
    jump = derived.steps[3].statement
    term = derived.formula.rhs.atoms(sympy.Sum).pop().function
    total = 1
    for number, (kernel, _, dilation) in enumerate(layers, 1):
        values = {S[m]: stride for m, (_, stride, _) in enumerate(layers, 1)}
        stepped = jump.rhs.subs(LAYER, number).doit().subs(values)
        numbers = {jump.lhs.subs(LAYER, number): stepped, D[number]: dilation, KS[number]: kernel}
        total += int(term.subs(LAYER, number).subs(numbers))
    return total


def receptive_field_of(rules: Sequence[AxisRule], n: int | None) -> Derivation | None:
    """R of a stack of convolutions, ``rules`` from the input on; None for other chains."""
    layers = []
    for rule in (flat for each in rules for flat in _flat(each)):
        if not isinstance(rule, ConvolutionRule) or rule.up != 1 or rule.mode != "zeros":
            return None
        layers.append(rule)
    if len(layers) < 2:
        return None
    field = field_of([(r.kernel, r.stride, r.dilation) for r in layers])
    if n is not None:
        _compare_field(layers, n, field)
    general = receptive_field()
    numbers = {LAYERS: len(layers)}
    put = Step(equation(LAYERS, len(layers)), "the layers of this stack")
    return Derivation(general.title, (*general.steps, put), equation(FIELD, field).subs(numbers))


def _flat(rule: AxisRule) -> list[AxisRule]:
    if isinstance(rule, ChainRule):
        return [*_flat(rule.inner), *_flat(rule.outer)]
    return [rule]


def _compare_field(layers: Sequence[ConvolutionRule], n: int, field: int) -> None:
    """An output that misses no tap reads from the first position of its field to the last."""
    axis = layers[0].at(n)
    for layer in layers[1:]:
        axis = layer.at(axis.n_out).after(axis)
    for run in axis.runs:
        if sum(len(tap.weights) for tap in run.taps) == axis.n_tap:
            agree("the receptive field", field, run.taps[-1].offset + 1)
