"""Weights as the operators take them: shape checked, channels in one order, taps folded."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from numbers import Rational
from typing import Any

import numpy as np
import sympy
from numpy.typing import ArrayLike, NDArray

from .core.form import TrilinearForm
from .core.polyphase import Run, Tap
from .errors import GeometryError

Array = NDArray[Any]


def checked(form: TrilinearForm, weight: ArrayLike) -> Array:
    """``weight`` as an array of the form's weight shape, or GeometryError."""
    try:
        array = np.asarray(weight)
    except ValueError as error:
        raise GeometryError(f"weight is not an array of one shape: {error}") from None
    if array.shape != form.weight_shape:
        raise GeometryError(
            f"weight has shape {array.shape}; this operator takes {form.weight_shape}"
        )
    return array


def by_channel(form: TrilinearForm, weight: Array) -> Array:
    """The weight as (groups, out, in, *taps), whichever channel leads in its layout."""
    leading, other = form.weight_shape[:2]
    grouped = weight.reshape(form.groups, leading // form.groups, other, *form.weight_shape[2:])
    return grouped if form.output_leads else grouped.swapaxes(1, 2)


def exact(form: TrilinearForm, weight: ArrayLike) -> Array:
    """The weight in SymPy's numbers; GeometryError where an entry is not exact."""
    array = checked(form, np.asarray(weight, dtype=object))
    result = np.empty(array.shape, dtype=object)
    for index, value in np.ndenumerate(array):
        if isinstance(value, Rational):
            result[index] = sympy.Rational(int(value.numerator), int(value.denominator))
        elif isinstance(value, sympy.Expr) and not value.has(sympy.Float):
            result[index] = value
        else:
            raise GeometryError(
                f"weight{list(index)} = {value!r}: matrix() takes exact numbers (int, Fraction, "
                "sympy.Rational); sparse() takes floats"
            )
    return result


def folded(weight: Array, runs: Sequence[Run]) -> Array:
    """(out, in, *taps) -> (out, in, *positions read): the kernel of a product of runs."""
    for axis, run in enumerate(runs, start=2):
        weight = np.stack([_folded(weight, axis, tap) for tap in run.taps], axis)
    return weight


def _folded(weight: Array, axis: int, tap: Tap) -> Array:
    parts = [scaled(weight.take(t, axis), c) for t, c in tap.weights]
    return parts[0] if len(parts) == 1 else sum(parts[1:], parts[0])


def scaled(array: Array, coefficient: Fraction) -> Array:
    """``coefficient * array`` in the array's own arithmetic; GeometryError if that is inexact.

    >>> scaled(np.array([2, 4]), Fraction(3))
    array([ 6, 12])
    """
    if coefficient == 1:
        return array
    if array.dtype == object:
        factor = coefficient
    elif coefficient.denominator == 1:
        factor = array.dtype.type(coefficient.numerator)
    elif array.dtype.kind in "fc":
        number = array.dtype.type
        factor = number(coefficient.numerator) / number(coefficient.denominator)
    else:
        raise GeometryError(
            f"dtype {array.dtype} cannot hold the coefficient {coefficient}; use a float dtype"
        )
    result: Array = array * factor
    return result
