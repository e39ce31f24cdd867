"""The few rules of measuring: warm up, interleave the contestants, keep the best of several."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence


def best(contestants: Sequence[Callable[[], object]], rounds: int = 7) -> list[float]:
    """Seconds of each, the best of ``rounds`` in which they take turns, after one warm-up."""
    for run in contestants:
        run()
    seconds = [float("inf")] * len(contestants)
    for _ in range(rounds):
        for i, run in enumerate(contestants):
            start = time.perf_counter()
            run()
            seconds[i] = min(seconds[i], time.perf_counter() - start)
    return seconds


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
