"""Accesses against extents: every one in range, for every batch, and every number written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from .affine import Affine
from .expressions import Note, refused
from .memory import Access, Array, Call, Pointer


@dataclass(frozen=True, slots=True)
class Reach:
    """The extremes of many accesses to one array at one batch, and which ones have them."""

    low: int
    lowest: Access
    high: int  # of the last number
    highest: Access


@dataclass(slots=True)
class Checker:
    """What is wrong with the notes of an entry point, in sentences."""

    batches: tuple[int, ...]  # the smallest and the largest: what lies between follows
    _reaches: dict[tuple[Array, int], Reach] = field(default_factory=dict)

    def problems(self, notes: Iterable[Note]) -> Iterator[str]:
        """A sentence for each access that leaves its array."""
        for note in notes:
            if isinstance(note, Call):
                yield from self._of_call(note)
            else:
                yield from self._of_access(note)

    def _of_access(self, access: Access) -> Iterator[str]:
        if access.aligned and not _aligned(access.at, access.width):
            yield str(refused(access.node, "is a vector that begins between vectors"))
        for batch in self.batches:
            low, high = access.at.ends(batch)
            if low < 0 or high + access.width > access.array.extent(batch):
                yield _sentence(access, low, high + access.width - 1, access.array, batch)
                return

    def _of_call(self, call: Call) -> Iterator[str]:
        for array, accesses in call.summary.by_array.items():
            to = call.pointers.get(array, Pointer(array, Affine()))
            widths = {a.width for a in accesses if a.aligned}
            if not all(_aligned(to.at, width) for width in widths):
                yield str(refused(call.node, f"gives {array.name}, which begins between vectors"))
            for batch in self.batches:
                low, high = to.at.ends(batch)
                reach = self._reach(array, accesses, batch)
                if low + reach.low < 0:
                    yield _sentence(
                        reach.lowest, low + reach.low, high + reach.low, to.array, batch
                    )
                    break
                if high + reach.high >= to.array.extent(batch):
                    lowest = low + reach.highest.at.ends(batch)[0]
                    yield _sentence(reach.highest, lowest, high + reach.high, to.array, batch)
                    break
            yield from (
                str(refused(a.node, "is a vector that begins between vectors"))
                for a in accesses
                if a.aligned and not _aligned(a.at, a.width)
            )

    def _reach(self, array: Array, accesses: tuple[Access, ...], batch: int) -> Reach:
        key = (array, batch)
        if key not in self._reaches:
            ends = [(a, *a.at.ends(batch)) for a in accesses]
            lowest, low, _ = min(ends, key=lambda each: each[1])
            highest, _, high = max(ends, key=lambda each: each[2] + each[0].width)
            self._reaches[key] = Reach(low, lowest, high + highest.width - 1, highest)
        return self._reaches[key]


def unwritten(notes: Iterable[Note], outputs: Iterable[Array]) -> Iterator[str]:
    """A sentence for each output of which a number is written by no assignment.

    A batch adds whole samples: where each write advances by a sample with it, one sample is all.
    """
    rooms = {array: np.zeros(array.extent(1), np.bool_) for array in outputs}
    for access in _stores(notes):
        if access.array not in rooms:
            continue
        by_sample = sum(c for counter, c in access.at.terms.items() if counter.count is None)
        if access.array.batched and by_sample != access.array.numbers:
            yield str(refused(access.node, "does not advance by a sample"))
            continue
        rooms[access.array][_places(access)] = True
    for array, room in rooms.items():
        if not room.all():
            missing = np.flatnonzero(~room)
            words = f"{len(missing)} of {room.size} numbers of {array.name}"
            yield f"{words} are not written: {missing[0]} first"


def _stores(notes: Iterable[Note]) -> Iterator[Access]:
    for note in notes:
        if isinstance(note, Call):
            yield from note.accesses(lambda access: access.begins)
        elif note.begins:
            yield note


def _places(access: Access) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    places = np.arange(access.at.constant, access.at.constant + access.width)
    for counter, coefficient in access.at.terms.items():
        if counter.count is not None and coefficient:
            places = (places[:, None] + coefficient * np.arange(counter.count)).ravel()
    return places


def _aligned(at: Affine, width: int) -> bool:
    return not any(each % width for each in (at.constant, *at.terms.values()))


def _sentence(access: Access, low: int, high: int, array: Array, batch: int) -> str:
    if not access.width:  # a pointer may be formed to just behind an array
        low, high = low, high + 1
    what = "reaches" if access.width else "points to"
    words = f"{what} {low}..{high} of {array.name}, which has 0..{array.extent(batch) - 1}"
    return str(refused(access.node, f"{words} in a batch of {batch}" if array.batched else words))
