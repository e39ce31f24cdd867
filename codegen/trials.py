"""The values that the libraries of the generated package must meet before they are kept."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from derive import Operator

from ._runtime.compiler import SCALARS
from ._runtime.trial import BATCH, Trial, numbers
from .exactness import integral
from .judge.answers import Answers, Sample, directions
from .rounding import PRECISION, relative, rounded_up, roundings

SEEDS = 3
REPEATED = 1 << 24  # products of a sample, up to which there is more than one seed
MOST = 1 << 30  # and up to which there is one
NUMBERS = 1 << 26  # of a batch of inputs or outputs, at most
OWN = 4  # roundings of a value, of what is subtracted, and of the comparison
FLOATS = tuple(dtype for dtype in SCALARS if dtype in PRECISION)


@lru_cache(maxsize=256)  # the C and the CUDA face of an operator have the same
def trial(op: Operator) -> Trial:
    """<g, A(w) x> for the integers of each seed, exactly.

    No values where int64 may not hold them, or where a first use would take minutes.

    >>> from derive import Conv1d
    >>> trial(Conv1d(1, 1, 3, bias=False, input_size=6))
    Trial(values=(106, -222, -4), longest=6, allowed={})
    """
    positions = [prod(shape[1:]) for shape in (op.input_shape, op.output_shape)]
    longest = max(*positions, op.nnz // min(positions) + 1)
    if op.nnz > MOST or BATCH * max(prod(op.input_shape), prod(op.output_shape)) > NUMBERS:
        return Trial((), longest)
    answers = Answers(op)
    strands = (s for axis in answers.form.axes for s in axis.strands)
    largest = max((abs(s.coefficient) for s in strands), default=1)
    if BATCH * 4**3 * op.nnz * largest ** len(op.axes) * prod(op.form.weight_shape[1:]) >= 2**63:
        return Trial((), longest)
    seeds = SEEDS if op.nnz <= REPEATED else 1
    sums = [_sums(op, Trial((), longest).largest, seed) for seed in range(seeds)]
    if integral(op):
        return Trial(tuple(value for value, _ in sums), longest)
    magnitude = max(-(-moduli // answers.denominator) for _, moduli in sums)
    if op.bias_shape:
        magnitude += BATCH * prod(op.output_shape) * Trial((), longest).largest ** 2
    values = tuple(value / answers.denominator for value, _ in sums)
    return Trial(values, longest, {dtype: _allowed(op, dtype, magnitude) for dtype in FLOATS})


def _allowed(op: Operator, dtype: str, magnitude: int) -> float:
    """How far rounding may take an inner product, of which that is the sum of moduli."""
    count = max(roundings(op, direction, dtype, BATCH).count for direction in directions(op))
    shapes = op.input_shape, op.output_shape, op.form.weight_shape
    products = BATCH * max(map(prod, shapes))
    return rounded_up(relative(count, dtype, products + OWN) * magnitude)


def _sums(op: Operator, largest: int, seed: int) -> tuple[int, int]:
    """<g, A(w) x> times the common denominator, and the same of the moduli of all factors."""
    shapes = (BATCH, *op.input_shape), (BATCH, *op.output_shape), op.form.weight_shape
    x, g, w = (_narrow(numbers(shape, 4 * seed + i, largest)) for i, shape in enumerate(shapes))
    exact, moduli = (Answers(op, absolute=absolute) for absolute in (False, True))
    found, bound = 0, 0
    for one, other in zip(x, g, strict=True):  # a sample at a time, for its memory
        sample = Sample(one[None], w if op.learned else None, None, other[None])
        found += _inner(exact, sample)
        bound += 0 if integral(op) else _inner(moduli, sample.absolute())
    return found, bound


def _narrow(small: Any) -> Any:
    """In bytes: of a large operator there are many."""
    return small.astype(np.int8)


def _inner(answers: Answers, sample: Sample) -> int:
    """<g, y> of one sample, channel by channel."""
    (y,) = answers.of("forward", sample)
    (g,) = sample.grad
    return sum(int(np.vdot(one.astype(np.int64), two)) for one, two in zip(g, y, strict=True))
