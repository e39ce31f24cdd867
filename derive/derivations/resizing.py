"""Weights of a resize: nearest, linear and cubic, and their tables by phase."""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import sympy

from derive.core.derivation import Derivation, Step
from derive.core.polyphase import Run
from derive.core.resize import SMOOTH
from derive.core.resize_rule import ResizeRule
from derive.core.rules import AxisRule
from derive.core.sizes import X, Y

from .substitution import agree, equation

SCALE, SOURCE, DISTANCE, WEIGHT = sympy.symbols("a z delta v")
CUBIC = sympy.Rational(-3, 4)  # the slope of the kernel at distance 1, as torch and OpenCV
MOST_PHASES = 16
_HALF = sympy.Rational(1, 2)


@cache
def nearest_weights() -> Derivation:
    """Output y copies input floor(y*a), a being n_in/n_out.

    >>> from derive.core.notation import text
    >>> print(text(nearest_weights().formula))
    x = floor(a*y)
    """
    formula = sympy.Eq(X, sympy.floor(SCALE * Y))
    steps = (
        Step(sympy.Eq(SOURCE, SCALE * Y), "an output begins at this place of the input"),
        Step(
            sympy.And(sympy.Le(X, SOURCE), sympy.Lt(SOURCE, X + 1)),
            "input x covers the places from x to x + 1",
        ),
        Step(formula, "so it copies"),
    )
    table = _table(formula.rhs.subs(SCALE, _HALF), [0, 1])
    return Derivation(
        "nearest resize", (*steps, _table_step(table, "with two outputs an input")), formula
    )


def _table(source: sympy.Expr, phases: list[int]) -> sympy.ImmutableMatrix:
    places = [int(source.subs(Y, y)) for y in phases]
    return sympy.ImmutableMatrix([[int(x == p) for x in range(max(places) + 1)] for p in places])


def _table_step(table: sympy.Basic, words: str) -> Step:
    symbol = sympy.MatrixSymbol("V", *table.shape)
    return Step(equation(symbol, table), f"{words}: a row for each phase, a column for each input")


@cache
def linear_weights() -> Derivation:
    """The straight line from 1 at distance 0 to 0 at distance 1.

    >>> from derive.core.notation import text
    >>> print(text(linear_weights().formula))
    v = (-delta + 1 if delta <= 1; 0 otherwise)
    """
    c0, c1 = sympy.symbols("c_0 c_1")
    line = c0 + c1 * DISTANCE
    given = (sympy.Eq(line.subs(DISTANCE, 0), 1), sympy.Eq(line.subs(DISTANCE, 1), 0))
    piece = line.subs(sympy.solve(given, (c0, c1), dict=True)[0])
    formula = equation(WEIGHT, sympy.Piecewise((piece, DISTANCE <= 1), (0, True)))
    steps = (
        *_places(),
        Step(equation(WEIGHT, line), "up to distance 1 the weight is a straight line"),
        Step(
            sympy.And(*given, evaluate=False),
            "on an input position it is 1, and 0 on the next one",
        ),
        Step(formula, "solved for both coefficients"),
    )
    return Derivation("linear resize", _with_table(steps, formula, 1), formula)


@cache
def cubic_weights() -> Derivation:
    """Keys' cubic convolution kernel, solved from its conditions, with the slope a = -3/4.

    >>> cubic_weights().formula.rhs.subs(DISTANCE, sympy.Rational(1, 2))
    19/32
    """
    near, far = (sympy.symbols(f"{c}_0:4") for c in "bc")
    first, second = (sum(c * DISTANCE**i for i, c in enumerate(letters)) for letters in (near, far))
    slope1, slope2 = sympy.diff(first, DISTANCE), sympy.diff(second, DISTANCE)

    def at(expression: sympy.Expr, place: int, value: object) -> sympy.Eq:
        return sympy.Eq(expression.subs(DISTANCE, place), value)

    values = at(first, 0, 1), at(first, 1, 0), at(second, 1, 0), at(second, 2, 0)
    slopes = at(slope1, 0, 0), at(slope1, 1, CUBIC), at(slope2, 1, CUBIC), at(slope2, 2, 0)
    (solved,) = sympy.solve((*values, *slopes), (*near, *far), dict=True)
    pieces = [sympy.expand(piece.subs(solved)) for piece in (first, second)]
    formula = equation(
        WEIGHT, sympy.Piecewise((pieces[0], DISTANCE <= 1), (pieces[1], DISTANCE < 2), (0, True))
    )
    steps = (
        *_places(),
        Step(equation(WEIGHT, first), "up to distance 1 a cubic"),
        Step(equation(WEIGHT, second), "another one from 1 to 2"),
        Step(
            sympy.And(*values, evaluate=False),
            "on an input position the weight is 1, and 0 on all others",
        ),
        Step(
            sympy.And(*slopes, evaluate=False),
            "the slopes join, and that at distance 1 is chosen as -3/4",
        ),
        Step(formula, "eight equations for eight coefficients, solved"),
    )
    return Derivation("cubic resize", _with_table(steps, formula, 2), formula)


def _places() -> tuple[Step, Step]:
    return (
        Step(
            sympy.Eq(SOURCE, (Y + _HALF) * SCALE - _HALF, evaluate=False),
            "the centre of an output lies at this place of the input",
        ),
        Step(sympy.Eq(DISTANCE, sympy.Abs(X - SOURCE)), "an input is at this distance from it"),
    )


def _with_table(steps: tuple[Step, ...], formula: sympy.Eq, radius: int) -> tuple[Step, ...]:
    source = steps[0].statement.rhs.subs(SCALE, _HALF)
    rows = [_weights(formula, source.subs(Y, y), range(-radius, radius + 1)) for y in (0, 1)]
    return (*steps, _table_step(sympy.ImmutableMatrix(rows), "with two outputs an input"))


def _weights(formula: sympy.Eq, source: sympy.Expr, places: range) -> list[sympy.Expr]:
    return [formula.rhs.subs(DISTANCE, abs(x - source)) for x in places]


SMOOTH_WEIGHTS = {"linear": linear_weights, "cubic": cubic_weights}


def resize_weights_of(rule: AxisRule, n: int | None) -> Derivation | None:
    """The weights of a resized axis, phase by phase, compared with its runs inside.

    None for antialiasing and area averages, for float32 arithmetic, and where nothing is resized.
    """
    if not isinstance(rule, ResizeRule) or n is None or rule.antialias or rule.float32:
        return None
    if n in (1, rule.output_size(n)) or rule.kind not in ("nearest", *SMOOTH_WEIGHTS):
        return None
    axis, scale = rule.at(n), sympy.Rational(rule.scale(n, rule.output_size(n)))
    put = Step(equation(SCALE, scale), "the scale of this axis")
    if rule.kind == "nearest":
        general = nearest_weights()
        formula = equation(X, general.formula.rhs.subs(SCALE, scale))
        for run in axis.runs:
            place = int(formula.rhs.subs(Y, run.first))
            agree("the input copied", place, run.source + run.taps[0].offset)
        return Derivation(general.title, (*general.steps, put), formula)
    general = SMOOTH_WEIGHTS[rule.kind]()
    source = Y * scale if rule.aligned else general.steps[0].statement.rhs.subs(SCALE, scale)
    steps = [
        *general.steps[rule.aligned : -1],
        put,
        Step(equation(SOURCE, source), "so an output lies at"),
    ]
    radius = SMOOTH[rule.kind][2]
    rows = {}
    for run in axis.runs:
        at = source.subs(Y, run.first)
        places = range(int(sympy.floor(at)) - radius + 1, int(sympy.floor(at)) + radius + 1)
        if places[0] >= 0 and places[-1] < n:
            rows[run.first % axis.step] = _row(general, run, at, places)
    if 0 < len(rows) <= MOST_PHASES:
        steps.append(_table_step(sympy.ImmutableMatrix([rows[r] for r in sorted(rows)]), "inside"))
    return Derivation(general.title, tuple(steps), general.formula)


def _row(general: Derivation, run: Run, at: sympy.Expr, places: range) -> list[sympy.Expr]:
    """The derived weights of an output, which its run has to have."""
    row = _weights(general.formula, at, places)
    found: dict[int, Fraction] = {
        run.source + tap.offset: sum((c for _, c in tap.weights), Fraction(0)) for tap in run.taps
    }
    derived = {x: Fraction(int(v.p), int(v.q)) for x, v in zip(places, row, strict=True) if v}
    agree(f"the weights of output {run.first}", derived, found)
    return row
