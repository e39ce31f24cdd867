"""Arrays on a GPU at the border of a kernel: torch, __cuda_array_interface__, DLPack; no copies."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from ..arrays import LayoutError, Shape, check_shape, is_tensor, torch_of
from .device import LEGACY, Devices
from .program import ITEMSIZE

TYPESTR = {"<f4": "float32", "<f8": "float64", "<f2": "float16"}
NAMES = {name: typestr for typestr, name in TYPESTR.items()}
CUDA, MANAGED = 2, 13  # DLPack's device types of memory that a GPU reads
ANYWHERE = -1  # the device of an array that has no numbers
REMEDY = "copy it first: x.contiguous() in torch, cupy.ascontiguousarray(x)"


@dataclass(frozen=True, slots=True)
class DeviceArray:
    """Numbers on the GPU ``device``, C-contiguous; ``owner`` keeps them.

    They are ready for what ``stream`` is given now; None: for any stream. It offers
    ``__cuda_array_interface__`` (not in bfloat16, which that has no name for) and ``__dlpack__``.

    >>> DeviceArray(256, (2, 3), "float32").nbytes
    24
    """

    address: int
    shape: Shape
    dtype: str
    device: int = 0
    owner: Any = None
    stream: int | None = None
    readonly: bool = False

    @property
    def nbytes(self) -> int:
        """Bytes from the first number to the last."""
        return prod(self.shape) * ITEMSIZE[self.dtype]

    def reshape(self, shape: Shape, /) -> DeviceArray:
        """The same numbers in another shape."""
        return replace(self, shape=shape)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        if self.dtype not in NAMES:
            raise AttributeError(f"__cuda_array_interface__ has no name for {self.dtype}")
        return {
            "version": 3,
            "shape": self.shape,
            "typestr": NAMES[self.dtype],
            "data": (self.address, self.readonly),
            "strides": None,
            "stream": self.stream,
        }

    def __dlpack_device__(self) -> tuple[int, int]:
        return CUDA, self.device

    def __dlpack__(self, **options: Any) -> object:
        from .exchange import capsule

        return capsule(self, **options)


def view(name: str, value: Any, devices: Devices, stream: int | None = None) -> DeviceArray:
    """The view of an argument; one that comes by DLPack is made ready for ``stream``.

    LayoutError for what is on the host, or is not C-contiguous and aligned.
    """
    if type(value) is DeviceArray:
        return value
    if is_tensor(value):
        return _of_tensor(name, value, devices.tensors)
    try:
        interface = getattr(value, "__cuda_array_interface__", None)
    except Exception as error:  # whatever a stranger's property may raise
        raise LayoutError(f"{name}: its __cuda_array_interface__ fails: {error}") from None
    if isinstance(interface, dict) and not _nameless(interface, value):
        return _of_interface(name, value, interface, devices)
    if hasattr(value, "__dlpack__") and hasattr(value, "__dlpack_device__"):
        from .exchange import of_dlpack

        return of_dlpack(name, value, LEGACY if stream is None else stream)
    raise LayoutError(
        f"{name} is of type {type(value).__name__}; allowed are torch.Tensor and what has "
        "__cuda_array_interface__ or __dlpack__"
    )


def _of_tensor(name: str, value: Any, tensors: str) -> DeviceArray:
    torch, device = torch_of(), value.device
    if device.type != tensors:
        raise LayoutError(f"{name} is on {device}; this kernel takes {tensors}: {name}.{tensors}()")
    if value.layout is not torch.strided:
        raise LayoutError(f"{name} has layout {value.layout}; allowed is torch.strided")
    if not value.is_contiguous():
        raise not_contiguous(name, value.stride())
    if value.is_neg():
        raise LayoutError(f"{name} is a negative view; allowed is {name}.resolve_neg()")
    try:
        address, shape = value.data_ptr(), tuple(value.shape)
    except RuntimeError as error:  # a tensor without memory, or of many shapes
        raise LayoutError(f"{name} is no plain tensor: {error}") from None
    dtype, ordinal = str(value.dtype).removeprefix("torch."), device.index or 0
    ready = torch.cuda.current_stream(device).cuda_stream or LEGACY if value.is_cuda else LEGACY
    return aligned(DeviceArray(address, shape, dtype, ordinal, value, ready), name)


def _nameless(interface: dict[str, Any], value: Any) -> bool:
    """Whether DLPack must say what the numbers are: the interface has no name for bfloat16."""
    return str(interface.get("typestr")).lstrip("<|=") == "V2" and hasattr(value, "__dlpack__")


def _of_interface(
    name: str, value: Any, interface: dict[str, Any], devices: Devices
) -> DeviceArray:
    """By CUDA Array Interface, version 2 or 3."""
    try:
        shape = tuple(int(size) for size in interface["shape"])
        typestr, (begin, readonly) = interface["typestr"], interface["data"]
        dtype = TYPESTR.get(typestr) or str(np.dtype(typestr))
        address = int(begin or 0)
        strides, stream = interface.get("strides"), interface.get("stream")
        version, mask = int(interface["version"]), interface.get("mask")
    except (KeyError, TypeError, ValueError) as error:
        words = f"{type(error).__name__}: {error}"
        raise LayoutError(f"{name}: its __cuda_array_interface__ is odd: {words}") from None
    if version < 2:
        raise LayoutError(f"{name}: its __cuda_array_interface__ is version {version}; allowed: 2+")
    if mask is not None:
        raise LayoutError(f"{name} is a masked array; allowed is one without a mask")
    if stream == 0:
        raise LayoutError(f"{name}: its stream is 0, which the interface disallows")
    if strides is not None and not is_contiguous(shape, strides, np.dtype(typestr).itemsize):
        raise not_contiguous(name, strides)
    if 0 in shape:
        return DeviceArray(0, shape, dtype, ANYWHERE, value)
    found = DeviceArray(
        address, shape, dtype, devices.holding(address), value, stream, bool(readonly)
    )
    return aligned(found, name)


def is_contiguous(shape: Shape, strides: Iterable[int], step: int) -> bool:
    """Whether numbers ``step`` apart lie one after the other, the last axis fastest.

    >>> is_contiguous((2, 1, 3), (12, 999, 4), 4), is_contiguous((2, 3), (4, 8), 4)
    (True, False)
    """
    each = tuple(strides)
    if len(each) != len(shape):
        return False
    if 0 in shape:
        return True
    for size, stride in zip(reversed(shape), reversed(each), strict=True):
        if size != 1 and stride != step:
            return False
        step *= size
    return True


def not_contiguous(name: str, strides: Iterable[int]) -> LayoutError:
    """The refusal of an array of other strides."""
    return LayoutError(f"{name} has strides {tuple(strides)}; allowed is C-contiguous: {REMEDY}")


def aligned(array: DeviceArray, name: str) -> DeviceArray:
    """The array; LayoutError where it begins inside a number."""
    itemsize = ITEMSIZE.get(array.dtype, 1)
    if array.address % itemsize:
        raise LayoutError(
            f"{name} begins at {array.address:#x}; allowed is a multiple of {itemsize}"
        )
    return array


def check_output(
    name: str, out: DeviceArray, shape: Shape, dtype: str, inputs: Iterable[DeviceArray]
) -> None:
    """LayoutError unless ``out`` can take a result as it is, and shares nothing with an input."""
    if getattr(out.owner, "requires_grad", False):
        raise LayoutError(f"{name} requires a gradient; allowed is a tensor that does not")
    check_shape(name, out, shape)
    if out.dtype != dtype:
        raise LayoutError(f"{name} has dtype {out.dtype}; allowed is {dtype}")
    if out.readonly:
        raise LayoutError(f"{name} must be C-contiguous, aligned and writeable")
    end = out.address + out.nbytes
    if any(a.address < end and out.address < a.address + a.nbytes for a in inputs):
        raise LayoutError(f"{name} shares memory with an input")
