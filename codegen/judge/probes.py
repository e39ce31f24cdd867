"""The questions: integers for each argument, small enough that every right sum is exact."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from math import isqrt, prod

import numpy as np

from codegen.rounding import PRECISION
from derive import Operator

from .answers import BITS, Answers, Ints, Sample, rounds

SMALL, WIDEST = 4, 2**20
IMPULSES = 32


@dataclass(frozen=True, slots=True)
class Probe:
    """One call: an operator of fixed size, a batch (none is one sample), and which data.

    ``data`` is integers (small ones), wide (as large as the dtype stays exact with), zero input,
    zero weight, or impulses: one input of each kind of output is 1, sample by sample.
    """

    op: Operator
    batch: tuple[int, ...] = (1,)
    data: str = "integers"
    seed: int = 0
    out: bool = False

    @property
    def check(self) -> str:
        """What the call looks at, in words."""
        batch = f"batch of {self.batch[0]}" if self.batch else "one sample without a batch"
        return f"{self.data}, {batch}{', out prefilled' if self.out else ''}"


def sample_of(probe: Probe, direction: str, dtype: str) -> Sample:
    """The data of a probe, always with a batch; the same for the same probe."""
    rng = np.random.default_rng(probe.seed)
    op, batch = probe.op, prod(probe.batch)
    if probe.data == "impulses":
        return _impulses(op, direction, rng)
    largest = SMALL if probe.data != "wide" else WIDEST
    largest = min(largest, exact_up_to(op, direction, dtype, batch))
    made = Sample(
        _nonzero(rng, (batch, *op.input_shape), largest),
        _nonzero(rng, op.form.weight_shape, largest) if op.learned else None,
        _nonzero(rng, op.bias_shape, largest) if op.bias_shape else None,
        _nonzero(rng, (batch, *op.output_shape), largest),
    )
    if probe.data == "zero input":
        made = replace(made, x=0 * made.x, grad=0 * made.grad)
    elif probe.data == "zero weight" and made.weight is not None:
        made = replace(made, weight=0 * made.weight)
    return _thinned(made, op, direction, dtype, rng)


def exact_up_to(op: Operator, direction: str, dtype: str, batch: int) -> int:
    """The largest L such that sums of products of -L..L, and one more L, are exact in the dtype.

    A sum of K products is at most K*L*L; that and a bias stay within (K + 1)*L*L. Where weights
    are fractions nothing is exact, and L is small.
    """
    answers = Answers(op)
    if rounds(op):
        return SMALL
    bits = PRECISION.get(dtype) or BITS[dtype]
    terms = answers.terms(direction, batch)
    for axis in op.axes:  # whole coefficients other than 1: a chain counts one input twice
        terms *= max((abs(int(s.coefficient)) for s in axis.strands), default=1)
    return max(1, isqrt((2**bits - 1) // (terms + 1)))


def _thinned(
    sample: Sample, op: Operator, direction: str, dtype: str, rng: np.random.Generator
) -> Sample:
    """The sample with as many zeros as narrow dtypes need to hold every sum."""
    limit = 2 ** (PRECISION.get(dtype) or BITS[dtype])
    answers = Answers(op, absolute=True)
    while answers.values(direction, sample.absolute()).max(initial=0) >= limit:
        kept = rng.random(sample.x.shape) < 0.5, rng.random(sample.grad.shape) < 0.5
        sample = replace(sample, x=sample.x * kept[0], grad=sample.grad * kept[1])
    return sample


def _nonzero(rng: np.random.Generator, shape: tuple[int, ...], largest: int) -> Ints:
    """Integers in -largest..-1 and 1..largest: a zero in an answer comes from the operator."""
    values = rng.integers(-largest, largest, shape)
    return np.asarray(values + (values >= 0))


def _impulses(op: Operator, direction: str, rng: np.random.Generator) -> Sample:
    """One sample for each product of runs: a single 1 among the inputs its first output reads."""
    form = op.form if direction == "forward" else op.form.adjoint
    reads = [
        sorted({run.source + tap.offset for run in axis.runs for tap in run.taps[:1]}) or [0]
        for axis in form.axes
    ]
    places = [place for _, place in zip(range(IMPULSES), product(*reads), strict=False)]
    given = np.zeros((len(places), *form.input_shape), np.int64)
    for b, place in enumerate(places):
        given[(b, b % form.input_shape[0], *place)] = 1
    other = np.zeros((len(places), *form.output_shape), np.int64)
    x, grad = (given, other) if direction == "forward" else (other, given)
    weight = _nonzero(rng, op.form.weight_shape, SMALL) if op.learned else None
    bias = _nonzero(rng, op.bias_shape, SMALL) if op.bias_shape else None
    return Sample(x, weight, bias, grad)
