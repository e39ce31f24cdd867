"""Many C kernels in one library, so that a compiler starts once for fifty of them."""

from __future__ import annotations

import ctypes
import dataclasses
import mmap
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from codegen import Kernel
from codegen._runtime import CompileError
from codegen._runtime.compiler import SCALARS, Compiler, find_compiler
from codegen._runtime.library import DIRECTIONS, WITHOUT_WEIGHT, c_functions, raw_function
from codegen._runtime.machine import Machine
from codegen.error_bound import bound_of
from codegen.targets.c import CText, emit
from derive import Operator
from tests.codegen.judge import Raw, unwritten

Array = NDArray[Any]

PROT_NONE = 0
_libc = ctypes.CDLL(None)


def has_compiler() -> bool:
    try:
        find_compiler()
    except CompileError:
        return False
    return True


needs_compiler = pytest.mark.skipif(not has_compiler(), reason="no C compiler")


@lru_cache(maxsize=200)
def _text(op: Operator, name: str) -> CText:
    """The portable text, emitted once for all dtypes."""
    return emit(op, name)


def compiled_together(
    folder: Path,
    ops: Mapping[str, Operator],
    dtype: str,
    *,
    optimised: bool = False,
    place: Callable[[Array], Array] = np.copy,
) -> dict[str, Raw]:
    """The raw functions of each named operator, from one compilation of all their files.

    Unless ``optimised`` the usual flags are followed by -O0 and floats do without OpenMP, which
    takes a tenth of the time. ``place`` puts the folded weight of the kernels that have one
    somewhere.
    """
    for name, op in ops.items():
        for file, text in _text(op, name).files.items():
            (folder / file).write_text(text)
    whole = folder / "whole.c"
    whole.write_text("".join(f'#include "{name}.c"\n' for name in ops))
    compiler = find_compiler()
    target = folder / f"{dtype}.so"
    words = compiler.arguments(SCALARS[dtype], str(whole), str(target))
    if not optimised:
        left_out = "-fopenmp" if dtype != "int64" else None
        words = [*(word for word in words if word != left_out), "-O0"]
    subprocess.run(words, check=True)
    library = ctypes.CDLL(str(target))
    return {name: _functions(library, name, op, place) for name, op in ops.items()}


def _functions(
    library: ctypes.CDLL, name: str, op: Operator, place: Callable[[Array], Array]
) -> Raw:
    """Of the weight itself, whether the kernel folds it or not."""
    pointers = DIRECTIONS if op.learned else WITHOUT_WEIGHT
    raw = {d: raw_function(library, f"{name}_{d}", n) for d, n in pointers.items()}
    numbers = _text(op, name).takes.folded
    if not numbers:
        return raw
    fold, unfold = (library[f"{name}_{direction}"] for direction in ("fold", "unfold"))
    fold.argtypes = unfold.argtypes = [ctypes.c_void_p] * 2

    def through_folded(direction: str) -> Callable[..., None]:
        def call(x: Array, weight: Array, *others: Array) -> None:
            folded = place(unwritten((numbers,), str(x.dtype)))
            fold(weight.ctypes.data, folded.ctypes.data)
            raw[direction](x, folded, *others)

        return call

    def weight_gradient(x: Array, y: Array, weight: Array) -> None:
        folded = place(unwritten((numbers,), str(x.dtype)))
        raw["weight_gradient"](x, y, folded)
        unfold(folded.ctypes.data, weight.ctypes.data)

    directions = "forward", "input_gradient"
    return {
        **raw,
        **{direction: through_folded(direction) for direction in directions},
        "weight_gradient": weight_gradient,
    }


def lane_compiler(machine: Machine | None) -> Compiler:
    """The compiler with the flags of another machine that this one includes."""
    found = find_compiler()
    own = () if found.machine is None else found.machine.flags
    flags = tuple(flag for flag in found.flags if flag not in own)
    if machine is not None:
        flags = (*flags, *machine.flags)
    return dataclasses.replace(found, flags=flags, machine=machine)


def kernels_for(
    folder: Path,
    ops: Sequence[Operator],
    machine: Machine | None,
    dtype: str,
    algorithm: str = "exact",
    *,
    optimised: bool = False,
) -> Iterator[tuple[Kernel, Operator]]:
    """Kernels for a machine that this one includes, or portable, all from one compilation."""
    texts = [emit(op, f"op{i}", machine, dtype, algorithm) for i, op in enumerate(ops)]
    yield from kernels_of(folder, ops, texts, machine, dtype, optimised=optimised)


def kernels_of(
    folder: Path,
    ops: Sequence[Operator],
    texts: Sequence[CText],
    machine: Machine | None,
    dtype: str,
    *,
    optimised: bool = False,
) -> Iterator[tuple[Kernel, Operator]]:
    """The kernels of texts that were emitted as op0, op1 and so on."""
    for text in texts:
        for name, lines in text.files.items():
            (folder / name).write_text(lines)
    whole, made = folder / "whole.c", folder / f"{dtype}.so"
    whole.write_text("".join(f'#include "op{i}.c"\n' for i in range(len(ops))))
    words = lane_compiler(machine).arguments(SCALARS[dtype], str(whole), str(made))
    level = "-O2" if optimised else "-O0"
    subprocess.run([level if word == "-O2" else word for word in words], check=True)
    ctypes.CDLL(str(made))
    for i, (op, text) in enumerate(zip(ops, texts, strict=True)):
        load = c_functions(f"op{i}", text.files, lambda job: made, takes=text.takes)
        yield (
            Kernel(
                name=f"op{i}",
                input_shape=op.input_shape,
                output_shape=op.output_shape,
                weight_shape=op.weight_shape,
                bias_shape=op.bias_shape,
                macs=op.macs,
                naive_macs=op.naive_macs,
                load=load,
                dtypes=(dtype,),
                bound=bound_of(op, text.fast),
                fast=tuple(text.fast),
            ),
            op,
        )


def at_a_guard(array: Array, *, before: bool) -> Array:
    """A copy that begins right behind, or ends right before, a page that nobody may touch.

    A kernel that reads or writes outside dies there, whatever the compiler made of it.
    """
    page = mmap.PAGESIZE
    room = -(-array.nbytes // page) * page
    memory = mmap.mmap(-1, room + 2 * page)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for at in (address, address + page + room):
        if _libc.mprotect(ctypes.c_void_p(at), ctypes.c_size_t(page), PROT_NONE):
            raise OSError("mprotect refused")
    offset = page if before else page + room - array.nbytes
    copy: Array = np.ndarray(array.shape, array.dtype, memory, offset)
    copy[...] = array
    return copy
