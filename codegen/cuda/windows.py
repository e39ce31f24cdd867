"""An axis as one window that slides: all phases at once, with the borders as zeros beyond x.

Output y = step*q + phase reads x = advance*q + offset with tap t, for each (offset, t) of its
phase, where x lies inside; elsewhere it reads 0, or what ``elsewhere`` says: a padding mode. That
holds for ``first`` <= q < ``first + count``; other outputs, few of them, read in ways of their own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from derive.core.axis import Axis
from derive.core.polyphase import Run

Reads = tuple[tuple[int, int], ...]  # (offset, tap), sorted
MOST_BORDER = 1 << 14  # outputs at the borders that are looked at one by one


@dataclass(frozen=True)
class Window:
    """One axis whose taps all have coefficient 1; see the module.

    >>> from derive.core.rules import ConvolutionRule
    >>> axis = ConvolutionRule(kernel=3, before=1, after=1).at(8)
    >>> window_of(axis)
    Window(n_in=8, n_out=8, step=1, advance=1, phases=(((-1, 0), (0, 1), (1, 2)),), first=0, \
count=8, elsewhere=())
    >>> window_of(ConvolutionRule(kernel=4, stride=2, before=1, after=1).at(8).adjoint()).phases
    (((-1, 3), (0, 1)), ((0, 2), (1, 0)))
    """

    n_in: int
    n_out: int
    step: int
    advance: int
    phases: tuple[Reads, ...]
    first: int
    count: int
    elsewhere: tuple[tuple[int, int], ...]  # (position beyond x, the one in x that it reads)

    @property
    def whole(self) -> bool:
        """Whether it holds for all outputs."""
        return self.first == 0 and self.step * self.count >= self.n_out

    @cached_property
    def beyond(self) -> tuple[int, tuple[int, ...]]:
        """How many positions before x read something, and what those do, then those after x.

        -1 is for zero.

        >>> Window(4, 4, 1, 1, (((-2, 0),),), 0, 4, ((-2, 2), (4, 2))).beyond
        (2, (2, -1, 2))
        """
        read = dict(self.elsewhere)
        before = max(0, -min(read, default=0))
        after = max(0, max(read, default=0) - self.n_in + 1)
        positions = (*range(-before, 0), *range(self.n_in, self.n_in + after))
        return before, tuple(read.get(position, -1) for position in positions)

    @cached_property
    def low(self) -> int:
        """The least offset of all phases."""
        return min((offset for reads in self.phases for offset, _ in reads), default=0)

    @cached_property
    def high(self) -> int:
        """The greatest offset of all phases."""
        return max((offset for reads in self.phases for offset, _ in reads), default=0)


def window_of(axis: Axis) -> Window:
    """The window of an axis that is folded where it has coefficients."""
    phases = _phases(axis)
    most = tuple(_reads(max(runs, key=lambda run: run.count)) for runs in phases)
    union = tuple(tuple(sorted({r for run in runs for r in _reads(run)})) for runs in phases)
    padding = () if _all_read_zeros(axis, phases, most) else _padding(axis, phases, most)
    first, last = 0, -(-axis.n_out // axis.step)
    reads = most
    if padding is None and _all_read_zeros(axis, phases, union):  # no output has all taps inside
        reads, padding = union, ()
    elif padding is None:
        padding = ()
        for runs, expected in _each(phases, reads):
            begin, end = _regular(axis, runs, expected)
            first, last = max(first, begin), min(last, end)
    count = max(0, last - first)
    step, advance = axis.step, axis.advance
    return Window(axis.n_in, axis.n_out, step, advance, reads, first, count, padding)


def _all_read_zeros(axis: Axis, phases: list[list[Run]], reads: tuple[Reads, ...]) -> bool:
    return all(_reads_zeros(axis, run, r) for runs, r in _each(phases, reads) for run in runs)


def _phases(axis: Axis) -> list[list[Run]]:
    """The runs of each phase that has outputs, in the order of q."""
    phases: list[list[Run]] = [[] for _ in range(min(axis.step, axis.n_out))]
    for run in axis.runs:
        phases[run.first % axis.step].append(run)
    return phases


def _each(phases: list[list[Run]], reads: tuple[Reads, ...]) -> Iterable[tuple[list[Run], Reads]]:
    return zip(phases, reads, strict=True)


def _reads(run: Run) -> Reads:
    base = run.source - run.advance * (run.first // run.step)
    return tuple(sorted((base + tap.offset, t) for tap in run.taps for t, _ in tap.weights))


def _reads_zeros(axis: Axis, run: Run, expected: Reads) -> bool:
    """Whether all outputs of a run read as ``expected``, with zeros beyond x."""
    own = set(_reads(run))
    first = run.first // run.step
    return own <= set(expected) and not any(
        _meets(axis, offset, first, run.count) for offset, t in expected if (offset, t) not in own
    )


def _meets(axis: Axis, offset: int, first: int, count: int) -> bool:
    """Whether a tap at this offset is inside x for some of these q."""
    begin = max(first, -(offset // axis.advance))
    end = min(first + count - 1, (axis.n_in - 1 - offset) // axis.advance)
    return begin <= end


def _padding(
    axis: Axis, phases: list[list[Run]], reads: tuple[Reads, ...]
) -> tuple[tuple[int, int], ...] | None:
    """What positions beyond x read, if one map of positions explains all outputs; else None."""
    odd = [(run, r) for runs, r in _each(phases, reads) for run in runs if _reads(run) != r]
    if sum(run.count for run, _ in odd) > MOST_BORDER:
        return None
    found: dict[int, int | None] = {}
    for run, expected in odd:
        own = _reads(run)
        at = {t: offset for offset, t in own}
        if len(at) < len(own) or not at.keys() <= {t for _, t in expected}:
            return None
        for q in range(run.first // run.step, run.first // run.step + run.count):
            for offset, t in expected:
                position = axis.advance * q + offset
                x = axis.advance * q + at[t] if t in at else None
                if found.setdefault(position, x) != x:
                    return None
    inside = {position: x for position, x in found.items() if 0 <= position < axis.n_in}
    if any(position != x for position, x in inside.items()):
        return None
    return tuple(sorted((v, x) for v, x in found.items() if v not in inside and x is not None))


def _regular(axis: Axis, runs: list[Run], expected: Reads) -> tuple[int, int]:
    """The q from which, and up to which, a phase reads as expected, around its longest run."""
    good = [_reads_zeros(axis, run, expected) for run in runs]
    middle = max(range(len(runs)), key=lambda i: runs[i].count)
    begin = end = middle
    while begin > 0 and good[begin - 1]:
        begin -= 1
    while end + 1 < len(runs) and good[end + 1]:
        end += 1
    last = runs[end].first // axis.step + runs[end].count
    return runs[begin].first // axis.step, axis.n_out if end + 1 == len(runs) else last
