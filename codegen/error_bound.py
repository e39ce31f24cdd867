"""|error| <= gamma_n * magnitude, for the data at hand, as an array of the shape of the result.

The magnitude is the result with absolute values of all data and coefficients. Products that
underflow add at most the smallest number each, which is counted as a change of the data where they
are multiplied on. Everything is float64, rounded up, as the magnitude's own rounding is known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from math import inf, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from derive import Operator
from derive.apply import by_strands, weight_gradient
from derive.core.axis import Axis
from derive.core.folding import fold
from derive.core.form import TrilinearForm

from .rounding import DIRECTIONS, PRECISION, gamma, rounded_up, roundings
from .transforms.bound import transform_bound
from .transforms.schedule import Transform

Array = NDArray[Any]
Bound = NDArray[np.float64]


def bound_of(
    op: Operator, fast: Mapping[str, Transform], *, in_order: bool = True
) -> Callable[[str, Sequence[Array], str], Bound]:
    """``error_bound`` of a kernel whose functions ``fast`` compute by a transform.

    ``in_order`` as for ``transform_bound``.
    """

    def bound(direction: str, inputs: Sequence[Array], dtype: str) -> Bound:
        if direction in fast:
            return transform_bound(fast[direction], inputs, dtype, in_order=in_order)
        return error_bound(op, direction, inputs, dtype)

    return bound


def error_bound(op: Operator, direction: str, inputs: Sequence[Array], dtype: str) -> Bound:
    """The most by which each number of a kernel's result may be wrong; zeros for integers.

    ``inputs`` are those of the direction, x and grad_output with their batch. The bound is rounded
    up; it is inf where a sum may leave the range of ``dtype``, and NaN where the data are.

    >>> from derive import Conv1d
    >>> op = Conv1d(1, 1, 2, bias=False, input_size=2)
    >>> x, w = np.array([[[1e8, 1.0]]]), np.array([[[1.0, -1e8]]])
    >>> bool(error_bound(op, "forward", (x, w), "float32")[0, 0, 0] < 25)  # of 2 * 2**-24 * 2e8
    True
    """
    absolute = [np.abs(np.asarray(each, np.float64)) for each in inputs]
    found = roundings(op, direction, dtype, len(absolute[0]))
    if dtype not in PRECISION or not found.count:
        return np.zeros(_shape(op, direction, len(absolute[0])))
    form, gamma_n = op.form.absolute, gamma(found.count, dtype)
    smallest, limit = (float(v) for v in (np.finfo(dtype).smallest_subnormal, np.finfo(dtype).max))
    with np.errstate(over="ignore", invalid="ignore"):
        reached = reaches(form, direction, absolute) > limit / 2
        if op.learned and direction in DIRECTIONS[:2]:
            absolute[1] = absolute[1] + smallest * rounded_up(_over_coefficients(form) / gamma_n)
        magnitude = _magnitude(form, direction, absolute)
        own = 1 + gamma(_passed(op, found.terms), "float64")  # the magnitude rounds, too
        underflow = 2 * smallest * (found.terms + 3) * rounded_up(_largest_factor(form))
        bound = np.nextafter(
            rounded_up(gamma_n * own**2) * magnitude + rounded_up(own**2) * underflow, inf
        )
    bound[(magnitude > limit / 2) | reached] = inf
    return np.nextafter(bound, inf)


def carried(op: Operator, direction: str, inputs: Sequence[Array]) -> Bound:
    """How far errors reach: the result with absolute coefficients, rounded up, of inputs >= 0.

    The inputs are those of the direction without a bias; the first may be an error of what a
    function is given. Where one of them is all zero, so is the result.
    """
    terms = roundings(op, direction, "float64", len(inputs[0])).terms
    form = op.form.absolute
    own = rounded_up(1 + gamma(_passed(op, terms), "float64"))
    smallest = float(np.finfo(np.float64).smallest_subnormal)
    underflow = 2 * smallest * (terms + 3) * rounded_up(_largest_factor(form))
    with np.errstate(over="ignore", invalid="ignore"):
        reached = _magnitude(form, direction, [np.asarray(e, np.float64) for e in inputs])
        if not all(np.any(each) for each in inputs):
            return reached
        return np.nextafter(own * reached + underflow, inf)


def _magnitude(form: TrilinearForm, direction: str, inputs: Sequence[Array]) -> Bound:
    """The result with absolute values for all data; ``form`` has absolute coefficients."""
    if direction == "bias_gradient":
        (grad,) = inputs
        return np.asarray(grad.sum(axis=(0, *range(2, grad.ndim))))
    if direction == "weight_gradient":
        return weight_gradient(form, *inputs)
    form = form if direction == "forward" else form.adjoint
    first, *others = inputs
    result = by_strands(form, others[0] if others else np.ones(form.weight_shape))(first)
    for bias in others[1:]:
        result = result + bias.reshape(-1, *(1 for _ in form.axes))
    return np.asarray(result)


def _shape(op: Operator, direction: str, batch: int) -> tuple[int, ...]:
    return {
        "forward": (batch, *op.output_shape),
        "input_gradient": (batch, *op.input_shape),
        "weight_gradient": op.weight_shape or (),
        "bias_gradient": op.output_shape[:1],
    }[direction]


def _passed(op: Operator, terms: int) -> int:
    """Roundings of a magnitude, its taps not folded, in float64."""
    return terms * prod(max(1, axis.n_tap) for axis in op.form.axes) + 4 * len(op.form.axes) + 2


def reaches(form: TrilinearForm, direction: str, inputs: Sequence[Array]) -> float:
    """What a number on the way, which no output shows, may reach: folded weights, blended rows."""
    if direction == "bias_gradient":
        return 0.0
    if direction == "weight_gradient":
        folded = _magnitude(form, direction, inputs).max(initial=0)
        return float(folded * rounded_up(_over_coefficients(form)))
    return float(inputs[min(1, len(inputs) - 1)].max(initial=0) * rounded_up(_largest_factor(form)))


def _largest_factor(form: TrilinearForm) -> Fraction:
    return prod((max(Fraction(1), _largest_sum(axis)) for axis in form.axes), start=Fraction(1))


def _largest_sum(axis: Axis) -> Fraction:
    """The largest sum of coefficients that meet in one output, input or tap's combination."""
    sums = [sum((c for tap in run.taps for _, c in tap.weights), Fraction(0)) for run in axis.runs]
    back = (run.taps for run in axis.adjoint().runs)
    sums += [sum((c for tap in taps for _, c in tap.weights), Fraction(0)) for taps in back]
    by_tap = [Fraction(0)] * axis.n_tap
    for combination in fold(axis).combinations:
        for tap, coefficient in combination:
            by_tap[tap] += coefficient
    return max([*sums, *by_tap], default=Fraction(0))


def _over_coefficients(form: TrilinearForm) -> Fraction:
    """Through how small coefficients a number passes, axis by axis: the sum of the reciprocals.

    An underflow while folding is a change of the weight by that many times the smallest number.
    """
    total, factor = Fraction(0), Fraction(1)
    for axis in form.axes:
        factor /= min([Fraction(1), *(s.coefficient for s in axis.strands)])
        total += factor
    return total
