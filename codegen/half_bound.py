"""The bound of kernels that hold halves and add in float32: that of the sums, and of storing.

A result is rounded once more when it is stored, and so is a folded weight where tensor cores take
it. With unit roundoff u of the half, a number that passed k of these has a factor of (1 + u)**k.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

import numpy as np

from derive import Operator
from derive.core.folding import worth_folding

from .error_bound import Array, Bound, carried, error_bound, reaches
from .rounding import PRECISION

LARGEST_EXPONENT = {"float16": 15, "bfloat16": 127}  # IEEE 754 binary16; the upper half of float32
TRUNCATED = 3.0  # times the bound of sums that are rounded to nearest
UP = 1 + 2.0**-48  # over the roundings of these few operations in float64


def half_bound(op: Operator, direction: str, inputs: Sequence[Array], dtype: str) -> Bound:
    """``error_bound`` for "float16" and "bfloat16"; inputs hold such numbers, in any float.

    >>> from derive import Conv1d
    >>> op = Conv1d(1, 1, 1, bias=False, input_size=1)
    >>> one = np.ones((1, 1, 1))
    >>> round(float(half_bound(op, "forward", (one, one), "float16")[0, 0, 0]) * 2**11, 2)
    1.0
    """
    bits, emax = PRECISION[dtype], LARGEST_EXPONENT[dtype]
    unit, smallest, limit = 2.0**-bits, 2.0 ** (2 - emax - bits), 2.0 ** (emax + 1)
    data = [np.abs(np.asarray(each, np.float64)) for each in inputs]
    through_weight = op.learned and direction in ("forward", "input_gradient")
    folded = through_weight and any(worth_folding(axis) for axis in op.form.axes)
    bias = data.pop() if direction == "forward" and len(data) > 2 else None
    if folded:
        data[1] = data[1] + smallest / unit  # a folded weight may lose what is too small
    sums = TRUNCATED * error_bound(op, direction, inputs, "float32")
    with np.errstate(over="ignore", invalid="ignore"):
        magnitude = carried(op, direction, data)
        if bias is not None:
            magnitude = magnitude + bias.reshape(-1, *(1 for _ in op.form.axes))
        grown = (1 + unit) ** (2 if folded else 1)
        bound = (grown * sums + (grown - 1) * magnitude + smallest) * UP
        beyond = (magnitude + sums) * UP > limit / 2
        if folded:
            beyond = beyond | (reaches(op.form.absolute, direction, data) > limit / 2)
    bound[beyond] = inf
    return bound
