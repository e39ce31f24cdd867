"""Weight gradients in steps: of an input that is packed first, into one that is unpacked after."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from .arrays import Array, address
from .c_function import kept


@runtime_checkable
class Addressed(Protocol):
    """A raw function that also takes the addresses of its arrays."""

    def __call__(self, *arrays: Array) -> None: ...

    def at(self, batch: int, itemsize: int, *addresses: int) -> None: ...


class OfArrays:
    """A function of addresses as one of C-contiguous arrays: the inputs, then the output."""

    def __call__(self: Addressed, *arrays: Array) -> None:
        self.at(len(arrays[0]), arrays[0].itemsize, *map(address, arrays))


@dataclass(frozen=True, slots=True)
class OfPacked(OfArrays):
    """A function of a packed x or y as one of x and y."""

    function: Addressed
    pack: Addressed
    sample: int  # numbers of a packed sample
    of_x: bool

    def at(self, batch: int, itemsize: int, *addresses: int) -> None:
        x, y, weight = addresses
        room = kept("packed", batch * self.sample * itemsize)
        packed = address(room)
        self.pack.at(batch, itemsize, x if self.of_x else y, packed)
        given = (packed, y) if self.of_x else (x, packed)
        self.function.at(batch, itemsize, *given, weight)


@dataclass(frozen=True, slots=True)
class Unprepared(OfArrays):
    """The gradient of a prepared weight as the gradient of the weight."""

    function: Addressed
    undo: Callable[[int, int], None]  # from one address to another
    numbers: int  # of a prepared weight
    purpose: str

    def at(self, batch: int, itemsize: int, *addresses: int) -> None:
        *given, weight = addresses
        room = kept(self.purpose, self.numbers * itemsize)
        prepared = address(room)
        self.function.at(batch, itemsize, *given, prepared)
        self.undo(prepared, weight)
