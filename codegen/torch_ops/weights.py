"""Weights prepared once for many calls, for as long as they are what they were.

A weight has changed where torch counted a change (``_version``: an optimiser's step,
load_state_dict, anything in place), where its memory is another (assigned through ``.data``,
moved, converted), or where some of its numbers differ: up to 256 of them, all over the weight, are
looked at in each call on the CPU, since torch counts nothing of what is written through ``.data``
or NumPy. A few numbers written that way may go unnoticed in a larger weight, and all of them on a
GPU; ``forget`` drops what is kept.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from threading import RLock
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .kernels import Sized

LOOKED_AT = 256  # numbers of a weight
KEPT = 8  # prepared forms of one weight: sizes and directions
Prepared = Any


@dataclass(slots=True)
class _Known:
    """What was made of a weight, and what it was then; its memory is kept from being reused."""

    weight: weakref.ref[torch.Tensor]
    version: int
    address: int
    memory: torch.UntypedStorage
    numbers: NDArray[Any] | None  # a view; None on another device
    seen: bytes
    made: dict[tuple[int, str], tuple[Sized, Prepared]] = field(default_factory=dict)

    def still(self, weight: torch.Tensor) -> bool:
        return (
            self.weight() is weight
            and self.version == weight._version
            and self.address == weight.data_ptr()
            and (self.numbers is None or self.numbers.tobytes() == self.seen)
        )


class Weights:
    """Prepared weights by the identity of the weight; an entry goes when its weight does."""

    def __init__(self) -> None:
        self._known: dict[int, _Known] = {}
        self._lock = RLock()  # a weight may die, and call back, at any time

    def prepared(self, sized: Sized, direction: str, weight: torch.Tensor) -> Prepared:
        """The weight as a function of the kernel takes it, or itself where it is taken as it is."""
        if direction not in sized.prepares or weight.is_inference():
            return weight
        key = id(sized), direction
        with self._lock:
            known = self._known.get(id(weight))
            if known is not None and not known.still(weight):
                known = None
            if known is not None and (found := known.made.get(key)):
                return found[1]
        known = known or self._looked_at(weight)
        prepared = sized.kernel.prepare(weight, direction)
        if known is not None:
            with self._lock:
                self._known[id(weight)] = known
                if len(known.made) >= KEPT:
                    known.made.pop(next(iter(known.made)))
                known.made[key] = sized, prepared
        return prepared

    def forget(self) -> None:
        """Drop all prepared weights; the next call prepares them anew."""
        with self._lock:
            self._known.clear()

    def __len__(self) -> int:
        return len(self._known)

    def _looked_at(self, weight: torch.Tensor) -> _Known | None:
        """What to know a weight by; None where its numbers do not lie side by side."""
        numbers, seen = None, b""
        if weight.is_cpu:
            array: NDArray[Any] = weight.detach().numpy()
            array = array.transpose(np.argsort(array.strides)[::-1])  # as it lies
            if not array.flags.c_contiguous:
                return None
            numbers = array.reshape(-1)[:: max(1, array.size // LOOKED_AT)]
            seen = numbers.tobytes()
        number = id(weight)

        def gone(of: weakref.ref[torch.Tensor]) -> None:
            with self._lock:
                known = self._known.get(number)
                if known is not None and known.weight is of:
                    del self._known[number]

        return _Known(
            weakref.ref(weight, gone),
            weight._version,
            weight.data_ptr(),
            weight.untyped_storage(),
            numbers,
            seen,
        )
