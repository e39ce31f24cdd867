"""The operator applied to arrays: once obvious and exact, once by runs for solvers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from math import prod
from numbers import Rational
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .core.axis import ONE
from .core.form import TrilinearForm
from .core.polyphase import Strand
from .errors import GeometryError
from .weights import Array, by_channel, checked, scaled


def reference(form: TrilinearForm, x: Array, weight: ArrayLike, bias: ArrayLike | None) -> Array:
    """Y = sum of W X P over every triple, one at a time, integers without overflow.

    ``x`` is (batch, *input_shape); integers and fractions stay exact.
    """
    w = checked(form, weight)
    addend = np.zeros(1, dtype=w.dtype) if bias is None else np.asarray(bias)
    dtype = np.result_type(x, w, addend)
    exact = all(array.dtype.kind in "biuO" for array in (x, w, addend))
    working = np.dtype(object) if exact else dtype
    w = by_channel(form, w.astype(working))
    x = _grouped(form, x.astype(working))
    y = np.zeros((len(x), form.groups, form.channels_out, *form.output_shape[1:]), working)
    for entries in product(*(list(axis.entries()) for axis in form.axes)):
        at_y, at_t, at_x = zip(*(entry[:3] for entry in entries), strict=True)
        kernel = scaled(w[..., *at_t], prod((entry[3] for entry in entries), start=ONE))
        for group in range(form.groups):
            y[:, group][..., *at_y] += x[:, group][..., *at_x] @ kernel[group].T
    y = y.reshape(len(x), *form.output_shape)
    y = y + addend.astype(working).reshape(-1, *(1 for _ in form.axes))
    return y if dtype == working or _broken(y) else _narrowed(y, dtype)


def _grouped(form: TrilinearForm, x: Array) -> Array:
    return x.reshape(len(x), form.groups, form.channels_in, *form.input_shape[1:])


def _broken(y: Array) -> bool:
    """Whether there are fractions among exact values."""
    return any(isinstance(value, Rational) and value.denominator != 1 for value in y.flat)


def _narrowed(y: Array, dtype: np.dtype[Any]) -> Array:
    """Exact integers as int64 (uint64 for that type), which must hold them."""
    wide = dtype if dtype == np.uint64 else np.dtype(np.int64)
    limits = np.iinfo(wide)
    if y.size and not limits.min <= y.min() <= y.max() <= limits.max:
        raise GeometryError(
            f"x, weight: the result reaches {max(abs(y.min()), y.max())}, beyond {wide}; allowed "
            "is dtype=object for integers of any size"
        )
    return y.astype(wide)


def by_strands(form: TrilinearForm, weight: ArrayLike) -> Callable[[Array], Array]:
    """X -> y on (batch, *input_shape), one matrix product for each product of strands."""
    w = by_channel(form, checked(form, weight))

    def apply(x: Array) -> Array:
        x = _grouped(form, x)
        shape = (len(x), form.groups, form.channels_out, *form.output_shape[1:])
        y = np.zeros(shape, np.result_type(x, w))
        for strands in product(*(axis.strands for axis in form.axes)):
            at_y, at_t, at_x = _slices(form, strands)
            kernel = scaled(w[at_t], prod((s.coefficient for s in strands), start=ONE))
            part = x[at_x]
            product_ = kernel @ part.reshape(*part.shape[:3], prod(part.shape[3:]))
            y[at_y] += product_.reshape(*y.shape[:3], *part.shape[3:])
        return y.reshape(len(x), *form.output_shape)

    return apply


def weight_gradient(form: TrilinearForm, x: Array, grad: Array) -> Array:
    """The derivative of <grad, W x> by W: one product of slices for each product of strands.

    ``x`` is (batch, *input_shape) and ``grad`` (batch, *output_shape); the result has the weight's
    shape.
    """
    x = _grouped(form, x)
    grad = grad.reshape(len(grad), form.groups, form.channels_out, *form.output_shape[1:])
    taps = tuple(axis.n_tap for axis in form.axes)
    shape = (form.groups, form.channels_out, form.channels_in, *taps)
    w = np.zeros(shape, np.result_type(x, grad))
    for strands in product(*(axis.strands for axis in form.axes)):
        at_y, at_t, at_x = _slices(form, strands)
        ys, xs = (
            part.swapaxes(0, 1).swapaxes(1, 2).reshape(form.groups, part.shape[2], -1)
            for part in (grad[at_y], x[at_x])
        )
        coefficient = prod((s.coefficient for s in strands), start=ONE)
        w[at_t] += scaled(ys @ xs.swapaxes(1, 2), coefficient)
    if not form.output_leads:
        w = w.swapaxes(1, 2)
    return w.reshape(form.weight_shape)


Index = tuple[Any, ...]


def _slices(form: TrilinearForm, strands: Sequence[Strand]) -> tuple[Index, Index, Index]:
    """Where a product of strands lies in y, in the weight and in x."""
    at_y: list[slice] = []
    at_x: list[slice] = []
    for axis, s in zip(form.axes, strands, strict=True):
        at_y.append(slice(s.y, s.y + axis.step * (s.count - 1) + 1, axis.step))
        at_x.append(slice(s.x, s.x + axis.advance * (s.count - 1) + 1, axis.advance))
    return (..., *at_y), (..., *(s.tap for s in strands)), (..., *at_x)
