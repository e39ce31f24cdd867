"""Random operators as CUDA, run by the emulator: every function exact, by every schedule.

Each is run twice, in other orders of blocks and threads and on another grid: the bits are the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice
from math import prod
from pathlib import Path

import pytest

from codegen._runtime.cuda.program import Program
from codegen.cuda.depthwise import Depthwise
from codegen.cuda.direct import Direct
from codegen.cuda.tensor import Tensor
from codegen.lower import lower
from codegen.targets.cuda.text import emit_cuda
from derive import Operator
from tests.cuda.emulated import emulated, needs_emulator
from tests.cuda.exact import DTYPES, Trial
from tests.cuda.operators import random_operator
from tests.cuda.plans import DEVICE, PLANS, Plan
from tests.fuzz import drawn

TOGETHER = 30  # operators of one compilation
CHUNKS = {  # of these, by plan and dtype
    "tables": {"float32": 2, "float64": 1, "float16": 1, "bfloat16": 1},
    "rule": {"float32": 3, "float64": 1, "float16": 1, "bfloat16": 1},
    "tensor cores": {"float16": 3, "bfloat16": 2},
    "direct": {"float32": 4, "float64": 2, "float16": 1, "bfloat16": 1},
    "depthwise": {"float32": 3, "float64": 1, "float16": 1, "bfloat16": 1},
}
FORCED = {"tensor cores": Tensor, "direct": Direct, "depthwise": Depthwise}
WIDE = 3  # of so many operators one has many channels, but at most
MOST, WEIGHTS = 100_000, 1500  # multiply-adds a sample, numbers of the folded weight
BATCHES = (1, 2, 3, 5, 2, 3, 1, 0)


def trials(seed: int, first: int) -> Iterator[Trial]:
    """Operators whose results say something, and those of an empty batch; some with channels."""
    for number in count(first):
        op = drawn(seed, number)[0] if number % WIDE else random_operator(seed, 4 * number + 2)
        if not affordable(op):
            continue
        trial = Trial.of(op, BATCHES[number % len(BATCHES)], seed, number)
        if trial.telling or not len(trial.sample.x):
            yield trial


def affordable(op: Operator) -> bool:
    """Whether its functions are emulated in a moment; by tables a weight takes a block."""
    return op.macs <= MOST and (not op.learned or prod(lower(op.form).form.weight_shape) <= WEIGHTS)


@needs_emulator
@pytest.mark.parametrize(
    ("plan", "dtype", "chunk"),
    [(p, d, c) for p, by_dtype in CHUNKS.items() for d, n in by_dtype.items() for c in range(n)],
)
def test_random_operators(plan: str, dtype: str, chunk: int, tmp_path: Path) -> None:
    seed, first = 900 + [*PLANS].index(plan), DTYPES.index(dtype) * 10000 + chunk * 1000
    fitting = (trial for trial in trials(seed, first) if meets(trial.op, plan, dtype))
    chosen = list(islice(fitting, TOGETHER))
    programs = [printed(trial.op, f"op{i}", dtype, PLANS[plan]) for i, trial in enumerate(chosen)]
    for i, (trial, each) in enumerate(zip(chosen, emulated(programs, tmp_path), strict=True)):
        assert list(trial.failures(each, i)) == [], trial.op


def meets(op: Operator, plan: str, dtype: str) -> bool:
    """Whether an operator has a function by the schedule that the plan forces."""
    if plan not in FORCED:
        return True
    if not op.learned:
        return False
    made = PLANS[plan](lower(op.form).form, dtype)
    return any(isinstance(one, FORCED[plan]) for one in (made.forward, made.input_gradient))


def printed(op: Operator, name: str, dtype: str, plan: Plan) -> Program:
    made = plan(lower(op.form).form, dtype) if op.learned else None
    return emit_cuda(op, name, dtype, DEVICE, made)
