"""The few rules of measuring: warm up, interleave the contestants, keep the best and the median."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median

Run = Callable[[], object]
Clock = Callable[[], float]
WARM, TRIED = 3, 0.004  # calls, and seconds in which repetitions are counted
ROUND = 0.02  # seconds that a contestant computes in a round
MOST = 2000  # repetitions in a round


def interleaved(
    contestants: Mapping[str, Run], rounds: int, clock: Clock = time.process_time
) -> dict[str, tuple[float, float]]:
    """Seconds of one call of each, the best and the median of ``rounds`` in which they take turns.

    Before its turn each runs once more where that is short, so that the caches are its own.
    """
    repeated = {name: _repetitions(run, clock) for name, run in contestants.items()}
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, run in contestants.items():
            if repeated[name] > 1:
                run()
            seconds[name].append(_timed(run, repeated[name], clock))
    return {name: (min(each), median(each)) for name, each in seconds.items()}


def _repetitions(run: Run, clock: Clock) -> int:
    for _ in range(WARM):
        run()
    count, start = 0, clock()
    while clock() - start < TRIED:
        run()
        count += 1
    return max(1, min(MOST, int(count * ROUND / max(clock() - start, TRIED))))


def _timed(run: Run, count: int, clock: Clock) -> float:
    start = clock()
    for _ in range(count):
        run()
    return (clock() - start) / count


def best(contestants: Sequence[Run], rounds: int = 7) -> list[float]:
    """Seconds of each, the best of ``rounds`` of single calls in which they take turns."""
    for run in contestants:
        run()
    seconds = [float("inf")] * len(contestants)
    for _ in range(rounds):
        for i, run in enumerate(contestants):
            seconds[i] = min(seconds[i], _timed(run, 1, time.perf_counter))
    return seconds
