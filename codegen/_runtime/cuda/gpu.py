"""GPUs through cuda-core and the driver: nothing is imported before a device is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from typing import Any

from ..arrays import Array
from ..errors import DeviceError
from . import driver, nvrtc
from .device import LEGACY, Kernels, Memory
from .driver import Current, value_of
from .extra import imported
from .program import UNASKED_SHARED, Program

OLDEST = 75  # compute capability 7.5
PER_THREAD = 2  # the handle of the default stream of a thread


class CudaDevice:
    """One GPU."""

    def __init__(self, ordinal: int) -> None:
        self.core, self.driver = imported("cuda.core"), imported("cuda.bindings.driver")
        self.ordinal = ordinal
        self.name = value_of(self.driver.cuDeviceGetName(128, ordinal)).partition(b"\0")[0].decode()
        kinds = self.driver.CUdevice_attribute
        major = self._attribute(kinds.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)
        minor = self._attribute(kinds.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)
        self.capability = 10 * major + minor
        self.multiprocessors = self._attribute(kinds.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)
        if self.capability < OLDEST:
            raise DeviceError(
                f"{self}: compute capability {major}.{minor}; allowed is 7.5 (Turing) and later"
            )
        self.most_shared = self._attribute(
            kinds.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN
        )
        self.context = value_of(self.driver.cuDevicePrimaryCtxRetain(ordinal))
        self._stream = lru_cache(64)(self._new_stream)
        self._shape = lru_cache(1024)(self.core.LaunchConfig)

    def __str__(self) -> str:
        return f"device {self.ordinal}, {self.name}"

    def load(self, program: Program, check: Callable[[Kernels], None] | None = None) -> Kernels:
        """The kernels of a program, compiled for this device."""
        if self.capability < nvrtc.number(program.architecture):
            raise DeviceError(
                f"{program.name} is made for {program.architecture} and later; {self}, is sm_"
                f"{self.capability}: build it for this one"
            )
        architecture = nvrtc.architecture_for(self.capability)
        test = None if check is None else lambda path: check(self._loaded(program, path))
        return self._loaded(program, nvrtc.cubin(program, architecture, test))

    def current(self) -> Current:
        """Its primary context, which torch and CuPy use."""
        return Current(self.driver, self.context)

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
        """Enqueue a kernel."""
        shape = self._shape(grid=grid, block=threads, shmem_size=shared)
        try:
            self.core.launch(self._stream(stream), shape, kernel, batch, *addresses)
        except Exception as error:  # its class is not public
            raise DeviceError(str(error)) from None

    def allocate(self, size: int, stream: int) -> Memory:
        """From the pool of the device, in the order of the stream."""
        try:
            device = self.core.Device(self.ordinal)
            device.set_current()
            return _Buffer(device.allocate(size, stream=self._stream(stream)))
        except Exception as error:  # its class is not public
            raise DeviceError(f"{self}: no {size} bytes of memory: {error}") from None

    def wait(self, stream: int, other: int) -> None:
        """By an event."""
        try:
            self._stream(stream).wait(self._stream(other))
        except Exception as error:  # its class is not public
            raise DeviceError(str(error)) from None

    def copy(self, target: int, source: int, size: int, stream: int) -> None:
        """Enqueue a copy on the device."""
        value_of(self.driver.cuMemcpyDtoDAsync(target, source, size, stream))

    def upload(self, target: int, source: Array, stream: int) -> None:
        """Copy from the host."""
        if source.nbytes:
            value_of(
                self.driver.cuMemcpyHtoDAsync(target, source.ctypes.data, source.nbytes, stream)
            )
            self.synchronise(stream)

    def download(self, target: Array, source: int, stream: int) -> None:
        """Copy to the host."""
        if target.nbytes:
            value_of(
                self.driver.cuMemcpyDtoHAsync(target.ctypes.data, source, target.nbytes, stream)
            )
        self.synchronise(stream)

    def synchronise(self, stream: int) -> None:
        """Wait for the stream."""
        value_of(self.driver.cuStreamSynchronize(stream))

    def _attribute(self, kind: Any) -> int:
        return int(value_of(self.driver.cuDeviceGetAttribute(kind, self.ordinal)))

    def _new_stream(self, handle: int) -> Any:
        if handle == LEGACY:
            return self.core.LEGACY_DEFAULT_STREAM
        if handle == PER_THREAD:
            return self.core.PER_THREAD_DEFAULT_STREAM
        return self.core.Stream.from_handle(handle)

    def _loaded(self, program: Program, path: Any) -> dict[str, Any]:
        """The kernels of a cubin by name, each allowed the shared memory of its steps."""
        shared: dict[str, int] = {}
        for function in program.functions.values():
            for step in (*function.prepare, *function.steps):
                shared[step.kernel] = max(step.shared, shared.get(step.kernel, 0))
        try:
            code = self.core.ObjectCode.from_cubin(path.read_bytes(), name=program.name)
            kernels = {name: code.get_kernel(name) for name in shared}
        except Exception as error:  # its class is not public
            raise DeviceError(
                f"{program.name} cannot be loaded on {self}: {error}; made by NVRTC "
                f"{nvrtc.version()}: is the driver, for CUDA {driver.version()}, older?"
            ) from None
        for name, size in shared.items():
            if size > UNASKED_SHARED:
                self._allow(name, kernels[name], size)
        return kernels

    def _allow(self, name: str, kernel: Any, size: int) -> None:
        """Let a kernel have more shared memory than blocks get by default."""
        if size > self.most_shared:
            raise DeviceError(
                f"{name} takes {size} bytes of shared memory; {self}, has {self.most_shared}"
            )
        kind = self.driver.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
        value_of(self.driver.cuKernelSetAttribute(kind, size, kernel.handle, self.ordinal))


class _Buffer:
    """Memory of a pool."""

    __slots__ = ("address", "buffer")

    def __init__(self, buffer: Any) -> None:
        self.buffer, self.address = buffer, int(buffer.handle)

    def release(self) -> None:
        """Give it back in the order of the stream that it was made for."""
        self.buffer.close()


class CudaDevices:
    """The GPUs of this machine."""

    tensors = "cuda"

    @staticmethod
    @cache
    def at(ordinal: int) -> CudaDevice:
        """The device of a number; DeviceError where there is none, or one that is too old."""
        number = driver.count()
        if not 0 <= ordinal < number:
            raise DeviceError(f"device {ordinal}: allowed is one of {number} GPUs, from 0")
        return CudaDevice(ordinal)

    def holding(self, address: int) -> int:
        """The number of the device whose memory begins there; LayoutError where none does."""
        return driver.holding(address)


DEVICES = CudaDevices()
