"""Functions of a weight that want it prepared, and weights prepared once for many calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from .arrays import Array, Raw, address


@dataclass(frozen=True)
class Weighted:
    """A raw function of (x, weight, ...): ``direct`` takes what ``prepare`` makes of a weight."""

    direct: Raw
    prepare: Callable[[Array], Array]

    def __call__(self, x: Array, weight: Array, *others: Array) -> None:
        self.direct(x, self.prepare(weight), *others)


class Prepared:
    """A weight as one function of one kernel takes it; ``prepare`` of the kernel makes it."""


@dataclass(frozen=True)
class PreparedWeight(Prepared):
    """One in the memory of the host. It holds the numbers that the weight had then."""

    raw: Raw
    direct: Raw
    array: Array

    @classmethod
    def of(cls, raw: Raw, weight: Array) -> PreparedWeight:
        """For a raw function that prepares its weight or takes it as it is."""
        if isinstance(raw, Weighted):
            return cls(raw, raw.direct, raw.prepare(weight))
        return cls(raw, raw, weight.copy())

    @cached_property
    def address(self) -> int:
        """Where its numbers begin: nobody else has them."""
        return address(self.array)
