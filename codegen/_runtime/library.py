"""Shared library -> raw functions: ctypes, and the weights prepared as the kernel takes them."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

from .arrays import Array, Raw, address, aligned
from .c_function import CFunction, Threads
from .cache import Job, compile_library
from .compiler import SCALARS, Sources
from .errors import CompileError, WrongKernelError
from .gradient_steps import Addressed, OfPacked, Unprepared
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


@dataclass(frozen=True)
class Takes:
    """What the functions of a library take besides arrays as they come, by direction.

    ``folded`` numbers of a folded weight, for all but the ``unfolded`` directions; ``packed``
    numbers of a weight packed for a direction, or of its gradient, which takes x or y (``packs``)
    packed to ``packed_sample`` numbers for each sample; ``scratch`` numbers for each thread.
    """

    learned: bool = True
    folded: int = 0
    unfolded: tuple[str, ...] = ()
    packed: Mapping[str, int] = field(default_factory=dict)
    packed_sample: int = 0
    packs: str = "y"
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
    entries = {
        d: raw_function(library, f"{name}_{d}", n, takes.scratch.get(d, 0))
        for d, n in pointers.items()
    }
    functions: dict[str, Raw] = {**entries}
    for direction in THROUGH_WEIGHT if takes.learned else ():
        steps = []
        if takes.folded and direction not in takes.unfolded:
            steps.append((_plain_function(library, f"{name}_fold"), takes.folded))
        if numbers := takes.packed.get(direction, 0):
            steps.append((_plain_function(library, f"{name}_pack_{direction}"), numbers))
        if steps:
            functions[direction] = Weighted(functions[direction], partial(_prepared, steps))
    if takes.learned:
        by_weight = _by_weight(library, name, entries["weight_gradient"], takes)
        functions["weight_gradient"] = by_weight
    return functions


def _by_weight(library: ctypes.CDLL, name: str, function: Addressed, takes: Takes) -> Addressed:
    """The weight gradient, of whatever its C function takes packed and gives prepared."""
    if numbers := takes.packed.get("weight_gradient", 0):
        pack = raw_function(library, f"{name}_pack_gradient", 2)
        function = OfPacked(function, pack, takes.packed_sample, takes.packs == "x")
        unpack = _of_two(library, f"{name}_unpack_gradient")
        function = Unprepared(function, unpack, numbers, "unpacked")
    if takes.folded and "weight_gradient" not in takes.unfolded:
        unfold = _of_two(library, f"{name}_unfold")
        function = Unprepared(function, unfold, takes.folded, "unfolded")
    return function


def opened(path: Path) -> ctypes.CDLL:
    """The loaded library; CompileError where the loader or a missing function stops it."""
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise CompileError(f"{path} cannot be loaded: {error}") from None


def _prepared(steps: Sequence[tuple[Raw, int]], weight: Array) -> Array:
    """The weight after each of the steps, which makes so many numbers of it."""
    for function, numbers in steps:
        made = aligned(numbers, weight.dtype)
        function(weight, made)
        weight = made
    return weight


def _of_two(library: ctypes.CDLL, symbol: str) -> Callable[[int, int], None]:
    """The C function from one address to another."""
    function: Callable[[int, int], None] = _entry_point(library, symbol)
    function.argtypes = [ctypes.c_void_p, ctypes.c_void_p]  # type: ignore[attr-defined]
    return function


def _plain_function(library: ctypes.CDLL, symbol: str) -> Raw:
    function = _of_two(library, symbol)
    return lambda source, target: function(address(source), address(target))


def raw_function(library: ctypes.CDLL, symbol: str, pointers: int, scratch: int = 0) -> CFunction:
    """The C function as one that takes arrays: inputs (a missing bias left out), then output.

    One that needs ``scratch`` numbers for each thread gets them, and the number of threads.
    """
    function = _entry_point(library, symbol)
    with_scratch = [ctypes.c_void_p, ctypes.c_ssize_t] if scratch else []
    function.argtypes = [ctypes.c_ssize_t, *[ctypes.c_void_p] * pointers, *with_scratch]
    return CFunction(function, pointers, Threads(library), scratch)


def _entry_point(library: ctypes.CDLL, symbol: str) -> Any:
    try:
        function = library[symbol]
    except AttributeError as error:
        raise CompileError(f"not the library of this kernel: {error}") from None
    function.restype = None
    return function
