"""Random operators as CUDA, run by the emulator: every function exact, by every schedule.

Each is run twice, in other orders of blocks and threads and on another grid: the bits are the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

import pytest

from codegen.cuda.device import Device
from codegen.targets.cuda.text import emit_cuda
from tests.cuda.emulated import emulated, needs_emulator
from tests.cuda.exact import Trial
from tests.cuda.plans import PLANS
from tests.fuzz import drawn

TOGETHER = 30  # operators of one compilation
CHUNKS = {"float32": 8, "float64": 1, "float16": 1, "bfloat16": 1}
BATCHES = (1, 2, 3, 5, 2, 3, 1, 0)

every_chunk = pytest.mark.parametrize(
    ("dtype", "chunk"), [(dtype, i) for dtype, chunks in CHUNKS.items() for i in range(chunks)]
)
every_plan = pytest.mark.parametrize("plan", PLANS)


def trials(seed: int, first: int) -> Iterator[Trial]:
    """Operators whose results say something, and those of an empty batch."""
    for number in count(first):
        op, _, _ = drawn(seed, number)
        trial = Trial.of(op, BATCHES[number % len(BATCHES)], seed, number)
        if trial.telling or not len(trial.sample.x):
            yield trial


@needs_emulator
@every_chunk
@every_plan
def test_random_operators(plan: str, dtype: str, chunk: int, tmp_path: Path) -> None:
    seed, first = 900 + [*PLANS].index(plan), [*CHUNKS].index(dtype) * 10000 + chunk * 1000
    chosen = list(islice(trials(seed, first), TOGETHER))
    device = Device()
    programs = [
        emit_cuda(
            trial.op,
            f"op{i}",
            dtype,
            device,
            PLANS[plan](trial.op, device, dtype) if trial.op.learned else None,
        )
        for i, trial in enumerate(chosen)
    ]
    for i, (trial, each) in enumerate(zip(chosen, emulated(programs, tmp_path), strict=True)):
        assert list(trial.failures(each, i)) == [], trial.op
