"""Vectors of chosen numbers of a row, from loads that stay inside it and shuffles of two vectors.

What a vector holds is written lane by lane: a position of the row, ZERO, or ANY where it does not
matter. The same plans put accumulators in the order in which they are stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

ZERO, ANY = -1, None
Lanes = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Load:
    """``lanes`` numbers of the row from ``at`` on."""

    at: int
    lanes: int


@dataclass(frozen=True, slots=True)
class Shuffle:
    """Lane by lane one of vector ``a``, or behind them of ``b``; None is the vector of zeros."""

    a: int
    b: int | None
    lanes: tuple[int, ...]


@dataclass(slots=True)
class Plan:
    """Vectors made one after the other; a vector is known by its place in ``steps``.

    ``given`` vectors come first and are no steps of their own. With a ``row`` of positions
    (begin, end), what no vector holds yet is loaded: from anywhere, or for a ``grid`` of positions
    at multiples of the lanes from one of them.

    >>> plan = Plan(4, row=(0, 9))
    >>> plan.vector((ZERO, 0, 1, 2)), plan.vector((0, 1, 2, 3)), plan.vector((6, 7, 8, ANY))
    (1, 0, 3)
    >>> plan.steps[:2]
    [Load(at=0, lanes=4), Shuffle(a=0, b=None, lanes=(4, 0, 1, 2))]
    """

    lanes: int
    given: Sequence[Lanes] = ()
    row: tuple[int, int] = (0, 0)
    grid: int | None = None
    steps: list[Load | Shuffle] = field(default_factory=list)
    held: list[Lanes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.held = [*self.given]

    def vector(self, wanted: Lanes) -> int:
        """The place of a vector that holds what is wanted."""
        if (found := self._found(wanted)) is not None:
            return found
        missing = {want for want in wanted if want is not ANY and want != ZERO}
        if (at := self._begin(wanted, missing)) is not None:
            return self._add(Load(at, self.lanes), range(at, at + self.lanes))
        sources: list[int] = []
        while missing:
            source = self._most(missing)
            sources.append(source)
            missing -= set(self.held[source])
        found = self._found(wanted)
        return self._joined(wanted, sources) if found is None else found

    def _found(self, wanted: Lanes) -> int | None:
        """The place of the first vector that holds what is wanted, lane for lane."""
        for place, held in enumerate(self.held):
            if self._whole(place) and all(
                want is ANY or want == have for want, have in zip(wanted, held, strict=True)
            ):
                return place
        return None

    def _begin(self, wanted: Lanes, missing: Iterable[int]) -> int | None:
        """Where the numbers wanted lie side by side, lane for lane, in the row."""
        begins = {want - lane for lane, want in enumerate(wanted) if want is not ANY}
        if len(begins) != 1 or ZERO in wanted or not missing:
            return None
        at = begins.pop()
        return at if self.row[0] <= at <= self.row[1] - self.lanes else None

    def _most(self, missing: set[int]) -> int:
        """The vector with the most of what is missing; one is loaded where none has any."""
        whole = [place for place in range(len(self.held)) if self._whole(place)]
        best = max(whole, key=lambda place: len(missing & set(self.held[place])), default=None)
        if best is None or not missing & set(self.held[best]):
            return self._loaded(min(missing))
        return best

    def _whole(self, place: int) -> bool:
        return len(self.held[place]) == self.lanes

    def _loaded(self, first: int) -> int:
        """A vector that holds ``first``."""
        begin, end = self.row
        if end - begin < self.lanes:
            return self._short()
        at = first if self.grid is None else first - (first - self.grid) % self.lanes
        at = min(max(at, begin), end - self.lanes)
        return self._add(Load(at, self.lanes), range(at, at + self.lanes))

    def _short(self) -> int:
        """The whole row, shorter than a vector: from its two ends in powers of two."""
        begin, end = self.row
        half = 1 << (end - begin).bit_length() - 1
        left = right = self._add(Load(begin, half), range(begin, begin + half))
        if end - half > begin:
            right = self._add(Load(end - half, half), range(end - half, end))
        shift = half - (end - half - begin)
        places = [lane if lane < half else lane + shift for lane in range(end - begin)]
        places += [0] * (self.lanes - len(places))
        wanted = [*range(begin, end), *[ANY] * (self.lanes - (end - begin))]
        return self._add(Shuffle(left, right, tuple(places)), wanted)

    def _joined(self, wanted: Lanes, sources: Sequence[int]) -> int:
        """One vector of these, joined one after the other, and last of zeros."""
        at, *others = sources
        others_or_zero = [*others, None] if ZERO in wanted else others
        for other in others_or_zero or [at]:
            at = self._pair(wanted, at, other)
        return at

    def _pair(self, wanted: Lanes, a: int, b: int | None) -> int:
        """What is wanted of two vectors; a lane of neither stays what it is in the first."""
        first = self.held[a]
        second = (ZERO,) * self.lanes if b is None else self.held[b]
        places = []
        for lane, want in enumerate(wanted):
            if want is ANY or want not in (*first, *second):
                places.append(lane)
            elif want == first[lane] or want not in second:
                places.append(lane if want == first[lane] else first.index(want))
            else:
                places.append(self.lanes + second.index(want))
        both = (*first, *second)
        return self._add(Shuffle(a, b, tuple(places)), [both[place] for place in places])

    def _add(self, step: Load | Shuffle, held: Iterable[int | None]) -> int:
        self.steps.append(step)
        self.held.append(tuple(held))
        return len(self.held) - 1
