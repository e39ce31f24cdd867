"""Affine forms in loop counters, and their smallest and largest values.

A counter runs through 0..count - 1, so the counters of a nest form a box, and an affine form takes
its extremes at corners of a box: each term at one end of its counter. That is the whole proof. A
batch loop runs through 0..N - 1: such an extreme is linear in N, and so is the extent of an array,
which makes the smallest and the largest N two more corners.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, eq=False)
class Counter:
    """A loop counter; a count of None is that of the batch."""

    name: str
    count: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Affine:
    """constant + the sum of coefficient * counter."""

    constant: int = 0
    terms: Mapping[Counter, int] = field(default_factory=dict)

    def plus(self, other: Affine, times: int = 1) -> Affine:
        """self + times * other.

        >>> q = Counter("q", 5)
        >>> Affine(3, {q: 2}).plus(Affine(1), -1).ends(batch=1)
        (2, 10)
        """
        constant = self.constant + times * other.constant
        if not other.terms:
            return Affine(constant, self.terms)
        terms = dict(self.terms)
        for counter, coefficient in other.terms.items():
            terms[counter] = terms.get(counter, 0) + times * coefficient
        return Affine(constant, terms)

    def ends(self, batch: int) -> tuple[int, int]:
        """The smallest and the largest value for a batch."""
        low = high = self.constant
        for counter, coefficient in self.terms.items():
            reach = coefficient * ((batch if counter.count is None else counter.count) - 1)
            if reach < 0:
                low += reach
            else:
                high += reach
        return low, high
