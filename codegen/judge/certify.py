"""Is a function this operator? Derived questions, exact answers, the smallest counterexample."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from codegen._runtime import Kernel
from codegen.free import FreeKernel
from codegen.rounding import DIRECTIONS, PRECISION
from derive import Operator
from derive.arguments import choice, integer

from .answers import BITS, Answers, directions
from .calls import KINDS, Caller, understood
from .comparison import Agreement, Finding, arguments, put
from .places import where
from .probes import Probe, sample_of
from .reduce import reduced
from .sizes import Shape, other_sizes, representative
from .variants import look_alike
from .verdict import Certificate, Counterexample

DTYPES = (*PRECISION, *BITS)
BUDGET = 200
FOR_REDUCTION = 3  # one call in so many is kept for making a counterexample smaller
REFUSALS = 3  # so many other sizes refused, and the function is taken to be for one size


def certify(
    function: Callable[..., Any],
    op: Operator,
    *,
    direction: str = "forward",
    dtype: str | None = None,
    arrays: str = "auto",
    sizes: str = "all",
    budget: int = BUDGET,
    seed: int = 0,
) -> Certificate | Counterexample:
    """Whether ``function(x, weight, bias)`` is the operator, tried on exact data.

    Arguments are those of our kernels: forward (x, weight, bias) with x (batch, *input_shape),
    ``direction`` "input_gradient" (grad_output, weight), "weight_gradient" (x, grad_output),
    "bias_gradient" (grad_output); without the weight where nothing is learned, without the bias
    where there is none. A kernel of ours may be given whole; its fast functions may be off by their
    ``error_bound``. ``dtype`` is that of a kernel, else
    float32; ``arrays`` is "numpy", "torch" or "auto", found by trying.

    The calls come from the structure: each run of outputs meets an impulse, integers are as large
    as the dtype stays exact with, batches of 2, 1 and none, zeros for bilinearity, the output
    prefilled where there is an ``out``. A layer without ``input_size`` is tried at all sizes that
    tell: the smallest, each residue of its period, output widths across vector tails. One with a
    size is tried there, and elsewhere only as long as the function takes other sizes; ``sizes``
    "own" keeps it to its own, for a function that does not check what it is given. At most
    ``budget`` calls are made.

    >>> import numpy as np
    >>> from derive import Conv1d
    >>> op = Conv1d(1, 1, 3, padding=1, bias=False, input_size=8)
    >>> def smooth(x, weight):
    ...     return np.stack([[np.convolve(s[0], weight[0, 0], "same")] for s in x])
    >>> verdict = certify(smooth, op)
    >>> verdict.valid, verdict.sentence
    (False, 'looks like the flipped kernel; differs everywhere: 16 of 16 outputs')
    >>> bool(certify(lambda x, weight: smooth(x, weight[..., ::-1]), op))
    True
    """
    if not isinstance(op, Operator):
        raise TypeError(f"op is of type {type(op).__name__}; allowed is one operator of derive")
    choice("direction", direction, DIRECTIONS)
    choice("arrays", arrays, ("auto", *KINDS))
    choice("sizes", sizes, ("all", "own"))
    if direction not in directions(op):
        raise ValueError(f"direction = {direction!r}: allowed is another, {op!r} learns nothing")
    dtype = choice("dtype", dtype or _dtype_of(function), DTYPES)
    own = representative(op)
    if dtype in BITS and Answers(own).denominator != 1:
        raise ValueError(f"dtype = {dtype!r}: allowed is a float, {op!r} weighs by fractions")
    called = getattr(function, direction, function)  # of a kernel, its function
    first = Probe(own, (2,), "wide", integer("seed", seed, 0))
    given = arguments(direction, sample_of(first, direction, dtype), first.batch)
    kind = understood(called, arrays, dtype, given)
    ours = function if isinstance(function, (Kernel, FreeKernel)) else None
    caller = Caller(called, kind, dtype, integer("budget", budget, 1), kernel=ours)
    return _Trial(caller, op, direction, sizes == "all").verdict(first)


def _dtype_of(function: object) -> str:
    dtypes = getattr(function, "dtypes", ("float32",))
    return str(dtypes[0])


@dataclass(slots=True)
class _Trial:
    """What has been asked so far, and what came of it."""

    caller: Caller
    op: Operator
    direction: str
    elsewhere: bool
    exact: bool = True
    sizes: dict[Shape, int] = field(default_factory=dict)  # and the runs of each
    checks: dict[str, None] = field(default_factory=dict)
    untried: dict[str, None] = field(default_factory=dict)
    seeds: list[int] = field(default_factory=list)

    def verdict(self, first: Probe) -> Certificate | Counterexample:
        found = self._at_home(first) or self._elsewhere(first)
        if found is not None:
            return self._counterexample(found)
        return Certificate(
            operator=self.op,
            direction=self.direction,
            dtype=self.caller.dtype,
            arrays=self.caller.kind,
            exact=self.exact,
            calls=self.caller.calls,
            sizes=tuple(self.sizes),
            runs=sum(self.sizes.values()),
            checks=tuple(self.checks),
            untried=tuple(self.untried),
            seeds=tuple(self.seeds),
        )

    def _at_home(self, first: Probe) -> Finding | None:
        """All kinds of data at the operator's own size, each with a seed of its own."""
        for probe in self._own_probes(first):
            if self.caller.spent:
                break
            found = self._wrong(probe)
            if found is None:
                continue
            if not probe.batch and found.wrong is None:  # it need not take one sample alone
                self.untried[f"{probe.check}: {found.problem}"] = None
                continue
            return found
        return None

    def _own_probes(self, first: Probe) -> Iterator[Probe]:
        gradient_of_weights = self.direction in ("weight_gradient", "bias_gradient")
        probes = [
            first,
            replace(first, data="integers"),
            replace(first, data="integers", batch=(1,)),
            replace(first, data="integers", batch=()),
            replace(first, data="zero input", batch=(1,)),
        ]
        if first.op.learned and not gradient_of_weights:
            probes.append(replace(first, data="zero weight", batch=(1,)))
        if not gradient_of_weights:
            impulses = replace(first, data="impulses")
            samples = len(sample_of(impulses, self.direction, self.caller.dtype).x)
            probes.append(replace(impulses, batch=(samples,)))
        if self.caller.takes_out:
            probes.append(replace(first, out=True))
        for number, probe in enumerate(probes):
            yield replace(probe, seed=first.seed + number)

    def _elsewhere(self, first: Probe) -> Finding | None:
        """The same layer at other sizes, as many as the budget allows."""
        if not self.elsewhere:
            return None
        most = self.caller.budget - self.caller.budget // FOR_REDUCTION
        refusals = taken = 0
        for number, op in enumerate(other_sizes(self.op)):
            if self.caller.calls >= most:
                self.untried["further sizes: the budget is spent"] = None
                break
            found = self._wrong(Probe(op, (1,), seed=first.seed + 100 + number))
            if found is None:
                taken += 1
                continue
            if self.op.sizes is None or found.wrong is not None:
                return found
            refusals += 1  # of a layer of one size, other sizes are asked for, not demanded
            self.untried[f"other sizes: {found.problem}"] = None
            if refusals >= REFUSALS and not taken:
                break
        return None

    def _wrong(self, probe: Probe) -> Finding | None:
        result = put(self.caller, probe, self.direction)
        if isinstance(result, Agreement):
            self.exact = self.exact and result.exact
            size = probe.op.input_shape[1:]
            self.sizes[size] = sum(len(axis.runs) for axis in probe.op.axes)
            self.checks[probe.check] = None
            self.seeds.append(probe.seed)
            return None
        return result

    def _counterexample(self, found: Finding) -> Counterexample:
        noticed = self.caller.calls
        small = found if not self.elsewhere else reduced(self.caller, found, self.direction)
        position = expected = got = None
        if small.wrong is not None and small.expected is not None and small.got is not None:
            place = tuple(int(i) for i in np.argwhere(small.wrong)[0])
            position, expected, got = place, float(small.expected[place]), float(small.got[place])
        probe = small.probe
        names = {"x": small.sample.x, "weight": small.sample.weight, "bias": small.sample.bias}
        names["grad_output"] = small.sample.grad
        return Counterexample(
            operator=probe.op,
            found_in=found.probe.op,
            direction=self.direction,
            dtype=self.caller.dtype,
            arrays=self.caller.kind,
            sentence=_sentence(found, self.direction, self.caller.dtype),
            batch=probe.batch,
            noticed=noticed,
            calls=self.caller.calls,
            seed=probe.seed,
            differing=0 if found.wrong is None else int(found.wrong.sum()),
            outputs=0 if found.wrong is None else found.wrong.size,
            position=position,
            expected=expected,
            got=got,
            inputs={name: array for name, array in names.items() if array is not None},
        )


def _shape(found: Finding, direction: str) -> Shape:
    batch = found.probe.batch if direction in DIRECTIONS[:2] else ()
    return (*batch, *Answers(found.probe.op).shape(direction))


def _sentence(found: Finding, direction: str, dtype: str) -> str:
    """What is wrong: a mistake that it looks like, and where the numbers differ."""
    op, got = found.probe.op, found.got
    like = None
    if got is not None and (found.wrong is not None or got.shape != _shape(found, direction)):
        batched = got[None] if not found.probe.batch and direction in DIRECTIONS[:2] else got
        like = look_alike(op, direction, found.sample, batched, dtype)
    if found.wrong is None:
        words = found.problem
    else:
        words = where(op, direction, found.wrong)
        if found.bounded:
            words += ", beyond their rounding bound"
    return f"{like}; {words}" if like else words
