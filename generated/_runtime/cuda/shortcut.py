# Copied by `python -m codegen` from codegen/_runtime; edit it there.
"""The short way of a call: arguments that fit as they are, seen so by a few comparisons.

Everything else, and every refusal, is for the long way, which looks at each argument by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Protocol

from ..arrays import Shape, torch_of
from ..weighted import Prepared
from .arrays import NAMES
from .device import LEGACY
from .launch import DeviceFunction, PreparedOnDevice
from .memory import DeviceRoom, Room, TensorRoom
from .program import ITEMSIZE


class Kind(Protocol):
    """Arrays of one kind, dtype and device. What it is given may be anything of their types."""

    def start(self, first: Any) -> tuple[Shape, int]:
        """The shape of the first array, and the stream of the call."""

    def place(self, value: Any, shape: Shape, stream: int, *, writes: bool = False) -> int:
        """Where an array begins that is of this shape and ready for the stream; else 0."""

    def room(self, first: Any, stream: int) -> Room:
        """Where memory for the call comes from."""


@dataclass(frozen=True, slots=True)
class Tensors:
    """Those of torch."""

    device: Any  # torch's, as the dtype
    dtype: Any

    def start(self, first: Any) -> tuple[Shape, int]:
        """On the current stream."""
        if self.device.type != "cuda":  # an emulated one
            return first.shape, LEGACY
        return first.shape, torch_of().cuda.current_stream(self.device).cuda_stream or LEGACY

    def place(self, value: Any, shape: Shape, stream: int, *, writes: bool = False) -> int:
        """Of a strided tensor."""
        if (
            value.dtype is self.dtype
            and value.shape == shape
            and value.device == self.device
            and value.is_contiguous()
            and not value.is_neg()
            and not (writes and value.requires_grad)
        ):
            begin: int = value.data_ptr()
            return 0 if begin % self.dtype.itemsize else begin
        return 0

    def room(self, first: Any, stream: int) -> Room:
        """torch's."""
        return TensorRoom(first, None)


@dataclass(frozen=True, slots=True)
class Interfaces:
    """What has ``__cuda_array_interface__``."""

    function: DeviceFunction
    holding: Callable[[int], int]
    typestr: str
    itemsize: int

    def start(self, first: Any) -> tuple[Shape, int]:
        """On the stream that it names."""
        found = first.__cuda_array_interface__
        return found["shape"], found.get("stream") or LEGACY

    def place(self, value: Any, shape: Shape, stream: int, *, writes: bool = False) -> int:
        """Of one without strides."""
        found = value.__cuda_array_interface__
        if (
            found["shape"] == shape
            and found["typestr"] == self.typestr
            and found.get("strides") is None
            and found.get("stream") in (None, stream)
            and found.get("mask") is None
            and found["version"] >= 2
        ):
            begin, readonly = found["data"]
            here = not begin % self.itemsize and not (writes and readonly)
            return begin if here and self.holding(begin) == self.function.device.ordinal else 0
        return 0

    def room(self, first: Any, stream: int) -> Room:
        """The device's."""
        return DeviceRoom(self.function.device, stream)


@dataclass(frozen=True, slots=True)
class Shortcut:
    """A function of x or a gradient, and maybe of a weight and a bias; of one kind of arrays."""

    function: DeviceFunction
    kind: Kind
    types: tuple[type, ...]
    first: Shape  # of one sample, as the result
    weight: Shape | None
    bias: Shape | None
    result: Shape
    itemsize: int

    def __call__(self, first: Any, weight: Any, bias: Any, out: Any) -> Any:
        """The result; None where the long way is to be taken."""
        try:
            shape, stream = self.kind.start(first)
            batch = shape[0] if shape else 0
            places = self._inputs(batch, stream, first, weight, bias)
            shape = (batch, *self.result)
            end = 1 if out is None else self._written(out, shape, stream, places)
        except Exception:  # of an array that is not what it seems; the long way says what it is
            return None
        if not batch or not end or 0 in places.values():
            return None
        function, room = self.function, self.kind.room(first, stream)
        with function.device.current():
            if out is None:
                out, end = room.result(shape, function.program.dtype)
            missing = {"bias": 0, "weight": 0}
            addresses = {**missing, **places, function.arguments[-1]: end}
            prepared = weight if isinstance(weight, PreparedOnDevice) else None
            function(batch, addresses, stream, room, prepared)
        return out

    def _inputs(
        self, batch: int, stream: int, first: Any, weight: Any, bias: Any
    ) -> dict[str, int]:
        """Where they begin; a 0 among them where one does not fit."""
        place, types = self.kind.place, self.types
        places = {self.function.arguments[0]: place(first, (batch, *self.first), stream)}
        if isinstance(weight, Prepared):
            if not self._is_ready(weight, stream):
                places["weight"] = 0
        elif self.weight is not None:
            places["weight"] = place(weight, self.weight, stream) if type(weight) in types else 0
        elif weight is not None:
            places["weight"] = 0
        if self.bias is not None:
            places["bias"] = place(bias, self.bias, stream) if type(bias) in types else 0
        elif bias is not None:
            places["bias"] = 0
        return places

    def _is_ready(self, weight: Prepared, stream: int) -> bool:
        return (
            isinstance(weight, PreparedOnDevice)
            and weight.function is self.function
            and weight.stream == stream
        )

    def _written(self, out: Any, shape: Shape, stream: int, places: Mapping[str, int]) -> int:
        """Where the result is to be written; 0 where it may not."""
        begin = self.kind.place(out, shape, stream, writes=True) if type(out) in self.types else 0
        sizes = {"weight": prod(self.weight or ()), "bias": prod(self.bias or ())}
        end = begin + prod(shape) * self.itemsize
        for name, place in places.items():
            size = sizes.get(name, shape[0] * prod(self.first))
            if place < end and begin < place + size * self.itemsize:
                return 0
        return begin


def kind_of(
    first: Any, dtype: str, function: DeviceFunction, holding: Callable[[int], int]
) -> tuple[Kind, tuple[type, ...]] | None:
    """The kind of a first array that was taken, and the types of its arrays."""
    torch, kind = torch_of(), type(first)
    if torch is not None and kind in (torch.Tensor, torch.nn.Parameter):
        return Tensors(first.device, first.dtype), (torch.Tensor, torch.nn.Parameter)
    if dtype in NAMES and hasattr(first, "__cuda_array_interface__"):
        return Interfaces(function, holding, NAMES[dtype], ITEMSIZE[dtype]), (kind,)
    return None
