# Copied by `python -m codegen` from codegen/_runtime; edit it there.
"""The short way of a call: arguments that fit as they are, seen so by a few comparisons.

Everything else, and every refusal, is for the long way, which looks at each argument by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ctypes import addressof, c_byte
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy import empty, ndarray

from .arrays import Raw, Shape, torch_of
from .c_function import CFunction
from .weighted import PreparedWeight, Weighted

from_buffer: Callable[[Any], c_byte] = c_byte.from_buffer
Place = Callable[[Any, Shape, Any], int]
Room = Callable[[Any, Shape], tuple[Any, int]]


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
class Shortcut:
    """A function of x or a gradient, and maybe of a weight and a bias; of one kind of arrays."""

    raw: Raw
    function: CFunction
    dtype: Any  # NumPy's or torch's
    kinds: tuple[type, ...]
    place: Place
    room: Room
    first: Shape  # of one sample, as the result
    weight: Shape | None
    bias: Shape | None
    result: Shape
    sizes: tuple[int, int, int, int]  # bytes of these four
    missing: tuple[int, ...]  # a 0 for the bias that its C function takes, where it has none

    def __call__(self, first: Any, weight: Any, bias: Any, out: Any) -> Any:
        """The result; None where the long way is to be taken."""
        try:
            shape = first.shape
        except RuntimeError:  # a nested tensor has none
            return None
        if not shape or not shape[0]:
            return None
        batch = shape[0]
        places = self._inputs(batch, first, weight, bias)
        if 0 in places:
            return None
        shape = (batch, *self.result)
        if out is None:
            written, begin = self.room(first, shape)
        elif type(out) in self.kinds and not getattr(out, "requires_grad", False):
            written, begin = out, self.place(out, shape, self.dtype)
            if not begin or self._overlaps(batch, weight, places, begin):
                return None
        else:
            return None
        self.function.at(batch, self.dtype.itemsize, *places, *self.missing, begin)
        return written

    def _inputs(self, batch: int, first: Any, weight: Any, bias: Any) -> list[int]:
        """Where they begin; a 0 among them where one does not fit."""
        place, dtype = self.place, self.dtype
        places = [place(first, (batch, *self.first), dtype)]
        if type(weight) is PreparedWeight:
            places.append(weight.address if weight.raw is self.raw else 0)
        elif self.weight is not None:
            fits = type(weight) in self.kinds and self.raw is self.function  # or is to be prepared
            places.append(place(weight, self.weight, dtype) if fits else 0)
        elif weight is not None:
            places.append(0)
        if self.bias is not None:
            places.append(place(bias, self.bias, dtype) if type(bias) in self.kinds else 0)
        elif bias is not None:
            places.append(0)
        return places

    def _overlaps(self, batch: int, weight: Any, places: Sequence[int], written: int) -> bool:
        """Whether the result would be written where an input is."""
        first, weights, bias, result = self.sizes
        if type(weight) is PreparedWeight:
            weights = weight.array.nbytes
        end = written + batch * result
        for begin, size in zip(places, (batch * first, weights, bias), strict=False):
            if begin < end and written < begin + size:
                return True
        return False


def shortcuts(
    raw: Raw,
    dtype: np.dtype[Any],
    *,
    first: Shape,
    weight: Shape | None,
    bias: Shape | None,
    result: Shape,
) -> dict[type, Shortcut]:
    """By the type of the first argument; none for what is no C function."""
    function = raw.direct if isinstance(raw, Weighted) else raw
    if not isinstance(function, CFunction):
        return {}
    shapes = first, weight, bias, result
    a, b, c, d = (dtype.itemsize * prod(shape or ()) for shape in shapes)
    given = 2 + sum(shape is not None for shape in (weight, bias))
    missing = (0,) * (function.pointers - given)

    def of(its: Any, kinds: tuple[type, ...], place: Place, room: Room) -> dict[type, Shortcut]:
        made = Shortcut(raw, function, its, kinds, place, room, *shapes, (a, b, c, d), missing)
        return dict.fromkeys(kinds, made)

    found = of(dtype, (ndarray,), array_place, array_room)
    if (torch := torch_of()) is not None:
        kinds = torch.Tensor, torch.nn.Parameter
        found |= of(getattr(torch, dtype.name), kinds, tensor_place, tensor_room)
    return found
