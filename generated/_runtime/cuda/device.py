# Copied by `python -m codegen` from codegen/_runtime; edit it there.
"""What launching asks of GPUs; tests put emulated ones, on memory of the host, in their place.

Addresses and streams are plain integers, as CUDA's handles are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from ..arrays import Array
from .program import Program

LEGACY = 1  # the default stream, which 0 means too
Kernels = Mapping[str, Any]  # the loaded kernels of a program by name, as ``launch`` takes them


class Memory(Protocol):
    """Memory of a device; it is given back when nobody holds it any longer."""

    @property
    def address(self) -> int:
        """Where it begins, a multiple of 256."""

    def release(self) -> None:
        """Give it back now; what its stream was given before may still use it."""


class Device(Protocol):
    """One GPU. All but ``load`` refuses by DeviceError, and is called inside ``current``."""

    def __hash__(self) -> int: ...  # by identity

    @property
    def ordinal(self) -> int:
        """Its number, as torch and the driver count."""

    @property
    def capability(self) -> int:
        """Its compute capability, 86 for 8.6."""

    @property
    def multiprocessors(self) -> int:
        """How many it has."""

    def load(self, program: Program, check: Callable[[Kernels], None] | None = None) -> Kernels:
        """The kernels of a program, compiled at first use; ``check`` raises before they are kept.

        CompileError where the text is refused, DeviceError where it is not for this device.
        """

    def current(self) -> AbstractContextManager[object]:
        """What the calling thread enters to work on this device, and leaves to go back."""

    def launch(
        self,
        kernel: Any,
        grid: int,
        threads: int,
        shared: int,
        stream: int,
        batch: int,
        addresses: Sequence[int],
    ) -> None:
        """Enqueue ``kernel<<<grid, threads, shared, stream>>>(batch, *addresses)``."""

    def allocate(self, size: int, stream: int) -> Memory:
        """So many bytes, for work that this stream is given from now on."""

    def wait(self, stream: int, other: int) -> None:
        """What ``stream`` is given from now on waits for all that ``other`` has been given."""

    def copy(self, target: int, source: int, size: int, stream: int) -> None:
        """Enqueue a copy on the device."""

    def upload(self, target: int, source: Array, stream: int) -> None:
        """Copy numbers of the host; they may change when this returns."""

    def download(self, target: Array, source: int, stream: int) -> None:
        """Copy to the host; the numbers are there when this returns."""

    def synchronise(self, stream: int) -> None:
        """Wait for all that the stream has been given; DeviceError where some of it failed."""


class Devices(Protocol):
    """The GPUs of this machine."""

    @property
    def tensors(self) -> str:
        """What torch calls the kind of device whose tensors they take: "cuda"."""

    def at(self, ordinal: int) -> Device:
        """The device of a number, the same one for each call; DeviceError where there is none."""

    def holding(self, address: int) -> int:
        """The number of the device whose memory begins there; LayoutError where none does."""
