"""One case: everybody makes the layer, is compared with float64, and then takes turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
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


@dataclass
class Field:
    """Who computes the layer, how wrong each is, and why the others are left out."""

    running: dict[str, Contestant] = field(default_factory=dict)
    errors: dict[str, float] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def add(
        self, name: str, make: Callable[[], Contestant], right: Array, wrong: float = WRONG
    ) -> None:
        """Let somebody take part whose result is off by less than ``wrong`` of the largest."""
        self.admit(name, make, lambda got: largest_error(got, right), wrong)

    def admit(
        self,
        name: str,
        make: Callable[[], Contestant],
        error_of: Callable[[Any], float],
        wrong: float = WRONG,
    ) -> None:
        """Let somebody take part whose result has an error below ``wrong``."""
        try:
            contestant = make()
            error = error_of(contestant.result(contestant.run()))
        except (UnsupportedError, ImportError) as reason:
            self.left_out[name] = str(reason)
            return
        if error < wrong:
            self.running[name], self.errors[name] = contestant, error
        else:
            self.left_out[name] = f"wrong: its error is {error:.1e} of the largest output"


def measured(
    case: Case, who: Iterable[str], algorithms: Iterable[str], rounds: int, threads: int
) -> Row:
    """The row of a case; process CPU time with one thread, wall time with more."""
    data = data_of(case)
    right = exact(case, data)
    entered = Field()
    for name in who:
        entered.add(name, lambda name=name: peers.find(name)(case, data, threads), right)
    for algorithm in algorithms:
        make = partial(ours, case, data, algorithm)
        entered.add(OURS + algorithm, make, right)
    loop, flops = multiply_adds(case.dtype)
    runs = {name: each.run for name, each in entered.running.items()} | {PEAK: loop}
    seconds = interleaved(runs, rounds, time.process_time if threads == 1 else time.perf_counter)
    peak = threads * flops / seconds.pop(PEAK)[0]
    return Row(case.name, case.family, case.flops, peak, seconds, entered.errors, entered.left_out)


def largest_error(got: Array, right: Array) -> float:
    """The largest error over the largest number; infinite where the shape is another."""
    if got.shape != right.shape:
        return float("inf")
    return float(np.abs(got - right).max() / np.abs(right).max())
