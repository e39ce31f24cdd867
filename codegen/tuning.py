"""The fastest of several plans on this machine: timed once, and remembered in the cache."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ._runtime import Kernel
from ._runtime.compiler import SCALARS, Compiler
from .cpu.schedule import Plan

TUNED = ("forward", "input_gradient")
ROUNDS, SECONDS = 7, 2.0  # of a direction, at most, whichever ends first
SPELL = 2e-3  # seconds of calls between two looks at the clock
Call = Callable[[], object]


def tuned(
    plans: Sequence[Plan],
    dtype: str,
    compiler: Compiler,
    folder: Path,
    kernels: Callable[[Sequence[Plan]], Sequence[Kernel]],
) -> Plan:
    """Each function's fastest schedule among the plans.

    ``kernels`` makes those of the plans, if nothing is remembered in ``folder`` of these plans,
    this compiler and as many threads.
    """
    if len(plans) == 1:
        return plans[0]
    path = folder / f"choice-{_key(plans, dtype, compiler)}.json"
    best = _remembered(path, len(plans))
    if best is None:
        made = kernels(plans)
        best = {direction: _fastest(made, direction) for direction in TUNED}
        with contextlib.suppress(OSError):  # a cache that cannot be written only costs time
            private = path.with_suffix(f".{os.getpid()}")
            private.write_text(json.dumps(best))
            private.replace(path)
    forward, by_input = (plans[best[direction]] for direction in TUNED)
    return replace(forward, input_gradient=by_input.input_gradient)


def _key(plans: Sequence[Plan], dtype: str, compiler: Compiler) -> str:
    threads = os.environ.get("OMP_NUM_THREADS", str(os.cpu_count()))
    parts = (compiler.key({}, SCALARS[dtype]), threads, *map(repr, plans))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _remembered(path: Path, plans: int) -> dict[str, int] | None:
    """The choice that was made before, None where there is none that makes sense."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or found.keys() != set(TUNED):
        return None
    sensible = all(isinstance(i, int) and 0 <= i < plans for i in found.values())
    return found if sensible else None


def _fastest(kernels: Sequence[Kernel], direction: str) -> int:
    """The index of the kernel whose function takes the least time for one sample."""
    calls = [_call(kernel, direction) for kernel in kernels]
    times = [_once(call) for call in calls]  # the first call also warms up
    times = [min(_once(call), time) for call, time in zip(calls, times, strict=True)]
    repeats = [max(1, int(SPELL / max(each, 1e-9))) for each in times]
    end = time.perf_counter() + SECONDS
    for _ in range(ROUNDS):
        for i, call in enumerate(calls):
            if time.perf_counter() < end:
                times[i] = min(times[i], _once(call, repeats[i]))
    return min(range(len(times)), key=times.__getitem__)


def _once(call: Call, repeats: int = 1) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats


def _call(kernel: Kernel, direction: str) -> Call:
    """A call on random data; the weight is prepared for forward, as it is between two steps."""
    rng, dtype = np.random.default_rng(0), kernel.dtypes[0]
    shapes = (kernel.input_shape, kernel.output_shape, kernel.weight_shape, kernel.bias_shape)
    x, g, w, b = (
        None if shape is None else rng.standard_normal(shape).astype(dtype) for shape in shapes
    )
    if direction == "forward":
        weight = kernel.prepare(w)
        return lambda: kernel.forward(x, weight, b)
    return lambda: kernel.input_gradient(g, w)
