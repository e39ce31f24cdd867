"""The columns that a thread reads of a row, as loads: whole vectors where they are aligned."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

VECTOR_BYTES = 16
MOST_NUMBERS = 4  # of a vector


@dataclass(frozen=True, slots=True)
class Load:
    """``numbers`` from a position on, relative to the first column of the thread.

    ``inside``: of every thread they are in x.
    """

    position: int
    numbers: int
    inside: bool


@dataclass(frozen=True)
class ThreadRow:
    """What threads read of rows of ``n`` numbers, the t-th of ``threads`` from step*t on.

    ``wanted`` are positions relative to that; ``numbers`` are those of a vector, 1 where rows or
    what lies beyond them are not vectors.
    """

    n: int
    step: int
    threads: int
    wanted: tuple[int, ...]
    numbers: int
    padded: bool

    @cached_property
    def loads(self) -> tuple[Load, ...]:
        """All of them, in order: a vector where most of its numbers are wanted.

        >>> row = ThreadRow(8, 4, 2, (-1, *range(5)), 4, False)
        >>> [(load.position, load.numbers) for load in row.loads]
        [(-1, 1), (0, 4), (4, 1)]
        """
        found = []
        wanted = set(self.wanted)
        for first in sorted({p // self.numbers * self.numbers for p in wanted}):
            among = [p for p in range(first, first + self.numbers) if p in wanted]
            inside = self._inside(first, first + self.numbers - 1)
            whole = inside or not self.padded
            if self.numbers > 1 and 2 * len(among) > self.numbers and whole:
                found.append(Load(first, self.numbers, inside))
            else:
                found += [Load(p, 1, self._inside(p, p)) for p in among]
        return tuple(found)

    @cached_property
    def first(self) -> int:
        """The least position that is read."""
        return min((load.position for load in self.loads), default=0)

    @cached_property
    def count(self) -> int:
        """Numbers from the first to the last one."""
        return max((load.position + load.numbers for load in self.loads), default=0) - self.first

    @property
    def places(self) -> bool:
        """Whether some are looked up, being beyond x for some thread."""
        return self.padded and not all(load.inside for load in self.loads)

    def _inside(self, low: int, high: int) -> bool:
        return low >= 0 and self.step * (self.threads - 1) + high < self.n


def vector_numbers(item: int, multiples: Iterable[int]) -> int:
    """Numbers of a vector that begin and step by these multiples of a number: 1 for none.

    >>> vector_numbers(4, (56, 8)), vector_numbers(8, (56, 8)), vector_numbers(4, (7, 4))
    (4, 2, 1)
    """
    numbers = min(MOST_NUMBERS, VECTOR_BYTES // item)
    while numbers > 1 and any(each % numbers for each in multiples):
        numbers //= 2
    return numbers
