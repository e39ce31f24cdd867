"""One probe put to a function: whether it answered right, and what was wrong if not.

A fast function of a kernel of ours rounds integers, too: right means within its own bound. Where
weights are fractions, right means within the bound of ``codegen.rounding``. A foreign resize
may also compute the weights in its dtype: they come from a position of at most n + m, known to
(n + m)*u an operation, and no kernel of a resize has a slope beyond 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codegen.free import FreeKernel
from codegen.rounding import PRECISION, relative, rounded_up, roundings
from derive import Operator

from .answers import Answers, Sample, rounds
from .calls import Caller
from .probes import Probe, sample_of

Array = NDArray[Any]
OPERATIONS = 8  # roundings between a position and the weight that follows from it
OWN = 4  # roundings of the exact answer and of its bound


@dataclass(frozen=True, slots=True)
class Finding:
    """A wrong answer. ``problem`` says it where there is no array of the right kind to compare.

    ``bounded`` says that the numbers were allowed a bound.
    """

    probe: Probe
    sample: Sample
    problem: str = ""
    refused: bool = False
    expected: Array | None = None
    got: Array | None = None
    wrong: NDArray[np.bool_] | None = None
    bounded: bool = False


@dataclass(frozen=True, slots=True)
class Agreement:
    """A right answer; ``exact`` when every number was equal."""

    exact: bool


def arguments(direction: str, sample: Sample, batch: tuple[int, ...]) -> list[Array]:
    """What a function of this direction takes, as our kernels take it."""
    x, grad = sample.x, sample.grad
    if not batch:
        x, grad = x[0], grad[0]
    weight = [] if sample.weight is None else [sample.weight]
    bias = [] if sample.bias is None else [sample.bias]
    taken = {
        "forward": [x, *weight, *bias],
        "input_gradient": [grad, *weight],
        "weight_gradient": [x, grad],
        "bias_gradient": [grad],
    }
    return list(taken[direction])


def put(caller: Caller, probe: Probe, direction: str) -> Agreement | Finding:
    """Call once and compare."""
    sample = sample_of(probe, direction, caller.dtype)
    answers = Answers(probe.op)
    exact = answers.values(direction, sample)
    if not probe.batch and direction in ("forward", "input_gradient"):
        exact = exact[0]
    outcome = caller(arguments(direction, sample, probe.batch), exact.shape if probe.out else None)
    got = outcome.array
    problem = outcome.problem
    if got is not None and got.shape != exact.shape:
        problem = f"returns shape {got.shape}; the operator gives {exact.shape}"
    elif got is not None and outcome.dtype != caller.dtype:
        problem = f"returns dtype {outcome.dtype} for {caller.dtype}"
    if problem or got is None:
        return Finding(probe, sample, problem, outcome.refused, got=got)
    if np.array_equal(got, exact):
        return Agreement(exact=True)
    bound = _bound(caller, probe, direction, sample)
    if bound is None:
        return Finding(probe, sample, expected=exact, got=got, wrong=got != exact)
    with np.errstate(invalid="ignore"):
        wrong = ~(abs(got.astype(np.float64) - exact) <= bound.reshape(exact.shape))
    if not wrong.any():
        return Agreement(exact=False)
    return Finding(probe, sample, expected=exact, got=got, wrong=wrong, bounded=True)


def _bound(caller: Caller, probe: Probe, direction: str, sample: Sample) -> Array | None:
    """How far each number of an answer may be off; None where it must be equal."""
    ours = caller.kernel
    kernel = ours.at(probe.op.input_shape[1:]) if isinstance(ours, FreeKernel) else ours
    if kernel is not None and direction in kernel.fast:
        given = [each.astype(caller.dtype) for each in arguments(direction, sample, sample.batch)]
        own = kernel.error_bound(*given, direction=direction)
        if not rounds(probe.op):
            return own
        return own + rounding(probe.op, direction, sample, "float64")
    if rounds(probe.op) and caller.dtype in PRECISION:
        return rounding(probe.op, direction, sample, caller.dtype)
    return None


def rounding(op: Operator, direction: str, sample: Sample, dtype: str) -> Array:
    """The bound of every number of an answer."""
    answers = Answers(op, absolute=True)
    magnitude, batch = answers.values(direction, sample.absolute()), len(sample.x)
    own = roundings(op, direction, dtype, batch).count
    count = own + answers.terms(direction, batch)  # a foreign function need not fold
    positions = sum(axis.n_in + axis.n_out for axis in op.axes)
    weights = relative(2 * OPERATIONS * positions, dtype, OWN) * ceil(magnitude.max(initial=0))
    return np.asarray(rounded_up(relative(count, dtype, OWN)) * magnitude + rounded_up(weights))
