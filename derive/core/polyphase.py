"""The polyphase normal form: output positions sorted into runs that read alike.

All positions of a run, y = first + step*q for q < count, read x = source + advance*q + offset
for the same short list of (offset, {tap: coefficient}). Interior runs are the phases of the
operator, border runs are a few short ones. A kernel is a loop over runs: it needs no bounds
test, no division and no multiplication by zero.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True, order=True)
class Strand:
    """A line of triples: P[y + step*q, tap, x + advance*q] = coefficient for q < count."""

    y: int
    tap: int
    x: int
    count: int
    coefficient: Fraction


@dataclass(frozen=True, slots=True)
class Tap:
    """One input position of a run, relative to its source, and the taps that fall on it."""

    offset: int
    weights: tuple[tuple[int, Fraction], ...]


@dataclass(frozen=True, slots=True)
class Run:
    """Outputs first + step*q, q < count, reading source + advance*q + offset for each tap.

    Offsets are sorted, distinct and start at 0; a run without taps holds dead outputs.
    """

    first: int
    step: int
    count: int
    source: int
    advance: int
    taps: tuple[Tap, ...]

    @property
    def copies(self) -> bool:
        """Whether each output is one input, with the weight 1 of a single tap."""
        return [tap.weights for tap in self.taps] == [((0, Fraction(1)),)]


def sweep(strands: Sequence[Strand], n_out: int, step: int, advance: int) -> tuple[Run, ...]:
    """Sort output positions into runs: within a phase, cut where a strand begins or ends."""
    phases: dict[int, dict[int, list[Strand]]] = defaultdict(lambda: defaultdict(list))
    for strand in strands:
        q, phase = divmod(strand.y, step)
        phases[phase][q].append(strand)
        phases[phase][q + strand.count].append(strand)

    runs = []
    for phase in range(min(step, n_out)):
        last = (n_out - phase - 1) // step + 1
        events: dict[int, list[Strand]] = {0: [], last: []} | phases[phase]
        active: set[Strand] = set()
        begin = 0
        for q in sorted(events):  # at each of them something changes, the strands being longest
            if q > begin:
                reads = _reads(active, step, advance)
                runs.append(_run(phase, begin, q, step, advance, reads))
                begin = q
            active ^= set(events[q])
    return tuple(sorted(runs, key=lambda run: run.first))


_Reads = tuple[tuple[int, tuple[tuple[int, Fraction], ...]], ...]


def _reads(active: set[Strand], step: int, advance: int) -> _Reads:
    """What an output with these strands reads: (x - advance*q, ((tap, coefficient), ...))."""
    found: dict[int, list[tuple[int, Fraction]]] = defaultdict(list)
    for strand in active:
        found[strand.x - advance * (strand.y // step)].append((strand.tap, strand.coefficient))
    return tuple((offset, tuple(sorted(taps))) for offset, taps in sorted(found.items()))


def _run(phase: int, begin: int, end: int, step: int, advance: int, reads: _Reads) -> Run:
    base = reads[0][0] if reads else -advance * begin
    taps = tuple(Tap(offset - base, weights) for offset, weights in reads)
    source = base + advance * begin
    return Run(phase + step * begin, step, end - begin, source, advance, taps)
