"""A kernel on GPUs as its user sees it: four checked functions on the caller's stream."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..arrays import LayoutError
from ..specialised import WEIGHTED, Specialised, Taken
from ..weighted import Prepared
from .arrays import ANYWHERE, DeviceArray, check_output
from .device import Device, Devices
from .functions import Load
from .gpu import DEVICES
from .launch import DeviceFunction, PreparedOnDevice
from .memory import room_beside
from .program import ITEMSIZE
from .reader import Reader
from .shortcut import Shortcut, kind_of

CONTRACT = {"grad_output": "y"}  # what programs call an argument


@dataclass(frozen=True, kw_only=True)
class CudaKernel(Specialised):
    """One operator, specialised for GPUs: sizes are constants, the batch is free.

    Arrays are torch tensors on CUDA, or anything with ``__cuda_array_interface__`` or DLPack:
    C-contiguous, of one device and one dtype among ``dtypes``. Nothing is copied. The result is a
    tensor where the first one is, else a DeviceArray, which offers both interfaces. All functions
    take ``(batch, *shape)``, or one sample without the batch.

    The work is enqueued, and not waited for: on ``stream`` (a handle, or a stream of torch, CuPy or
    cuda.core) if one is given; else on torch's current stream where the first array is a tensor,
    on the stream that its interface names, or on the default stream. It waits for the streams on
    which other arrays become ready. ``load`` gives the functions of a dtype on a device, as
    ``cuda_functions`` makes them.

    Besides LayoutError for an argument, DeviceError where there is no GPU, driver or cuda-core, and
    CompileError where NVRTC refuses. EXACTCONV_CUDA_CHECK=1 waits for each launch, and names the
    one that fails.
    """

    load: Load
    devices: Devices = DEVICES
    dtypes: tuple[str, ...] = ("float32",)
    # by direction and type of the first argument, once a function is loaded
    _shortcuts: dict[tuple[str, type], Shortcut] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __call__(
        self, x: Any, weight: Any = None, bias: Any = None, out: Any = None, *, stream: Any = None
    ) -> Any:
        """Same as ``forward``."""
        return self.forward(x, weight, bias, out, stream=stream)

    def forward(
        self, x: Any, weight: Any = None, bias: Any = None, out: Any = None, *, stream: Any = None
    ) -> Any:
        """The operator: x (batch, *input_shape) -> (batch, *output_shape)."""
        shortcut = self._shortcuts.get(("forward", type(x)))
        if shortcut and stream is None:
            result = shortcut(x, weight, bias, out)
            if result is not None:
                return result
        read = Reader(self.devices, stream)
        return self._run(read, self._of_forward(read, x, weight, bias), x, out)

    def input_gradient(
        self, grad_output: Any, weight: Any = None, out: Any = None, *, stream: Any = None
    ) -> Any:
        """grad_output (batch, *output_shape) -> (batch, *input_shape)."""
        shortcut = self._shortcuts.get(("input_gradient", type(grad_output)))
        if shortcut and stream is None:
            result = shortcut(grad_output, weight, None, out)
            if result is not None:
                return result
        read = Reader(self.devices, stream)
        taken = self._of_input_gradient(read, grad_output, weight)
        return self._run(read, taken, grad_output, out)

    def weight_gradient(
        self, x: Any, grad_output: Any, out: Any = None, *, stream: Any = None
    ) -> Any:
        """x and grad_output of one batch -> weight_shape, summed over the batch."""
        read = Reader(self.devices, stream)
        return self._run(read, self._of_weight_gradient(read, x, grad_output), x, out)

    def bias_gradient(self, grad_output: Any, out: Any = None, *, stream: Any = None) -> Any:
        """grad_output (batch, *output_shape) -> (out channels,): the sum over all else."""
        read = Reader(self.devices, stream)
        return self._run(read, self._of_bias_gradient(read, grad_output), grad_output, out)

    def prepare(
        self, weight: Any, direction: str = "forward", *, stream: Any = None
    ) -> PreparedOnDevice:
        """The weight as "forward" or "input_gradient" takes it, to be passed to it in its place.

        It saves folding, packing or transforming the same weight in every call.
        """
        read = Reader(self.devices, stream)
        array = self._to_prepare(read, weight, direction)
        device = self._device([("weight", array)])
        with device.current():
            function = self.load(array.dtype, device)[direction]
            on = read.ready(device, [array])
            room = room_beside(weight, device, on, array.stream)
            return function.prepare(array.address, array.nbytes, on, room)

    def _run(self, read: Reader, taken: Taken[DeviceArray], first: Any, out: Any) -> Any:
        """Check what is left to check, make room for the result and enqueue the function."""
        arrays = [(n, each) for n, each in taken.inputs.items() if isinstance(each, DeviceArray)]
        device = self._device(arrays)
        start = arrays[0][1]
        with device.current():
            function = self.load(start.dtype, device)[taken.direction]
            prepared = self._prepared(function, taken.inputs.get("weight"))
            used = [each for _, each in arrays]
            if out is not None:
                written = read("out", out)
                check_output("out", written, taken.shape, start.dtype, used)
                if written.device not in (ANYWHERE, device.ordinal):
                    raise _elsewhere("out", written, device)
                used.append(written)
            on = read.ready(device, used, prepared)
            room = room_beside(first, device, on, start.stream)
            if out is None:
                result, address = room.result(taken.shape, start.dtype)
            else:
                result, address = out, written.address
            addresses = dict.fromkeys(function.arguments, 0)
            addresses |= {CONTRACT.get(name, name): each.address for name, each in arrays}
            addresses[function.arguments[-1]] = address
            function(start.shape[0], addresses, on, room, prepared)
        self._learn(function, first, start)
        return result

    def _learn(self, function: DeviceFunction, first: Any, seen: DeviceArray) -> None:
        """Make the next calls of a function short, for the kind, dtype and device of the last."""
        direction = function.direction
        known = self._shortcuts.get((direction, type(first)))
        if direction not in WEIGHTED or (known is not None and known.function is function):
            return
        if (found := kind_of(first, seen.dtype, function, self.devices.holding)) is not None:
            kind, types = found
            ends, bias = (self.input_shape, self.output_shape), self.bias_shape
            if direction == "input_gradient":
                ends, bias = ends[::-1], None
            shapes = ends[0], self.weight_shape, bias, ends[1]
            made = Shortcut(function, kind, types, *shapes, ITEMSIZE[seen.dtype])
            self._shortcuts.update(dict.fromkeys([(direction, each) for each in types], made))

    def _device(self, arrays: list[tuple[str, DeviceArray]]) -> Device:
        """The device of all arrays, which have one dtype of the kernel's."""
        allowed = self.dtypes
        for name, array in arrays:
            if array.dtype not in allowed:
                words = f"allowed is {', '.join(allowed)}"
                raise LayoutError(f"{name} has dtype {array.dtype}; {words}")
            allowed = (array.dtype,)  # all of the first one's
        known = [array.device for _, array in arrays if array.device != ANYWHERE]
        device = self.devices.at(known[0] if known else 0)
        for name, array in arrays:
            if array.device not in (ANYWHERE, device.ordinal):
                raise _elsewhere(name, array, device)
        return device

    def _prepared(
        self, function: DeviceFunction, weight: DeviceArray | Prepared | None
    ) -> PreparedOnDevice | None:
        if not isinstance(weight, Prepared):
            return None
        if not isinstance(weight, PreparedOnDevice) or weight.function is not function:
            raise LayoutError(f"weight was not prepared for {function.direction} of {self.name}")
        return weight


def _elsewhere(name: str, array: DeviceArray, device: Device) -> LayoutError:
    return LayoutError(
        f"{name} is on device {array.device}; allowed is device {device.ordinal}, of the first one"
    )
