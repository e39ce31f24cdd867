"""One case: everybody makes the layer, is compared with float64, and then takes turns."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import numpy as np

from . import peers
from .case import Array, Case, data_of
from .contestant import Contestant, UnsupportedError
from .ours import exact, ours
from .peak import multiply_adds
from .row import OURS, Row
from .timing import interleaved

PEAK = "peak"
# of the largest output: no algorithm's rounding reaches it, and any wrong border does
WRONG = 2.0**-9


def measured(
    case: Case, who: Iterable[str], algorithms: Iterable[str], rounds: int, threads: int
) -> Row:
    """The row of a case; process CPU time with one thread, wall time with more."""
    data = data_of(case)
    right = exact(case, data)
    errors: dict[str, float] = {}
    left_out: dict[str, str] = {}
    running: dict[str, Contestant] = {}

    def add(name: str, make: Any) -> None:
        try:
            contestant = make()
            error = _error(contestant.result(contestant.run()), right)
        except (UnsupportedError, ImportError) as reason:
            left_out[name] = str(reason)
            return
        if not error < WRONG:
            left_out[name] = f"wrong: its error is {error:.1e} of the largest output"
            return
        running[name], errors[name] = contestant, error

    for name in who:
        add(name, lambda name=name: peers.find(name)(case, data, threads))
    for algorithm in algorithms:
        add(OURS + algorithm, lambda algorithm=algorithm: ours(case, data, algorithm))
    loop, flops = multiply_adds(case.dtype)
    runs = {name: each.run for name, each in running.items()} | {PEAK: loop}
    seconds = interleaved(runs, rounds, time.process_time if threads == 1 else time.perf_counter)
    peak = threads * flops / seconds.pop(PEAK)[0]
    return Row(case.name, case.family, case.flops, peak, seconds, errors, left_out)


def _error(got: Array, right: Array) -> float:
    """The largest error over the largest number; infinite where the shape is another."""
    if got.shape != right.shape:
        return float("inf")
    return float(np.abs(got - right).max() / np.abs(right).max())
