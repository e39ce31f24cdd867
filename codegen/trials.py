"""The values that the libraries of the generated package must meet before they are kept."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from math import lcm, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from derive import Operator
from derive.core.form import TrilinearForm
from derive.sparse import compressed_rows

from ._runtime.compiler import SCALARS
from ._runtime.trial import BATCH, Trial, numbers
from .exactness import integral
from .judge.answers import directions
from .rounding import PRECISION, relative, rounded_up, roundings

Array = NDArray[Any]

SEEDS = 3
OWN = 4  # roundings of a value, of what is subtracted, and of the comparison
FLOATS = tuple(dtype for dtype in SCALARS if dtype in PRECISION)


@lru_cache(maxsize=256)  # the C and the CUDA face of an operator have the same
def trial(op: Operator) -> Trial:
    """<g, A(w) x> for the integers of each seed, from the matrix; no values where it is too large.

    >>> from derive import Conv1d
    >>> trial(Conv1d(1, 1, 3, bias=False, input_size=6))
    Trial(values=(106, -222, -4), longest=6, allowed={})
    """
    positions = [prod(shape[1:]) for shape in (op.input_shape, op.output_shape)]
    longest = max(*positions, op.nnz // min(positions) + 1)
    form, common = _scaled(op.form)
    largest = max((abs(s.coefficient) for axis in form.axes for s in axis.strands), default=1)
    if BATCH * 4**3 * op.nnz * largest ** len(form.axes) * prod(op.form.weight_shape[1:]) >= 2**63:
        return Trial((), longest)
    data = [_data(form, Trial((), longest).largest, seed, op.learned) for seed in range(SEEDS)]
    sums = [_sum(form, *each) for each in data]
    if integral(op):
        return Trial(tuple(sums), longest)
    moduli = max(_sum(form.absolute, *map(abs, each)) for each in data)
    magnitude = -(-moduli // common)
    if op.bias_shape:
        magnitude += BATCH * prod(op.output_shape) * Trial((), longest).largest ** 2
    values = tuple(value / common for value in sums)
    return Trial(values, longest, {dtype: _allowed(op, dtype, magnitude) for dtype in FLOATS})


def _allowed(op: Operator, dtype: str, magnitude: int) -> float:
    """How far rounding may take an inner product, of which that is the sum of moduli."""
    count = max(roundings(op, direction, dtype, BATCH).count for direction in directions(op))
    shapes = op.input_shape, op.output_shape, op.form.weight_shape
    products = BATCH * max(map(prod, shapes))
    return rounded_up(relative(count, dtype, products + OWN) * magnitude)


def _data(form: TrilinearForm, largest: int, seed: int, learned: bool) -> list[Array]:
    """x and g, a column for each sample, and the weight."""
    shapes = (BATCH, *form.input_shape), (BATCH, *form.output_shape), form.weight_shape
    x, g, w = (numbers(shape, 4 * seed + i, largest) for i, shape in enumerate(shapes))
    return [x.reshape(BATCH, -1).T, g.reshape(BATCH, -1).T, w if learned else np.ones_like(w)]


def _sum(form: TrilinearForm, x: Array, g: Array, w: Array) -> int:
    """<g, A(w) x>, exactly."""
    return int((g * (compressed_rows(form, w, 0, len(g), np.int64) @ x)).sum())


def _scaled(form: TrilinearForm) -> tuple[TrilinearForm, int]:
    """The form with integers for coefficients, and how many times the form it is."""
    axes, common = [], 1
    for axis in form.axes:
        times = lcm(*(s.coefficient.denominator for s in axis.strands))
        strands = tuple(replace(s, coefficient=s.coefficient * times) for s in axis.strands)
        axes.append(replace(axis, strands=strands))
        common *= times
    return replace(form, axes=tuple(axes)), common
