"""Arrays, pointers into them, and what is asked of each access."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from .affine import Affine


class UnprovenError(Exception):
    """Something of a text that the reader does not follow, so nothing is proven of it."""


@dataclass(frozen=True, slots=True, eq=False)
class Array:
    """An array of ``numbers``, for each sample where it is one of the batch.

    ``numbers`` is None for what a parameter of an inner function points to, until it is called.
    """

    name: str
    numbers: int | None
    batched: bool = False

    def extent(self, batch: int) -> int:
        assert self.numbers is not None
        return self.numbers * (batch if self.batched else 1)


@dataclass(frozen=True, slots=True, eq=False)
class Pointer:
    """Where in an array; ``width`` numbers are one element, more than 1 for vectors."""

    array: Array
    at: Affine
    width: int = 1
    aligned: bool = True  # a vector must begin at a multiple of its width


@dataclass(frozen=True, slots=True, eq=False)
class Access:
    """``width`` numbers from ``at`` on must lie in the array; of a mere pointer there are none."""

    array: Array
    at: Affine
    width: int
    begins: bool  # it is written, whatever was there
    aligned: bool
    node: Any  # of the syntax tree, for the sentence

    def moved(self, to: Pointer) -> Access:
        """The same seen by a caller, whose pointer the parameter is."""
        return replace(self, array=to.array, at=to.at.plus(self.at))


@dataclass(frozen=True)
class Summary:
    """What an inner function does to what its parameters point to."""

    name: str
    accesses: tuple[Access, ...]
    parameters: tuple[Array, ...]

    @cached_property
    def count(self) -> int:
        """Accesses, pointers that are only formed left out."""
        return sum(access.width > 0 for access in self.accesses)

    @cached_property
    def by_array(self) -> dict[Array, tuple[Access, ...]]:
        found: dict[Array, list[Access]] = {}
        for access in self.accesses:
            found.setdefault(access.array, []).append(access)
        return {array: tuple(each) for array, each in found.items()}


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """An inner function called with pointers."""

    summary: Summary
    pointers: dict[Array, Pointer]
    node: Any

    @property
    def count(self) -> int:
        return self.summary.count

    def accesses(self, wanted: Callable[[Access], bool] = lambda access: True) -> Iterator[Access]:
        """Its accesses, in the caller's arrays."""
        for array, accesses in self.summary.by_array.items():
            to = self.pointers.get(array, Pointer(array, Affine()))  # a local one is its own
            yield from (a.moved(to) for a in accesses if wanted(a))
