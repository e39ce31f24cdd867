# Copied by `python -m codegen` from codegen/_runtime; edit it there.
"""Shared library -> raw functions: ctypes, and the weights prepared as the kernel takes them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from .arrays import Array, Raw
from .cache import Job, compile_library
from .compiler import SCALARS, Sources
from .errors import CompileError, WrongKernelError
from .weighted import Weighted

# arguments of each entry point after the batch: inputs, then the output; bias may be NULL
DIRECTIONS = {
    "forward": 4,
    "input_gradient": 3,
    "weight_gradient": 3,
    "bias_gradient": 2,
}
THROUGH_WEIGHT = ("forward", "input_gradient")
WITHOUT_WEIGHT = {"forward": 2, "input_gradient": 2}
STARTED_BY = os.getpid()  # in a process forked from it, OpenMP has lost its threads


@dataclass(frozen=True)
class Takes:
    """What the functions of a library take besides arrays as they come, by direction.

    ``folded`` numbers of a folded weight, for all but the ``unfolded`` directions; ``packed``
    numbers of a weight packed for a direction, or of its gradient; ``packed_sample`` numbers of a
    packed gradient of the output, for each sample; ``scratch`` numbers for each thread.
    """

    learned: bool = True
    folded: int = 0
    unfolded: tuple[str, ...] = ()
    packed: Mapping[str, int] = field(default_factory=dict)
    packed_sample: int = 0
    scratch: Mapping[str, int] = field(default_factory=dict)


def c_functions(
    name: str,
    sources: Sources,
    compile_job: Callable[[Job], Path] = compile_library,
    *,
    test: Callable[[Mapping[str, Raw], str], list[str]] | None = None,
    takes: Takes | None = None,
) -> Callable[[str], Mapping[str, Raw]]:
    """dtype -> the raw functions of kernel ``name``, compiled at first use.

    ``test`` names the functions of a dtype that are wrong, before a library is kept. Where the
    kernel ``takes`` a weight folded or packed for a direction, it is prepared for every call.
    """
    functions_of = partial(library_functions, name, takes=takes or Takes())

    @cache
    def load(dtype: str) -> Mapping[str, Raw]:
        def check(made: Path) -> None:
            if test is not None and (wrong := test(functions_of(made), dtype)):
                raise WrongKernelError(name, wrong)

        return functions_of(compile_job(Job(sources, SCALARS[dtype], check)))

    return load


def library_functions(name: str, path: Path, takes: Takes) -> Mapping[str, Raw]:
    """The raw functions that a library holds of kernel ``name``; see ``c_functions``."""
    library = opened(path)
    pointers = DIRECTIONS if takes.learned else WITHOUT_WEIGHT
    functions: dict[str, Raw] = {
        d: raw_function(library, f"{name}_{d}", n, takes.scratch.get(d, 0))
        for d, n in pointers.items()
    }
    for direction in THROUGH_WEIGHT if takes.learned else ():
        steps = []
        if takes.folded and direction not in takes.unfolded:
            steps.append((_plain_function(library, f"{name}_fold"), takes.folded))
        if numbers := takes.packed.get(direction, 0):
            steps.append((_plain_function(library, f"{name}_pack_{direction}"), numbers))
        if steps:
            functions[direction] = Weighted(functions[direction], partial(_prepared, steps))
    if numbers := takes.packed.get("weight_gradient", 0):
        pack = raw_function(library, f"{name}_pack_gradient", 2)
        by_weight = _of_packed(functions["weight_gradient"], pack, takes.packed_sample)
        unpack = _plain_function(library, f"{name}_unpack_gradient")
        functions["weight_gradient"] = _unprepared(by_weight, unpack, numbers)
    if takes.folded and "weight_gradient" not in takes.unfolded:
        unfold = _plain_function(library, f"{name}_unfold")
        by_weight = functions["weight_gradient"]
        functions["weight_gradient"] = _unprepared(by_weight, unfold, takes.folded)
    return functions


def opened(path: Path) -> ctypes.CDLL:
    """The loaded library; CompileError where the loader or a missing function stops it."""
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise CompileError(f"{path} cannot be loaded: {error}") from None


def _prepared(steps: Sequence[tuple[Raw, int]], weight: Array) -> Array:
    """The weight after each of the steps, which makes so many numbers of it."""
    for function, numbers in steps:
        made = _aligned(numbers, weight.dtype)
        function(weight, made)
        weight = made
    return weight


def _unprepared(function: Raw, undo: Raw, numbers: int) -> Raw:
    """The gradient of a prepared weight as the gradient of the weight."""

    def call(x: Array, y: Array, weight: Array) -> None:
        v = _aligned(numbers, weight.dtype)
        function(x, y, v)
        undo(v, weight)

    return call


def _of_packed(function: Raw, pack: Raw, sample: int) -> Raw:
    """The function of a packed gradient of the output as one of that gradient."""

    def call(x: Array, y: Array, weight: Array) -> None:
        packed = _aligned(len(y) * sample, y.dtype).reshape(len(y), sample)
        pack(y, packed)
        function(x, packed, weight)

    return call


def _aligned(numbers: int, dtype: np.dtype[Any]) -> Array:
    """Room for numbers that begins on a cache line."""
    line = 64
    room = np.empty(numbers * dtype.itemsize + line, np.uint8)
    begin = -room.ctypes.data % line
    return room[begin : begin + numbers * dtype.itemsize].view(dtype)


def _plain_function(library: ctypes.CDLL, symbol: str) -> Raw:
    function = _entry_point(library, symbol)
    function.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    return lambda source, target: function(source.ctypes.data, target.ctypes.data)


def raw_function(library: ctypes.CDLL, symbol: str, pointers: int, scratch: int = 0) -> Raw:
    """The C function as one that takes arrays: inputs (a missing bias left out), then output.

    One that needs ``scratch`` numbers for each thread gets them, and the number of threads.
    """
    function = _entry_point(library, symbol)
    with_scratch = [ctypes.c_void_p, ctypes.c_ssize_t] if scratch else []
    function.argtypes = [ctypes.c_ssize_t, *[ctypes.c_void_p] * pointers, *with_scratch]
    threads = _Threads(library)

    def call(*arrays: Array) -> None:
        if os.getpid() != STARTED_BY:
            threads.set(1)
        *inputs, written = (array.ctypes.data for array in arrays)
        missing: list[Any] = [None] * (pointers - len(arrays))
        extra: tuple[int, ...] = ()
        if scratch:
            number = threads.number()
            extra = (_scratch(scratch * number * arrays[0].itemsize), number)
        function(len(arrays[0]), *inputs, *missing, written, *extra)

    return call


_of_this_thread = threading.local()


def _scratch(size: int) -> int:
    """The address of ``size`` bytes that no other thread uses, on a cache line; kept for more."""
    room = getattr(_of_this_thread, "room", None)
    if room is None or room.nbytes < size:
        room = _of_this_thread.room = _aligned(size, np.dtype(np.uint8))
        _of_this_thread.address = room.ctypes.data
    address: int = _of_this_thread.address
    return address


def _entry_point(library: ctypes.CDLL, symbol: str) -> Any:
    try:
        function = library[symbol]
    except AttributeError as error:
        raise CompileError(f"not the library of this kernel: {error}") from None
    function.restype = None
    return function


class _Threads:
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
