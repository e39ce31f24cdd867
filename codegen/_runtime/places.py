"""Where arrays and tensors that a function takes as they are begin, seen by few comparisons."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ctypes import addressof, c_byte
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy import empty, ndarray

from .arrays import Shape, torch_of

from_buffer: Callable[[Any], c_byte] = c_byte.from_buffer


def array_place(value: Any, shape: Shape, dtype: Any) -> int:
    """Where an array begins; 0 unless it has the shape and dtype, contiguous and writeable."""
    if value.dtype is dtype and value.shape == shape and value.flags.carray:
        return addressof(from_buffer(value))
    return 0


def tensor_place(value: Any, shape: Shape, dtype: Any) -> int:
    """The same of a tensor on the CPU; those of other layouts have no such memory."""
    try:
        if (
            value.dtype is dtype
            and value.shape == shape
            and value.is_cpu
            and value.is_contiguous()
            and not value.is_neg()
        ):
            begin: int = value.data_ptr()
            return 0 if begin % dtype.itemsize else begin
    except RuntimeError:
        pass
    return 0


def array_room(first: Any, shape: Shape) -> tuple[Any, int]:
    """A new array like the first argument, and where it begins."""
    made = empty(shape, first.dtype)
    return made, addressof(from_buffer(made))


def tensor_room(first: Any, shape: Shape) -> tuple[Any, int]:
    """The same of a tensor."""
    made = first.new_empty(shape)
    return made, made.data_ptr()


@dataclass(frozen=True, slots=True)
class Kind:
    """Arrays of NumPy or tensors of torch, of one dtype."""

    dtype: Any  # NumPy's or torch's
    types: tuple[type, ...]
    place: Callable[[Any, Shape, Any], int]
    room: Callable[[Any, Shape], tuple[Any, int]]

    def writes(self, out: Any, shape: Shape) -> int:
        """Where a result of this shape can be written; 0 where it cannot."""
        if type(out) in self.types and not getattr(out, "requires_grad", False):
            return self.place(out, shape, self.dtype)
        return 0


def batch_of(first: Any) -> int:
    """The length of the first axis; 0 where there is none."""
    try:
        shape = first.shape
    except RuntimeError:  # a nested tensor has none
        return 0
    return shape[0] if shape else 0


def kinds(dtype: np.dtype[Any]) -> Iterator[Kind]:
    """The kinds of arrays of a dtype, tensors where somebody has imported torch."""
    yield Kind(dtype, (ndarray,), array_place, array_room)
    if (torch := torch_of()) is not None:
        types = torch.Tensor, torch.nn.Parameter
        yield Kind(getattr(torch, dtype.name), types, tensor_place, tensor_room)
