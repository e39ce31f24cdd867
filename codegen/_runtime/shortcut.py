"""The short way of a call: arguments that fit as they are, seen so by a few comparisons.

Everything else, and every refusal, is for the long way, which looks at each argument by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from .arrays import Raw, Shape
from .c_function import CFunction
from .gradient_steps import Addressed
from .places import Kind, batch_of, kinds
from .weighted import PreparedWeight, Weighted


@dataclass(frozen=True, slots=True)
class Shortcut:
    """A function of x or a gradient, and maybe of a weight and a bias; of one kind of arrays."""

    raw: Raw
    function: CFunction
    kind: Kind
    first: Shape  # of one sample, as the result
    weight: Shape | None
    bias: Shape | None
    result: Shape
    sizes: tuple[int, int, int, int]  # bytes of these four
    missing: tuple[int, ...]  # a 0 for the bias that its C function takes, where it has none

    def __call__(self, first: Any, weight: Any, bias: Any, out: Any) -> Any:
        """The result; None where the long way is to be taken."""
        batch, kind = batch_of(first), self.kind
        if not batch:
            return None
        places = self._inputs(batch, first, weight, bias)
        if 0 in places:
            return None
        shape = (batch, *self.result)
        if out is None:
            out, begin = kind.room(first, shape)
        else:
            begin = kind.writes(out, shape)
            if not begin or self._overlaps(batch, weight, places, begin):
                return None
        self.function.at(batch, kind.dtype.itemsize, *places, *self.missing, begin)
        return out

    def _inputs(self, batch: int, first: Any, weight: Any, bias: Any) -> list[int]:
        """Where they begin; a 0 among them where one does not fit."""
        place, types, dtype = self.kind.place, self.kind.types, self.kind.dtype
        places = [place(first, (batch, *self.first), dtype)]
        if self.weight is not None:
            places.append(self.weight_place(weight))
        elif weight is not None:
            places.append(0)
        if self.bias is not None:
            places.append(place(bias, self.bias, dtype) if type(bias) in types else 0)
        elif bias is not None:
            places.append(0)
        return places

    def weight_place(self, weight: Any) -> int:
        """Where the weight begins, prepared or as it is; 0 where it does not fit."""
        if type(weight) is PreparedWeight:
            return weight.address if weight.raw is self.raw else 0
        if type(weight) in self.kind.types and self.raw is self.function:  # not to be prepared
            return self.kind.place(weight, self.weight or (), self.kind.dtype)
        return 0

    def _overlaps(self, batch: int, weight: Any, places: Sequence[int], written: int) -> bool:
        """Whether the result would be written where an input is."""
        first, weights, bias, result = self.sizes
        if type(weight) is PreparedWeight:
            weights = weight.array.nbytes
        return overlap(places, (batch * first, weights, bias), written, batch * result)


@dataclass(frozen=True, slots=True)
class Sum:
    """A gradient summed over the batch: of x and a gradient, or of a gradient alone."""

    raw: Addressed
    kind: Kind
    samples: tuple[Shape, ...]  # of each argument
    result: Shape

    def __call__(self, given: Sequence[Any], out: Any) -> Any:
        """The result; None where the long way is to be taken."""
        batch, kind = batch_of(given[0]), self.kind
        if not batch:
            return None
        place, types, dtype = kind.place, kind.types, kind.dtype
        places = [
            place(each, (batch, *sample), dtype) if type(each) in types else 0
            for each, sample in zip(given, self.samples, strict=True)
        ]
        if 0 in places:
            return None
        if out is None:
            out, begin = kind.room(given[0], self.result)
        else:
            begin = kind.writes(out, self.result)
            sizes = [batch * prod(sample) * dtype.itemsize for sample in self.samples]
            if not begin or overlap(places, sizes, begin, prod(self.result) * dtype.itemsize):
                return None
        self.raw.at(batch, dtype.itemsize, *places, begin)
        return out


def overlap(places: Sequence[int], sizes: Sequence[int], written: int, size: int) -> bool:
    """Whether bytes written are among those of an input."""
    end = written + size
    for begin, length in zip(places, sizes, strict=False):
        if begin < end and written < begin + length:
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
    return {
        its: Shortcut(raw, function, kind, *shapes, (a, b, c, d), missing)
        for kind in kinds(dtype)
        for its in kind.types
    }


def sums(
    raw: Raw, dtype: np.dtype[Any], samples: tuple[Shape, ...], result: Shape
) -> dict[type, Sum]:
    """The same of a gradient that is summed over the batch."""
    if not isinstance(raw, Addressed):
        return {}
    return {its: Sum(raw, kind, samples, result) for kind in kinds(dtype) for its in kind.types}
