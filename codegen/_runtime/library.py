"""Shared library -> raw functions: ctypes, and the weights prepared as the kernel takes them."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from .arrays import Array, Raw
from .cache import Job, compile_library
from .compiler import SCALARS, Sources
from .errors import CompileError, WrongKernelError

# arguments of each entry point after the batch: inputs, then the output; bias may be NULL
DIRECTIONS = {
    "forward": 4,
    "input_gradient": 3,
    "weight_gradient": 3,
    "bias_gradient": 2,
}
WITHOUT_WEIGHT = {"forward": 2, "input_gradient": 2}
STARTED_BY = os.getpid()  # in a process forked from it, OpenMP has lost its threads


def c_functions(
    name: str,
    sources: Sources,
    compile_job: Callable[[Job], Path] = compile_library,
    *,
    test: Callable[[Mapping[str, Raw], str], list[str]] | None = None,
    learned: bool = True,
    folded: int = 0,
    packed: Mapping[str, int] | None = None,
    packed_sample: int = 0,
) -> Callable[[str], Mapping[str, Raw]]:
    """dtype -> the raw functions of kernel ``name``, compiled at first use.

    ``test`` names the functions of a dtype that are wrong, before a library is kept. Where the
    kernel takes a weight of ``folded`` numbers, or one ``packed`` for a direction, the weight is
    prepared for every call.
    """
    functions_of = partial(
        library_functions,
        name,
        learned=learned,
        folded=folded,
        packed=packed or {},
        packed_sample=packed_sample,
    )

    @cache
    def load(dtype: str) -> Mapping[str, Raw]:
        def check(made: Path) -> None:
            if test is not None and (wrong := test(functions_of(made), dtype)):
                raise WrongKernelError(name, wrong)

        return functions_of(compile_job(Job(sources, SCALARS[dtype], check)))

    return load


def library_functions(
    name: str,
    path: Path,
    *,
    learned: bool,
    folded: int,
    packed: Mapping[str, int],
    packed_sample: int,
) -> Mapping[str, Raw]:
    """The raw functions that a library holds of kernel ``name``; see ``c_functions``."""
    library = opened(path)
    pointers = DIRECTIONS if learned else WITHOUT_WEIGHT
    functions = {d: raw_function(library, f"{name}_{d}", n) for d, n in pointers.items()}
    in_lanes = dict(packed)
    if numbers := in_lanes.pop("weight_gradient", 0):
        pack = raw_function(library, f"{name}_pack_gradient", 2)
        by_weight = _of_packed(functions["weight_gradient"], pack, packed_sample)
        unpack = _plain_function(library, f"{name}_unpack_gradient")
        functions["weight_gradient"] = _unprepared(by_weight, unpack, numbers)
    for direction, numbers in in_lanes.items():
        prepare = _plain_function(library, f"{name}_pack_{direction}")
        functions[direction] = _prepared(functions[direction], prepare, numbers)
    if folded:
        fold, unfold = (_plain_function(library, f"{name}_{d}") for d in ("fold", "unfold"))
        for direction in ("forward", "input_gradient"):
            functions[direction] = _prepared(functions[direction], fold, folded)
        by_weight = functions["weight_gradient"]
        functions["weight_gradient"] = _unprepared(by_weight, unfold, folded)
    return functions


def opened(path: Path) -> ctypes.CDLL:
    """The loaded library; CompileError where the loader or a missing function stops it."""
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise CompileError(f"{path} cannot be loaded: {error}") from None


def _prepared(function: Raw, prepare: Raw, numbers: int) -> Raw:
    """The function of a prepared weight as a function of the weight."""

    def call(x: Array, weight: Array, *others: Array) -> None:
        v = _aligned(numbers, weight.dtype)
        prepare(weight, v)
        function(x, v, *others)

    return call


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


def raw_function(library: ctypes.CDLL, symbol: str, pointers: int) -> Raw:
    """The C function as one that takes arrays: inputs (a missing bias left out), then output."""
    function = _entry_point(library, symbol)
    function.argtypes = [ctypes.c_ssize_t, *[ctypes.c_void_p] * pointers]
    set_threads = _set_threads(library)

    def call(*arrays: Array) -> None:
        if os.getpid() != STARTED_BY:
            set_threads(1)
        *inputs, written = (array.ctypes.data for array in arrays)
        missing: list[Any] = [None] * (pointers - len(arrays))
        function(len(arrays[0]), *inputs, *missing, written)

    return call


def _entry_point(library: ctypes.CDLL, symbol: str) -> Any:
    try:
        function = library[symbol]
    except AttributeError as error:
        raise CompileError(f"not the library of this kernel: {error}") from None
    function.restype = None
    return function


def _set_threads(library: ctypes.CDLL) -> Callable[[int], object]:
    """How many threads OpenMP may use from now on in the calling one.

    The threads of a pool do not live on in a forked child: a parallel region there would wait for
    them for ever. With one thread there is no pool.
    """
    try:
        function = library["omp_set_num_threads"]
    except AttributeError:  # built without OpenMP
        return lambda number: None
    function.argtypes, function.restype = [ctypes.c_int], None
    return function
