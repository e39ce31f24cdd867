"""A device of the tests: memory of the host, streams that are lists, kernels in NumPy."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from codegen._runtime.arrays import Array, LayoutError
from codegen._runtime.cuda.device import Kernels
from codegen._runtime.cuda.program import Program
from codegen._runtime.errors import DeviceError

ROOM = 256
# a kernel of the tests: batch, then the addresses of its arrays
Computed = Callable[..., None]


def at(address: int, shape: tuple[int, ...], dtype: str = "float32") -> Array:
    """The numbers at an address of the host."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    buffer = (ctypes.c_char * size).from_address(address) if size else b""
    return np.frombuffer(buffer, dtype).reshape(shape)


class FakeMemory:
    """Memory of the host that begins where device memory may, poisoned."""

    def __init__(self, device: FakeDevice, size: int) -> None:
        self.device, self.size = device, size
        self.bytes = np.full(size + ROOM, 0xFF, np.uint8)
        self.address = -(-self.bytes.ctypes.data // ROOM) * ROOM
        device.held.append(self)

    def release(self) -> None:
        self.device.held.remove(self)


@dataclass(eq=False)
class FakeDevice:
    """Runs at once what it is given, and remembers it."""

    ordinal: int = 0
    kernels: Mapping[str, Computed] = field(default_factory=dict)
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    held: list[FakeMemory] = field(default_factory=list)
    entered: int = 0
    broken: str = ""  # the kernel that fails
    capability: int = 80
    multiprocessors: int = 4

    def load(
        self, program: Program, check: Callable[[Kernels], None] | None = None
    ) -> Mapping[str, str]:
        self.calls.append(("load", program.dtype))
        names = {
            step.kernel
            for function in program.functions.values()
            for step in (*function.prepare, *function.steps)
        }
        found = {name: name for name in sorted(names)}
        if check is not None:
            check(found)
        return found

    @contextmanager
    def current(self) -> Iterator[None]:
        self.entered += 1
        try:
            yield
        finally:
            self.entered -= 1

    def launch(
        self,
        kernel: str,
        grid: int,
        threads: int,
        shared: int,
        stream: int,
        batch: int,
        addresses: Sequence[int],
    ) -> None:
        assert self.entered
        self.calls.append(("launch", kernel, grid, threads, shared, stream, batch))
        self.kernels[kernel](batch, *addresses)

    def allocate(self, size: int, stream: int) -> FakeMemory:
        assert self.entered
        assert size > 0
        self.calls.append(("allocate", size, stream))
        return FakeMemory(self, size)

    def wait(self, stream: int, other: int) -> None:
        self.calls.append(("wait", stream, other))

    def copy(self, target: int, source: int, size: int, stream: int) -> None:
        self.calls.append(("copy", size, stream))
        ctypes.memmove(target, source, size)

    def upload(self, target: int, source: Array, stream: int) -> None:
        ctypes.memmove(target, source.ctypes.data, source.nbytes)

    def download(self, target: Array, source: int, stream: int) -> None:
        ctypes.memmove(target.ctypes.data, source, target.nbytes)

    def synchronise(self, stream: int) -> None:
        self.calls.append(("synchronise", stream))
        if self.broken and self.calls[-2][1] == self.broken:
            raise DeviceError("CUDA_ERROR_ILLEGAL_ADDRESS")

    def launches(self) -> list[str]:
        """The kernels that ran, in order."""
        return [call[1] for call in self.calls if call[0] == "launch"]


@dataclass(eq=False)
class FakeDevices:
    """Devices of the tests; they take tensors of the host."""

    devices: tuple[FakeDevice, ...] = field(default_factory=lambda: (FakeDevice(),))
    ordinals: dict[int, int] = field(default_factory=dict)  # of addresses, else 0
    tensors: str = "cpu"

    def at(self, ordinal: int) -> FakeDevice:
        return self.devices[ordinal]

    def holding(self, address: int) -> int:
        if not address:
            raise LayoutError("0 is no address of a device")
        return self.ordinals.get(address, 0)


class Interface:
    """A stranger's array on a device: numbers of the host behind __cuda_array_interface__."""

    def __init__(self, array: Array, **changes: object) -> None:
        self.array = array
        self.changes = changes

    @property
    def __cuda_array_interface__(self) -> Mapping[str, object]:
        found = dict(self.array.__array_interface__, version=3)
        return {"strides": None, "stream": None} | found | self.changes
