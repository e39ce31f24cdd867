"""New arrays for results, of the kind of the first argument, and memory for rooms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from ..arrays import Shape, is_tensor, torch_of
from .arrays import DeviceArray
from .device import Device, Memory
from .program import ITEMSIZE
from .streams import stream_of


class Room(Protocol):
    """Where memory comes from, on one stream."""

    def result(self, shape: Shape, dtype: str) -> tuple[Any, int]:
        """A new array for the user, and where it begins."""

    def __call__(self, size: int) -> Memory:
        """So many bytes."""


@dataclass(frozen=True, slots=True)
class DeviceRoom:
    """By the device itself, in the order of the stream."""

    device: Device
    stream: int

    def result(self, shape: Shape, dtype: str) -> tuple[Any, int]:
        """A DeviceArray."""
        size = ITEMSIZE[dtype]
        for each in shape:
            size *= each
        memory = self.device.allocate(size, self.stream) if size else None
        address = memory.address if memory else 0
        made = DeviceArray(address, shape, dtype, self.device.ordinal, memory, self.stream)
        return made, address

    def __call__(self, size: int) -> Memory:
        return self.device.allocate(size, self.stream)


@dataclass(slots=True)
class TensorMemory:
    """A tensor of bytes; torch gives its memory to later work of the same stream."""

    tensor: Any
    address: int

    def release(self) -> None:
        """Drop it."""
        self.tensor = None


@dataclass(frozen=True, slots=True)
class TensorRoom:
    """By torch, which keeps what it was given back for the next calls on the stream."""

    first: Any  # the tensor beside which it is made
    stream: int | None  # None: the current one

    def result(self, shape: Shape, dtype: str) -> tuple[Any, int]:
        """A tensor of the dtype of the first one."""
        made = self._new(shape, self.first.dtype)
        return made, made.data_ptr()

    def __call__(self, size: int) -> Memory:
        made = self._new((size,), torch_of().uint8)
        return TensorMemory(made, made.data_ptr())

    def _new(self, shape: Shape, dtype: Any) -> Any:
        if self.stream is None:
            return self.first.new_empty(shape, dtype=dtype)
        cuda = torch_of().cuda
        with cuda.stream(stream_of(cuda, self.stream, self.first.device)):
            return self.first.new_empty(shape, dtype=dtype)


def room_beside(first: Any, device: Device, stream: int, current: int | None) -> Room:
    """Where memory for a call comes from, on a stream; ``current`` is that of its first array."""
    if is_tensor(first):
        return TensorRoom(first, None if stream == current else stream)
    return DeviceRoom(device, stream)
