"""Operator -> kernel that runs: emit, compile into the cache with ninja, load."""

from __future__ import annotations

import shlex
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from types import ModuleType

import ninja

from derive import Composite, LinearMap, Operator
from derive.layers import Layer

from ._runtime import CompileError, Kernel, c_functions
from ._runtime.compiler import (
    SCALARS,
    Compiler,
    Sources,
    find_compiler,
    library_path,
    publish,
    write_sources,
)
from .chain import ChainKernel
from .emit import default_name, emit_numpy
from .error_bound import error_bound
from .errors import LoweringError
from .exactness import integral
from .free import FreeKernel
from .record import checked
from .targets.c import CText, emit

TARGETS = ("numpy", "c")


def build(
    op: LinearMap, target: str = "c", dtype: str = "float32", *, name: str | None = None
) -> Kernel | FreeKernel | ChainKernel:
    """The kernel of an operator: forward, input, weight and bias gradient for one dtype.

    ``target`` is "numpy" or "c"; ``dtype`` float32, float64 or int64 (for exact tests, where no
    weight is a fraction). ``name`` becomes the prefix of the C functions. Compiled libraries are
    kept in a cache; the same operator is not compiled twice. Where the input size of a layer is
    left free, a kernel is specialised for each size that comes. A chain of several learned parts
    is one kernel after the other, and takes a tuple of weights.

    >>> import numpy as np
    >>> from derive import Conv2d
    >>> kernel = build(Conv2d(1, 1, 3, bias=False, input_size=4), target="numpy", dtype="int64")
    >>> kernel(np.ones((1, 4, 4), int), np.ones((1, 1, 3, 3), int))
    array([[[9, 9],
            [9, 9]]])
    """
    if target not in TARGETS:
        raise ValueError(f"target = {target!r}: allowed is one of {', '.join(TARGETS)}")
    if dtype not in SCALARS:
        raise ValueError(f"dtype = {dtype!r}: allowed is one of {', '.join(SCALARS)}")
    if isinstance(op, Layer) and op.sizes is None:
        return FreeKernel(op, lambda layer: build_sized(layer, target, dtype, name))
    if isinstance(op, Composite):
        return ChainKernel([build_sized(part, target, dtype) for part in op.parts])
    if not isinstance(op, Operator):
        raise TypeError(f"op is of type {type(op).__name__}; allowed is an operator of derive")
    return build_sized(op, target, dtype, name)


def build_sized(
    op: Operator, target: str, dtype: str, name: str | None = None, *, portable: bool = False
) -> Kernel:
    """The kernel of an operator of fixed size; a ``portable`` one is the text of generated/."""
    name = default_name(op) if name is None else name
    if dtype == "int64" and not integral(op):
        raise LoweringError(f"dtype = 'int64': allowed is a float, {op!r} weighs by fractions")
    if target == "numpy":
        module = emit_numpy(op, name)
        kernel = numpy_kernel(name, module)
        return _certified(replace(kernel, dtypes=(dtype,), source=module), op, None)
    text = emit(op, name, None if portable else find_compiler().machine, dtype)
    load = c_functions(
        name,
        text.files,
        lambda each, scalar: compile_libraries([(each, scalar)])[0],
        learned=op.learned,
        folded=text.folded,
        packed=text.packed,
        packed_sample=text.packed_sample,
    )
    load(dtype)
    kernel = Kernel(
        name=name,
        input_shape=op.input_shape,
        output_shape=op.output_shape,
        weight_shape=op.weight_shape,
        bias_shape=op.bias_shape,
        macs=op.macs,
        naive_macs=op.naive_macs,
        load=load,
        dtypes=(dtype,),
        source=text.files[f"{name}.c"],
    )
    return _certified(kernel, op, text)


def _certified(kernel: Kernel, op: Operator, text: CText | None) -> Kernel:
    """The kernel with its error bound, and its record, which is made when it is asked for."""
    record = cache(partial(checked, op, kernel, text))
    return replace(kernel, bound=partial(error_bound, op), record=record)


def c_sources(op: Operator, name: str) -> dict[str, str]:
    """The portable C file and its header."""
    return emit(op, name).files


def numpy_kernel(name: str, text: str) -> Kernel:
    """The kernel object of an emitted NumPy module."""
    module = ModuleType(f"codegen.kernels.{name}")
    module.__file__ = f"<{name}.py>"  # beside which there is no record
    module.__package__ = "codegen.kernels"  # where its `.._runtime` is
    exec(compile(text, f"<{name}.py>", "exec"), module.__dict__)
    kernel = module.kernel
    assert isinstance(kernel, Kernel)
    return kernel


def compile_libraries(jobs: Iterable[tuple[Sources, str]]) -> list[Path]:
    """The libraries of (sources, scalar) jobs; those the cache lacks are built side by side."""
    compiler = find_compiler()
    jobs = list(jobs)
    paths = [library_path(compiler, sources, scalar) for sources, scalar in jobs]
    missing = {p: job for p, job in zip(paths, jobs, strict=True) if not p.exists()}
    if missing:
        with tempfile.TemporaryDirectory(dir=paths[0].parent) as folder:
            _run_ninja(compiler, Path(folder), missing)
            for path in missing:
                publish(compiler, Path(folder, path.name), path)
    return paths


def _run_ninja(compiler: Compiler, folder: Path, missing: dict[Path, tuple[Sources, str]]) -> None:
    lines = ["rule cc", "  command = $line", "  description = $out"]
    for path, (sources, scalar) in missing.items():
        inside = folder / path.stem
        inside.mkdir()
        source = write_sources(inside, sources)
        words = compiler.arguments(scalar, str(source), path.name)
        line = shlex.join(words).replace("$", "$$")
        lines += [f"build {path.name}: cc", f"  line = {line}"]
    Path(folder, "build.ninja").write_text("\n".join(lines) + "\n")
    command = [str(Path(ninja.BIN_DIR, "ninja")), "-C", str(folder), "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CompileError(f"{compiler.command[0]} refused a kernel:\n{done.stdout}{done.stderr}")
