"""Output sizes, solved from the relation with SymPy and nowhere typed in.

The formula that a person reads and the function that the program calls are the same object:
``convolved(...)`` evaluates the printed form of ``convolution_size().formula``.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cache
from itertools import count

import sympy

from .derivation import Derivation, Step
from .printed import FloorDivision


def _integer(name: str) -> sympy.Symbol:
    return sympy.Symbol(name, integer=True)


N_IN, N_OUT = _integer("n_in"), _integer("n_out")
KERNEL, STRIDE, DILATION, UP = _integer("k"), _integer("s"), _integer("d"), _integer("u")
BEFORE, AFTER = _integer("p_0"), _integer("p_1")
OUTPUT_PADDING = _integer("o")
Y, T, X = _integer("y"), _integer("t"), _integer("x")

# what a person calls the parameters, in the order in which they are spoken of
MEANING = {
    KERNEL: "kernel size",
    STRIDE: "stride",
    DILATION: "dilation",
    BEFORE: "padding before",
    AFTER: "padding after",
    UP: "input dilation",
    OUTPUT_PADDING: "output padding",
}

_LAST_READ = STRIDE * (N_OUT - 1) + DILATION * (KERNEL - 1) - BEFORE
_LAST_THERE = UP * (N_IN - 1) + AFTER
_PADDED = _LAST_THERE + BEFORE + 1  # positions of the padded input
_REACH = DILATION * (KERNEL - 1) + 1  # positions from the first tap to the last
_RELATION = Step(sympy.Eq(UP * X, STRIDE * Y + DILATION * T - BEFORE), "the relation of an axis")


def _slack() -> sympy.Expr:
    """Positions left between the last tap of the first output and the end of the padded input."""
    return _LAST_THERE - _LAST_READ.subs(N_OUT, 1)


@cache
def convolution_size() -> Derivation:
    """n_out of a convolution: how many outputs find all their taps in the padded input.

    Symbols: sizes n_in, n_out; kernel k, stride s, dilation d, padding p_0 before and p_1 after,
    input dilation u (1 in torch).

    >>> from derive.core.notation import text
    >>> print(text(convolution_size().formula.subs(UP, 1)))
    n_out = floor((n_in + p_0 + p_1 - d*(k - 1) - 1)/s) + 1
    """
    slack = _integer("e")
    (bound,) = sympy.solve(sympy.Eq(_LAST_READ - _LAST_READ.subs(N_OUT, 1), slack), N_OUT)
    largest = sympy.floor(slack / STRIDE) + 1
    formula = sympy.Eq(N_OUT, largest.subs(slack, _slack()))
    steps = (
        _RELATION,
        Step(
            sympy.Le(_LAST_READ, _LAST_THERE),
            "the last tap of the last output lies in the padded input",
        ),
        Step(
            sympy.Eq(slack, _slack()),
            "write e for what is left of the padded input behind the taps of the first output",
        ),
        Step(sympy.Le(STRIDE * (N_OUT - 1), slack), "the other outputs have to fit in there"),
        Step(sympy.Le(N_OUT, sympy.expand(bound)), "solved, the stride being positive"),
        Step(sympy.Eq(N_OUT, largest), "as many outputs as fit, so the largest such integer"),
    )
    conditions = (sympy.Ge(_PADDED, _REACH), sympy.Ge(STRIDE, 1))
    return Derivation("output size of a convolution", steps, formula, conditions)


@cache
def inverse_size() -> Derivation:
    """All n_in that a convolution maps to n_out, told apart by the remainder o < s.

    >>> from derive.core.notation import text
    >>> values = {UP: 1, STRIDE: 2, DILATION: 1, KERNEL: 3, BEFORE: 1, AFTER: 1}
    >>> print(text(inverse_size().formula.subs(values)))
    n_in = 2*n_out + o - 1
    """
    exact = sympy.Eq(_slack(), STRIDE * (N_OUT - 1) + OUTPUT_PADDING)
    (solved,) = sympy.solve(exact, N_IN)
    travelled = STRIDE * (N_OUT - 1) + DILATION * (KERNEL - 1)
    readable = (travelled - BEFORE - AFTER + OUTPUT_PADDING) / UP + 1
    if sympy.expand(readable - solved) != 0:  # the readable order of terms is the solved one
        raise AssertionError(f"{readable} is not {solved}")
    taken = STRIDE * (N_OUT - 1)
    steps = (
        _RELATION,
        Step(
            sympy.And(sympy.Le(taken, _slack()), sympy.Lt(_slack(), taken + STRIDE)),
            "this many outputs fit in the padded input, and not one more",
        ),
        Step(exact, "write o for the remainder of the division by s"),
    )
    conditions = (sympy.And(sympy.Le(0, OUTPUT_PADDING), sympy.Lt(OUTPUT_PADDING, STRIDE)),)
    return Derivation("input sizes of a convolution", steps, sympy.Eq(N_IN, readable), conditions)


@cache
def adjoint_size() -> Derivation:
    """n_out of the adjoint of a convolution: the inverse, with input and output exchanged.

    >>> from derive.core.notation import text
    >>> print(text(adjoint_size().formula.subs({DILATION: 1, KERNEL: 1, BEFORE: 0, AFTER: 0})))
    n_out = (s*(n_in - 1) + o)/u + 1
    """
    inverse = inverse_size()
    formula = inverse.formula.subs({N_IN: N_OUT, N_OUT: N_IN}, simultaneous=True)
    steps = (*inverse.steps, Step(inverse.formula, "solved for the input size"))
    title = "output size of the adjoint of a convolution"
    return Derivation(title, steps, formula, inverse.conditions)


@cache
def transposed_size() -> Derivation:
    """n_out of a transposed convolution: the adjoint of a convolution without input dilation.

    >>> from derive.core.notation import text
    >>> print(text(transposed_size().formula))
    n_out = s*(n_in - 1) - p_0 - p_1 + d*(k - 1) + o + 1
    """
    adjoint = adjoint_size()
    formula = adjoint.formula.subs(UP, 1)
    least = formula.rhs.subs(OUTPUT_PADDING, 0)
    steps = (
        *adjoint.steps,
        Step(adjoint.formula, "transposing exchanges input and output"),
        Step(
            sympy.And(sympy.Le(least, N_OUT), sympy.Lt(N_OUT, least + STRIDE)),
            "with u = 1, a convolution maps all these sizes back to one, and o picks among them",
        ),
    )
    conditions = (sympy.Ge(OUTPUT_PADDING, 0),)  # from o = s on, no convolution leads back
    return Derivation("output size of a transposed convolution", steps, formula, conditions)


def chained(
    first: Derivation,
    first_values: dict[sympy.Symbol, int],
    second: Derivation,
    second_values: dict[sympy.Symbol, int],
) -> Derivation:
    """The size that two operators give one after the other, each with its numbers put in.

    A size that is only given, and a remainder that only names one, stay symbols of their own.
    """
    inner, outer = first.formula.rhs.subs(first_values), second.formula.rhs.subs(second_values)
    between = _fresh("n", inner, outer)
    inner = inner.subs(N_OUT, between)
    outer = outer.subs(OUTPUT_PADDING, _fresh("o", inner, outer)).subs(N_IN, between)
    steps = (
        Step(sympy.Eq(between, inner, evaluate=False), first.title),
        Step(sympy.Eq(N_OUT, outer, evaluate=False), second.title),
    )
    formula = sympy.Eq(N_OUT, outer.subs(between, inner), evaluate=False)
    return Derivation("output size of a chain", steps, formula)


def _fresh(letter: str, *expressions: sympy.Expr) -> sympy.Symbol:
    """The first of n_1, n_2, ... that is in none of the expressions."""
    taken = {symbol.name for expression in expressions for symbol in expression.free_symbols}
    return next(_integer(name) for i in count(1) if (name := f"{letter}_{i}") not in taken)


@cache
def resized_size(factor: Fraction | None, fixed: int | None) -> Derivation:
    """n_out of a resize: floor(n_in * factor), or the size that is given.

    >>> resized_size(Fraction(3, 2), None).formula.rhs.subs(N_IN, 5)
    7
    """
    if factor is None:
        given = sympy.Eq(N_OUT, sympy.Integer(fixed), evaluate=False)
        return Derivation("output size of a resize", (Step(given, "the size is given"),), given)
    formula = sympy.Eq(N_OUT, sympy.floor(N_IN * sympy.Rational(factor)), evaluate=False)
    step = Step(formula, "as many whole outputs as the factor makes of the input")
    return Derivation("output size of a resize", (step,), formula)


@cache
def adjoint_of_resized() -> Derivation:
    """n_out of the adjoint of a resize: any of the sizes that are resized to n_in; it is given."""
    given = sympy.Eq(N_OUT, N_OUT, evaluate=False)
    step = Step(given, "any size that is resized to that of the input, as it is given")
    return Derivation("output size of the adjoint of a resize", (step,), given)


@cache
def _function(formula: sympy.Eq, *arguments: sympy.Symbol) -> Callable[..., int]:
    printed: Callable[..., int] = sympy.lambdify(
        arguments, formula.rhs, modules=[], printer=FloorDivision
    )
    return printed


def convolved(
    n: int, *, kernel: int, stride: int, dilation: int, before: int, after: int, up: int = 1
) -> int:
    """Output size of a convolution of n positions; less than 1 where the kernel does not fit.

    >>> convolved(4, kernel=3, stride=1, dilation=1, before=0, after=0)
    2
    """
    function = _function(
        convolution_size().formula, N_IN, KERNEL, STRIDE, DILATION, BEFORE, AFTER, UP
    )
    return function(n, kernel, stride, dilation, before, after, up)


def transposed(
    n: int, *, kernel: int, stride: int, dilation: int, before: int, after: int, output_padding: int
) -> int:
    """Output size of a transposed convolution of n positions.

    >>> transposed(2, kernel=3, stride=1, dilation=1, before=0, after=0, output_padding=0)
    4
    """
    function = _function(
        transposed_size().formula, N_IN, KERNEL, STRIDE, DILATION, BEFORE, AFTER, OUTPUT_PADDING
    )
    return function(n, kernel, stride, dilation, before, after, output_padding)


def resized(n: int, factor: Fraction | None, fixed: int | None) -> int:
    """Output size of a resize of n positions.

    >>> resized(5, Fraction(3, 2), None)
    7
    """
    return fixed or _function(resized_size(factor, None).formula, N_IN)(n)
