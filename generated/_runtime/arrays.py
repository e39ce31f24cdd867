# Copied by `python -m codegen` from codegen/_runtime; edit it there.
"""Arrays at the border of a kernel: NumPy or torch, checked, never copied without need."""

from __future__ import annotations

import ctypes
import logging
import sys
from collections.abc import Callable, Sequence
from typing import Any, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Shape = tuple[int, ...]
# a raw function takes arrays that have been checked: the inputs, then the one to write
Raw = Callable[..., None]

log = logging.getLogger(__name__)


class Shaped(Protocol):
    """An array of any kind, as far as its shape goes."""

    @property
    def shape(self) -> Shape: ...

    def reshape(self, shape: Shape, /) -> Self: ...


V = TypeVar("V", bound=Shaped)


class LayoutError(ValueError):
    """An array whose shape, dtype, device or memory does not fit the kernel."""


def as_array(name: str, value: Any) -> Array:
    """The NumPy view of a NumPy array or a torch CPU tensor; both share their memory."""
    if isinstance(value, np.ma.MaskedArray):
        raise LayoutError(f"{name} is a masked array; allowed is one without a mask")
    if isinstance(value, np.ndarray):
        return np.asarray(value)
    if is_tensor(value):
        if value.device.type != "cpu":
            raise LayoutError(f"{name} is on {value.device}; this kernel takes the cpu")
        if value.layout is not sys.modules["torch"].strided:
            raise LayoutError(f"{name} has layout {value.layout}; allowed is torch.strided")
        try:
            array: Array = value.detach().numpy()
        except (TypeError, RuntimeError) as error:
            raise LayoutError(f"{name} has dtype {value.dtype}: {error}") from None
        return array
    raise LayoutError(
        f"{name} is of type {type(value).__name__}; allowed are numpy.ndarray and torch.Tensor"
    )


def is_tensor(value: object) -> bool:
    """Whether it is a torch tensor, without importing torch."""
    torch = torch_of()
    return torch is not None and isinstance(value, torch.Tensor)


def torch_of() -> Any:
    """The module torch where somebody has imported it, else None."""
    return sys.modules.get("torch")


def like(value: Any, result: Array) -> Any:
    """``result`` as the kind of array that ``value`` is, sharing its memory."""
    return sys.modules["torch"].from_numpy(result) if is_tensor(value) else result


def check_dtype(name: str, array: Array, allowed: Sequence[np.dtype[Any]]) -> None:
    """LayoutError unless the array has one of the dtypes, in native byte order."""
    if array.dtype not in allowed:
        words = ", ".join(str(dtype) for dtype in allowed)
        raise LayoutError(f"{name} has dtype {array.dtype}; allowed is {words}")


def check_shape(name: str, array: Shaped, shape: Shape) -> None:
    """LayoutError unless the array has this very shape."""
    if array.shape != shape:
        raise LayoutError(f"{name} has shape {array.shape}; allowed is {shape}")


def batched(name: str, array: V, shape: Shape) -> tuple[V, bool]:
    """The array as (batch, *shape), and whether it had its batch axis."""
    found = array.shape
    if found == shape:
        return array.reshape((1, *shape)), False
    if len(found) != len(shape) + 1 or found[1:] != shape:
        sizes = ", ".join(map(str, shape))
        raise LayoutError(f"{name} has shape {found}; allowed is {shape} or (batch, {sizes})")
    return array, True


def contiguous(name: str, array: Array) -> Array:
    """The array, or a copy where it is not C-contiguous and aligned."""
    if array.flags.c_contiguous and array.flags.aligned:
        return array
    log.debug("%s is not contiguous and aligned: copied", name)
    return np.require(array, requirements=["C", "A"])


def address(array: Array) -> int:
    """Where a C-contiguous array begins; its ``ctypes.data``, which takes longer."""
    buffer: Any = array
    if array.flags.carray and array.size:
        return ctypes.addressof(ctypes.c_byte.from_buffer(buffer))
    begin: int = array.ctypes.data
    return begin


def aligned(numbers: int, dtype: np.dtype[Any]) -> Array:
    """Room for numbers that begins on a cache line."""
    line = 64
    room = np.empty(numbers * dtype.itemsize + line, np.uint8)
    begin = -address(room) % line
    return room[begin : begin + numbers * dtype.itemsize].view(dtype)


def output(
    name: str, out: Any, shape: Shape, dtype: np.dtype[Any], inputs: Sequence[Array]
) -> Array:
    """The array to write: a new one, or ``out`` if it can take the result as it is."""
    if out is None:
        return np.empty(shape, dtype)
    array = as_array(name, out)
    if is_tensor(out) and out.requires_grad:
        raise LayoutError(f"{name} requires a gradient; allowed is a tensor that does not")
    check_shape(name, array, shape)
    check_dtype(name, array, [dtype])
    flags = array.flags
    if not (flags.c_contiguous and flags.aligned and flags.writeable):
        raise LayoutError(f"{name} must be C-contiguous, aligned and writeable")
    if any(np.may_share_memory(array, each) for each in inputs):
        raise LayoutError(f"{name} shares memory with an input")
    return array
