"""The same numbers, lying otherwise in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch")

Array = NDArray[Any]


def misaligned(array: Array) -> Array:
    room = np.zeros(array.nbytes + 1, np.uint8)
    moved: Array = room[1:].view(array.dtype).reshape(array.shape)
    moved[...] = array
    assert not moved.flags.aligned
    return moved


def read_only(array: Array) -> Array:
    array = array.copy()
    array.flags.writeable = False
    return array


class Subclass(np.ndarray[Any, Any]):
    pass


def memmapped(array: Array, folder: Path) -> Array:
    path = folder / f"{len(list(folder.iterdir()))}.bin"
    array.tofile(path)
    return np.memmap(path, array.dtype, "r", shape=array.shape)


def spaced(array: Array, step: int) -> Array:
    room = np.full((*array.shape[:-1], array.shape[-1] * abs(step)), np.nan, array.dtype)
    room[..., ::step] = array
    return room[..., ::step]


def one_sized(array: Array) -> Array:
    """With odd strides where the size is 1, which mean nothing."""
    strides = (s if n > 1 else s + 3 for n, s in zip(array.shape, array.strides, strict=True))
    return np.lib.stride_tricks.as_strided(array, array.shape, tuple(strides))


def permuted(array: Array) -> Array:
    return np.ascontiguousarray(array.T).T


def channels_last(array: Array) -> Any:
    """A tensor whose second axis, if it has two, lies innermost."""
    found = torch.from_numpy(np.array(array, copy=True))
    return found.movedim(1, -1).contiguous().movedim(-1, 1) if found.ndim > 1 else found


def broadcast(array: Array) -> Array:
    """Its first part, seen in the place of all: stride 0."""
    return np.broadcast_to(array[:1].copy(), array.shape)


LAYOUTS: dict[str, Callable[[Array, Path], Any]] = {
    "permuted": lambda array, _: permuted(array),
    "Fortran": lambda array, _: array.copy("F"),
    "sliced": lambda array, _: np.pad(array, 2)[(slice(2, -2),) * array.ndim],
    "every second": lambda array, _: spaced(array, 2),
    "backwards": lambda array, _: spaced(array, -1),
    "backwards by three": lambda array, _: spaced(array, -3),
    "broadcast": lambda array, _: broadcast(array),
    "misaligned": lambda array, _: misaligned(array),
    "read-only": lambda array, _: read_only(array),
    "subclass": lambda array, _: array.copy().view(Subclass),
    "memmap": memmapped,
    "odd strides of size 1": lambda array, _: one_sized(array),
    "tensor": lambda array, _: torch.from_numpy(array.copy()),
    "channels_last": lambda array, _: channels_last(array),
    "tensor, sliced": lambda array, _: torch.from_numpy(spaced(array, 2)),
    "tensor with a gradient": lambda array, _: torch.from_numpy(array.copy()).requires_grad_(),
    "parameter": lambda array, _: torch.nn.Parameter(torch.from_numpy(array.copy())),
    "computed tensor": lambda array, _: torch.from_numpy(array.copy()).requires_grad_() * 1,
}
