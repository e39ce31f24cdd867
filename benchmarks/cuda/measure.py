"""One case on a GPU: everybody is compared with float64, captured as a graph, and takes turns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks.case import Array, Case
from benchmarks.contestant import Contestant, UnsupportedError
from benchmarks.measure import Field
from benchmarks.row import Row
from benchmarks.timing import Clock, Run, interleaved

from .ceilings import Ceilings

# of the largest output, by dtype: no algorithm's rounding reaches it, and any wrong border does
WRONG = {"float32": 2.0**-9, "float16": 2.0**-8, "bfloat16": 2.0**-5}
LEAST, MOST = 0.001, 50  # seconds of a graph, and calls in it
COPY, SUMS = "copy", "sums"
MEDIAN = 1  # in a pair of seconds
Makers = Mapping[str, Callable[[], Contestant]]


@dataclass(frozen=True, slots=True)
class Bench:
    """What measuring needs of a device, so that it can be tried without one."""

    entries: Callable[[Case], tuple[Array, Makers]]  # the right result; who wants to take part
    captured: Callable[[Run, int], Run]  # so many calls as one graph
    clock: Clock
    copy: Callable[[], tuple[Run, int]]  # a run, and the bytes that it moves
    sums: Callable[[str], tuple[Run, int]]  # of a dtype: a run, and its operations


def measured(case: Case, rounds: int, bench: Bench) -> tuple[Row, Ceilings]:
    """The row of a case, its peak what the arrays and the sums allow; and the ceilings."""
    right, makers = bench.entries(case)
    field = Field()
    for name, make in makers.items():
        field.add(name, make, right, WRONG[case.dtype])
    (copy, moved), (sums, operations) = bench.copy(), bench.sums(case.dtype)
    runs = {name: each.run for name, each in field.running.items()} | {COPY: copy, SUMS: sums}
    seconds = _turns(runs, rounds, bench, field.left_out)
    bandwidth, flops = moved / seconds.pop(COPY)[MEDIAN], operations / seconds.pop(SUMS)[MEDIAN]
    ceilings = Ceilings(bandwidth, flops)
    errors = {name: field.errors[name] for name in seconds}
    most = ceilings.of(case)
    return Row(case.name, case.family, case.flops, most, seconds, errors, field.left_out), ceilings


def _turns(
    runs: Mapping[str, Run], rounds: int, bench: Bench, left_out: dict[str, str]
) -> dict[str, tuple[float, float]]:
    """Seconds of one call of each, best and median; who cannot be captured is left out."""
    replays: dict[str, Run] = {}
    calls: dict[str, int] = {}
    for name, run in runs.items():
        try:
            calls[name] = _calls(bench.captured(run, 1), bench.clock)
            replays[name] = bench.captured(run, calls[name])
        except (RuntimeError, UnsupportedError) as error:
            if name in (COPY, SUMS):
                raise
            left_out[name] = f"cannot be captured: {str(error).splitlines()[0][:80]}"
    found = interleaved(replays, rounds, bench.clock)
    return {name: (b / calls[name], m / calls[name]) for name, (b, m) in found.items()}


def _calls(replay: Run, clock: Clock) -> int:
    """How many fill a graph."""
    replay()
    start = clock()
    replay()
    return max(1, int(LEAST / max(clock() - start, LEAST / MOST)))
