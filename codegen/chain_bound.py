"""How wrong a chain of kernels may be: each part's own bound, and the errors that it hands on.

A part f that is given x' instead of x makes |f'(x') - f(x)| <= bound(x') + |f|(|x' - x|), where |f|
has absolute weights and no bias: the first is the part's own rounding, at the numbers it was given,
the second the error before it, carried through. A weight gradient is linear in two of them:
|x'g' - xg| <= |x'|*|g' - g| + |x' - x|*(|g'| + |g' - g|).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from derive import Operator

from ._runtime.specialised import Specialised
from .error_bound import carried

Array = NDArray[Any]


def after_part(
    op: Operator, kernel: Specialised, direction: str, arguments: Sequence[Any], error: Array
) -> Array:
    """The bound after forward or input gradient of one part, whose first argument is off."""
    own = kernel.error_bound(*arguments, direction=direction)
    weight = [np.abs(np.asarray(arguments[1], np.float64))] if op.learned else []
    return total(own, _carried(op, direction, [error, *weight]))


def of_weight(
    op: Operator, kernel: Specialised, x: Array, grad: Array, x_error: Array, grad_error: Array
) -> Array:
    """The bound of a weight gradient whose input and gradient are both off."""
    size, grads = np.abs(np.asarray(x, np.float64)), np.abs(np.asarray(grad, np.float64))
    return total(
        kernel.error_bound(x, grad, direction="weight_gradient"),
        _carried(op, "weight_gradient", [size, grad_error]),
        _carried(op, "weight_gradient", [x_error, total(grads, grad_error)]),
    )


def of_bias(op: Operator, kernel: Specialised, grad: Array, grad_error: Array) -> Array:
    """The bound of a bias gradient whose gradient is off."""
    own = kernel.error_bound(grad, direction="bias_gradient")
    return total(own, _carried(op, "bias_gradient", [grad_error]))


def total(first: Array, *others: Array) -> Array:
    """A sum of bounds, rounded up."""
    found = np.asarray(first, np.float64)
    for each in others:
        found = np.where(each == 0, found, np.nextafter(found + each, inf))
    return found


def _carried(op: Operator, direction: str, inputs: Sequence[Array]) -> Array:
    """With a batch or without, as the first input."""
    axes = len(op.form.axes)
    if inputs[0].ndim == axes + 2:
        return carried(op, direction, inputs)
    if direction in ("forward", "input_gradient"):
        return np.asarray(carried(op, direction, [inputs[0][None], *inputs[1:]])[0])
    return carried(op, direction, [each[None] for each in inputs])
