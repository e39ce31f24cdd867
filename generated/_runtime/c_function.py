# Copied by `python -m codegen` from codegen/_runtime; edit it there.
"""A function of a loaded library, called by the addresses of its arrays."""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from .arrays import Array, address, aligned


class CFunction:
    """A C function as one that takes arrays, or the addresses of arrays."""

    def __init__(self, function: Any, pointers: int, threads: Threads, scratch: int) -> None:
        self.function, self.pointers = function, pointers
        self.threads, self.scratch = threads, scratch

    def __call__(self, *arrays: Array) -> None:
        """Of arrays that are C-contiguous: the inputs, then the output."""
        *inputs, written = map(address, arrays)
        missing = [0] * (self.pointers - len(arrays))  # no bias
        self.at(len(arrays[0]), arrays[0].itemsize, *inputs, *missing, written)

    def at(self, batch: int, itemsize: int, *addresses: int) -> None:
        """The same by all addresses, 0 for none, of numbers of so many bytes."""
        if _Forked.is_child:
            self.threads.set(1)
        if not self.scratch:
            self.function(batch, *addresses)
            return
        number = self.threads.number()
        room = kept("scratch", self.scratch * number * itemsize)
        self.function(batch, *addresses, address(room), number)


class _Forked:
    """Whether this process is the child of one that may have used OpenMP."""

    is_child = False

    @classmethod
    def mark(cls) -> None:
        cls.is_child = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_Forked.mark)


_of_this_thread = threading.local()


def kept(purpose: str, size: int) -> Array:
    """``size`` bytes that no other thread uses, on a cache line; they stay for the next call.

    The pages of new memory are slow to come by, as slow as the sums of a small layer.
    """
    room: Array | None = getattr(_of_this_thread, purpose, None)
    if room is None or room.nbytes < size:
        room = aligned(size, np.dtype(np.uint8))
        setattr(_of_this_thread, purpose, room)
    return room[:size]


class Threads:
    """How many threads OpenMP may use in the calling one.

    The threads of a pool do not live on in a forked child: a parallel region there would wait for
    them for ever. With one thread there is no pool.
    """

    def __init__(self, library: ctypes.CDLL) -> None:
        self.number: Callable[[], int] = lambda: 1
        self.set: Callable[[int], object] = lambda number: None
        with contextlib.suppress(AttributeError):  # built without OpenMP
            setter, getter = library["omp_set_num_threads"], library["omp_get_max_threads"]
            setter.argtypes, setter.restype = [ctypes.c_int], None
            getter.argtypes, getter.restype = [], ctypes.c_int
            self.set, self.number = setter, getter
