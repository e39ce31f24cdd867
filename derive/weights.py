"""Arrays as the operators take them: numbers of one shape, weights by channel, taps folded."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import prod
from numbers import Rational
from typing import Any

import numpy as np
import sympy
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .arguments import refuse
from .core.form import TrilinearForm
from .core.polyphase import Run, Tap
from .errors import GeometryError

Array = NDArray[Any]
NUMBERS = "biufcO"  # kinds of dtype that hold numbers


def numbers(name: str, value: ArrayLike, dtype: DTypeLike | None = None) -> Array:
    """``value`` as an array of numbers, or GeometryError."""
    try:
        array = np.asarray(value, dtype)
    except ValueError as error:
        raise GeometryError(f"{name} is not an array of one shape: {error}") from None
    if array.dtype.kind not in NUMBERS:
        refuse(f"{name}.dtype", str(array.dtype), "a dtype of numbers")
    return array


def number_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    """``dtype`` as NumPy's object, or GeometryError.

    >>> number_dtype("float32")
    dtype('float32')
    """
    try:
        found = np.dtype(dtype)
    except TypeError:
        refuse("dtype", dtype, "a NumPy dtype")
    if found.kind not in NUMBERS:
        refuse("dtype", dtype, "a dtype of numbers")
    return found


def fitted(array: Array, dtype: np.dtype[Any]) -> Array:
    """``array`` in ``dtype``: rounded to a float, but never changed to fit an integer.

    >>> fitted(np.array([1, 300]), np.dtype("int8"))
    Traceback (most recent call last):
    derive.errors.GeometryError: dtype = 'int8': allowed is one that holds weights of int64
    """
    allowed = f"one that holds weights of {array.dtype}"
    if array.dtype.kind == "c" and dtype.kind not in "cO":
        refuse("dtype", str(dtype), allowed)
    try:
        with np.errstate(invalid="ignore"):
            result = array.astype(dtype, copy=False)
    except (OverflowError, TypeError, ValueError):
        refuse("dtype", str(dtype), allowed)
    if dtype.kind in "biu" and not np.array_equal(result, array):
        refuse("dtype", str(dtype), allowed)
    return result


def foldable(weight: Array, dtype: np.dtype[Any]) -> Array:
    """The weight in an arithmetic where its taps add up: ``dtype``, or integers that never wrap."""
    weight = fitted(weight, dtype)
    if dtype.kind not in "biu":
        return weight
    largest = max(abs(int(weight.max())), abs(int(weight.min()))) * prod(weight.shape[2:])
    return weight.astype(np.int64 if largest <= np.iinfo(np.int64).max else object)


def checked(form: TrilinearForm, weight: ArrayLike, dtype: DTypeLike | None = None) -> Array:
    """``weight`` as an array of the form's weight shape, or GeometryError."""
    array = numbers("weight", weight, dtype)
    if array.shape != form.weight_shape:
        raise GeometryError(
            f"weight has shape {array.shape}; this operator takes {form.weight_shape}"
        )
    return array


def widened(array: Array) -> Array:
    """Small integers as int64: their products and sums would wrap, or for bool saturate."""
    small = array.dtype.kind in "biu" and array.dtype.itemsize < np.dtype(np.int64).itemsize
    return array.astype(np.int64) if small else array


def by_channel(form: TrilinearForm, weight: Array) -> Array:
    """The weight as (groups, out, in, *taps), whichever channel leads in its layout."""
    leading, other = form.weight_shape[:2]
    grouped = weight.reshape(form.groups, leading // form.groups, other, *form.weight_shape[2:])
    return grouped if form.output_leads else grouped.swapaxes(1, 2)


def exact(form: TrilinearForm, weight: ArrayLike) -> Array:
    """The weight in SymPy's numbers; GeometryError where an entry is not exact."""
    array = checked(form, weight, object)
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
