"""How far a kernel in floating point may be from exact arithmetic: |error| <= gamma_n * magnitude.

With unit roundoff u, a number that passed n roundings carries a factor of at most 1 + gamma_n,
gamma_n = n*u/(1 - n*u) (N. Higham, Accuracy and Stability of Numerical Algorithms, 2nd edition,
lemma 3.1). n counts the longest way of a product into its sum: its own rounding, one for each
addition it may pass, and those of a folded weight and of constants such as 1/3. It holds for every
order of summation and with or without fused multiply-adds, so for each target and schedule alike.
The magnitude is the same sum with absolute values of data and coefficients (section 3.1); see
``error_bound``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import ceil, inf, nextafter, prod
from typing import Any

from derive import Operator
from derive.core.axis import Axis
from derive.core.folding import fold
from derive.core.form import TrilinearForm

DIRECTIONS = ("forward", "input_gradient", "weight_gradient", "bias_gradient")
# significant bits of each dtype of floats: u is 2**-p, and every integer up to 2**p is held
PRECISION = {"float16": 11, "bfloat16": 8, "float32": 24, "float64": 53}
FAR = 600  # from so many units on a bound is as good as none, though still a float


@dataclass(frozen=True, slots=True)
class Roundings:
    """The n of gamma_n for one function of a kernel, and what it is the sum of."""

    terms: int  # products that an output adds up, at most
    count: int
    reason: str


def gamma(n: int, dtype: str) -> Fraction:
    """n*u/(1 - n*u); ValueError where that says nothing.

    >>> gamma(2, "float32")
    Fraction(1, 8388607)
    """
    share = Fraction(n, 2 ** PRECISION[dtype])
    if share >= Fraction(1, 2):
        raise ValueError(f"{n} roundings: allowed are fewer than {2 ** (PRECISION[dtype] - 1)}")
    return share / (1 - share)


def relative(count: int, dtype: str, own: int) -> Fraction:
    """How far a result of ``count`` roundings may be from a reference, over the magnitude.

    Reference and magnitude are computed in float64, by ``own`` roundings together. Where gamma
    says nothing, (1 + u)**n < e**(n*u) does; integers must be equal.

    >>> relative(2, "float32", 0) == gamma(2, "float32"), relative(9, "int64", 0)
    (True, Fraction(0, 1))
    """
    if dtype not in PRECISION:
        return Fraction(0)
    share = Fraction(count, 2 ** PRECISION[dtype])
    known = share < Fraction(1, 2)
    result = gamma(count, dtype) if known else Fraction(3 ** min(ceil(share), FAR) - 1)
    reference = gamma(own, "float64")
    return (result + reference) / (1 - reference)


def rounded_up(value: Fraction) -> float:
    """A float above it."""
    return nextafter(float(value), inf)


def roundings(op: Operator, direction: str, dtype: str, batch: int = 1) -> Roundings:
    """The longest chain of roundings of an output; integers have none.

    ``batch`` matters where the samples are added up: for weight and bias gradient.

    >>> from derive import Conv2d
    >>> roundings(Conv2d(8, 4, 3, input_size=9), "forward", "float32")
    Roundings(terms=72, count=73, reason='1 product, 71 sums, 1 bias')
    """
    if direction not in DIRECTIONS:
        raise ValueError(f"direction = {direction!r}: allowed is one of {', '.join(DIRECTIONS)}")
    if not op.learned and direction in DIRECTIONS[2:]:
        raise ValueError(f"direction = {direction!r}: {op!r} learns nothing")
    foldings = [fold(axis) for axis in op.form.axes]
    if direction == "bias_gradient":
        terms = batch * prod(op.output_shape[1:])
        parts = {"sums": max(0, terms - 1)}
    elif direction == "weight_gradient":
        counts = (max(_by_tap(folding.axis), default=0) for folding in foldings)
        terms = batch * prod(counts)
        fixed = _unfolding(op.form, dtype)
        parts = {"product": 1, "sums": max(0, terms - 1), "unfolding of the weight": fixed}
    elif op.learned:
        forward = direction == "forward"
        axes = [folding.axis if forward else folding.axis.adjoint() for folding in foldings]
        channels = op.form.channels_in if forward else op.form.channels_out
        terms = channels * prod(max(len(run.taps) for run in axis.runs) for axis in axes)
        parts = {
            "product": 1,
            "sums": max(0, terms - 1),
            "bias": int(op.bias and forward),
            "folding of the weight": _folding(op.form, dtype),
        }
    else:
        form = op.form if direction == "forward" else op.form.adjoint
        rows = [{_coefficients(run.taps) for run in axis.runs} for axis in form.axes]
        terms = prod(max(map(len, each)) for each in rows)
        parts = {"products and sums of fixed weights": _resizing(rows, dtype)}
    if dtype not in PRECISION:
        return Roundings(terms, 0, "integers do not round")
    words = ", ".join(f"{number} {name}" for name, number in parts.items() if number)
    return Roundings(terms, sum(parts.values()), words)


def _combined(coefficients: Sequence[Fraction], dtype: str) -> int:
    """Of a sum of so many numbers, each times its coefficient."""
    products = (_constant(c, dtype) + 1 for c in coefficients if c != 1)
    return max(0, len(coefficients) - 1) + max(products, default=0)


def _constant(value: Fraction, dtype: str) -> int:
    """Of a coefficient a/b: none where it is a float; in NumPy one as a double, one as a float."""
    bits = PRECISION.get(dtype, 64)
    a, b = abs(value.numerator), value.denominator
    large = sum(number >> bits > 0 for number in (a, b))
    if not large and b & (b - 1) == 0:
        return 0
    return large + (1 if dtype == "float64" else 2)


def _folding(form: TrilinearForm, dtype: str) -> int:
    """Axis by axis, of a folded tap."""
    foldings = (fold(axis) for axis in form.axes)
    return sum(
        max(_combined([c for _, c in each], dtype) for each in folding.combinations)
        for folding in foldings
        if not folding.trivial and folding.combinations
    )


def _unfolding(form: TrilinearForm, dtype: str) -> int:
    """The same of the transpose: of a tap, from the folded taps that hold it."""
    total = 0
    for axis in form.axes:
        folding = fold(axis)
        if not folding.trivial:
            by_tap: list[list[Fraction]] = [[] for _ in range(axis.n_tap)]
            for combination in folding.combinations:
                for tap, coefficient in combination:
                    by_tap[tap].append(coefficient)
            total += max(_combined(each, dtype) for each in by_tap)
    return total


def _resizing(rows: Sequence[Iterable[tuple[Fraction, ...]]], dtype: str) -> int:
    """Axis by axis as in NumPy, or the outer axes at once and then the columns as in C."""
    one_by_one = sum(max(_combined(row, dtype) for row in each) for each in rows)
    *outer, column = rows
    at_once = max(
        _combined([prod(factors, start=Fraction(1)) for factors in product(*chosen)], dtype)
        for chosen in product(*outer)
    )
    return max(one_by_one, at_once + max(_combined(row, dtype) for row in column))


def _coefficients(taps: Iterable[Any]) -> tuple[Fraction, ...]:
    return tuple(sorted(c for tap in taps for _, c in tap.weights))


def _by_tap(axis: Axis) -> list[int]:
    """How many pairs of positions each tap joins."""
    counts = [0] * axis.n_tap
    for strand in axis.strands:
        counts[strand.tap] += strand.count
    return counts
