"""How a tile of columns reads a row of x, and how it is stored: plans of loads and shuffles."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from derive.core.axis import Axis

from .shuffles import ANY, ZERO, Lanes, Load, Plan, Shuffle


@dataclass(frozen=True, slots=True)
class Use:
    """A tap of a phase: the (vector, place of what is multiplied) pairs."""

    phase: int
    tap: int
    vectors: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Store:
    """``lanes`` of a vector from its lane ``begin`` on, to ``y``."""

    y: int
    place: int
    begin: int
    lanes: int


def reads_of(
    axis: Axis, lanes: int, vectors: int, written: Sequence[Lanes], begin: int, beyond: int
) -> tuple[Plan, tuple[Use, ...]]:
    """The vectors that each tap of each phase is multiplied with, and how they are made."""
    wanted: dict[tuple[int, int], list[tuple[int, Lanes]]] = defaultdict(list)
    for at, outputs in enumerate(written):
        phase, vector = divmod(at, vectors)
        for tap, read in _read(axis, outputs):
            wanted[phase, tap].append((vector, read))
    anchor = axis.advance * begin if axis.advance > 1 else None
    plan = Plan(lanes, row=(0, axis.n_in + beyond), grid=anchor)

    def order(read: Lanes) -> tuple[bool, bool, int]:
        return ZERO in read, anchor is not None and _least(read) < anchor, _least(read)

    reads = {read for pairs in wanted.values() for _, read in pairs}
    for read in sorted(reads, key=lambda read: (*order(read), repr(read))):
        plan.vector(read)
    uses = [
        Use(phase, tap, tuple((vector, plan.vector(read)) for vector, read in pairs))
        for (phase, tap), pairs in sorted(
            wanted.items(), key=lambda item: (min(_least(read) for _, read in item[1]), item[0])
        )
    ]
    return plan, tuple(uses)


def _read(axis: Axis, outputs: Lanes) -> Iterator[tuple[int, Lanes]]:
    """Each tap with what it reads for these outputs; twice where it reads two numbers for one."""
    reads: dict[tuple[int, int], dict[int, int]] = defaultdict(dict)
    for lane, y in enumerate(outputs):
        if y is ANY:
            continue
        seen: dict[int, int] = defaultdict(int)
        for x, tap, _ in axis.row(y):
            reads[tap, seen[tap]][lane] = x
            seen[tap] += 1
    for (tap, _), found in sorted(reads.items()):
        yield (
            tap,
            tuple(ANY if y is ANY else found.get(lane, ZERO) for lane, y in enumerate(outputs)),
        )


def _least(read: Lanes) -> int:
    return min(x for x in read if x is not ANY and x != ZERO)


def stores_of(
    lanes: int, written: Sequence[Lanes], first: int, behind: int
) -> tuple[tuple[Load | Shuffle, ...], tuple[Store, ...]]:
    """The outputs first..behind, a vector at a time and the last one overlapping.

    Fewer outputs than lanes are stored in powers of two: nothing else is written to, not even with
    the number that is there.
    """
    plan = Plan(lanes, given=written)
    stores = []
    y = first
    while y < behind:
        if y + lanes > behind >= first + lanes:
            y = behind - lanes
        wanted = tuple(y + lane if y + lane < behind else ANY for lane in range(lanes))
        place, begin = plan.vector(wanted), 0
        rest = min(lanes, behind - y)
        while rest:
            size = 1 << rest.bit_length() - 1
            stores.append(Store(y - first + begin, place, begin, size))
            begin, rest = begin + size, rest - size
        y += lanes
    return tuple(plan.steps), tuple(stores)
