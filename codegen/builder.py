"""Operator -> kernel that runs: emit, compile into the cache with ninja, load."""

from __future__ import annotations

import shlex
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache, lru_cache, partial
from importlib.abc import InspectLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

import ninja

from derive import Composite, LinearMap, Operator
from derive.layers import Layer

from ._runtime import CompileError, Kernel, WrongKernelError
from ._runtime.bounded import SECONDS, OutOfBoundsError, run
from ._runtime.cache import Job, libraries
from ._runtime.compiler import SCALARS, Compiler, find_compiler, write_sources
from ._runtime.folder import cache_folder
from ._runtime.library import library_functions
from ._runtime.machine import Machine
from .acceptance import faults
from .chain import ChainKernel
from .cpu.schedule import Plan, alternatives
from .cuda_builder import CUDA_DTYPES, cuda_kernel
from .emit import default_name, emit_numpy
from .error_bound import bound_of
from .errors import LoweringError
from .exactness import integral
from .free import AnyKernel, FreeKernel
from .lower import lower
from .record import checked
from .targets import facts
from .targets.c import CText, emit
from .tuning import tuned

TARGETS = ("numpy", "c", "cuda")
ALGORITHMS = ("exact", "fast", "auto")


def build(
    op: LinearMap,
    target: str = "c",
    dtype: str = "float32",
    *,
    algorithm: str = "exact",
    name: str | None = None,
) -> AnyKernel | FreeKernel | ChainKernel:
    """The kernel of an operator: forward, input, weight and bias gradient for one dtype.

    ``target`` is "numpy", "c" or "cuda"; ``dtype`` float32, float64, int64 (for exact tests, where
    no weight is a fraction), for CUDA float32, float64, float16 or bfloat16, which are added in
    float32. ``algorithm`` is "exact": sums as they stand, integers stay integers; or
    "fast", for C and floats: functions that are sooner done by a fast algorithm round more, by
    what ``error_bound`` says; or "auto": the fastest of both, timed once on this machine.

    ``name`` becomes the prefix of the C functions. Compiled libraries are kept in a cache; the same
    operator is not compiled twice. Where the input size of a layer is left free, a kernel is
    specialised for each size that comes. A chain of several learned parts is one kernel after the
    other, and takes a tuple of weights.

    >>> import numpy as np
    >>> from derive import Conv2d
    >>> kernel = build(Conv2d(1, 1, 3, bias=False, input_size=4), target="numpy", dtype="int64")
    >>> kernel(np.ones((1, 4, 4), int), np.ones((1, 1, 3, 3), int))
    array([[[9, 9],
            [9, 9]]])
    """
    if target not in TARGETS:
        raise ValueError(f"target = {target!r}: allowed is one of {', '.join(TARGETS)}")
    dtypes = CUDA_DTYPES if target == "cuda" else tuple(SCALARS)
    if dtype not in dtypes:
        raise ValueError(f"dtype = {dtype!r}: allowed is one of {', '.join(dtypes)}")
    if algorithm not in ALGORITHMS:
        raise ValueError(f"algorithm = {algorithm!r}: allowed is one of {', '.join(ALGORITHMS)}")
    if algorithm != "exact" and (target != "c" or dtype == "int64"):
        raise ValueError(
            f"algorithm = {algorithm!r}: allowed for target {target!r} and {dtype} is 'exact'"
        )
    sized = partial(_sized, target=target, dtype=dtype, algorithm=algorithm)
    if isinstance(op, Layer) and op.sizes is None:
        return FreeKernel(op, lambda layer: sized(layer, name=name))
    if isinstance(op, Composite):
        return ChainKernel([sized(part) for part in op.parts], op.parts)
    if not isinstance(op, Operator):
        raise TypeError(f"op is of type {type(op).__name__}; allowed is an operator of derive")
    return sized(op, name=name)


def _sized(
    op: Operator, target: str, dtype: str, name: str | None = None, *, algorithm: str
) -> AnyKernel:
    if target == "cuda":
        return cuda_kernel(op, dtype, default_name(op) if name is None else name)
    return build_sized(op, target, dtype, name, algorithm=algorithm)


def build_sized(
    op: Operator,
    target: str,
    dtype: str,
    name: str | None = None,
    *,
    portable: bool = False,
    algorithm: str = "exact",
) -> Kernel:
    """The kernel of an operator of fixed size; a ``portable`` one is the text of generated/.

    It serves, with a warning, where the compiler makes a wrong kernel of a scheduled text.
    """
    name = default_name(op) if name is None else name
    if dtype == "int64" and not integral(op):
        raise LoweringError(f"dtype = 'int64': allowed is a float, {op!r} weighs by fractions")
    if target == "numpy":
        module = emit_numpy(op, name)
        kernel = numpy_kernel(name, module)
        return _certified(replace(kernel, dtypes=(dtype,), source=module), op, None)
    machine = None if portable else find_compiler().machine
    text = _text(op, name, machine, dtype, algorithm)
    try:
        (kernel,) = _compiled(op, name, dtype, [text])
    except WrongKernelError as error:
        if portable:
            raise
        warnings.warn(f"{error}; the portable text serves, slower", RuntimeWarning, stacklevel=2)
        return build_sized(op, target, dtype, name, portable=True)
    return _certified(kernel, op, text)


@lru_cache(maxsize=256)
def _text(op: Operator, name: str, machine: Machine | None, dtype: str, algorithm: str) -> CText:
    """The text of an operator; that of "auto" from what this machine computes fastest."""
    if algorithm != "auto" or not op.learned:
        return emit(op, name, machine, dtype, algorithm)

    def kernels(plans: Sequence[Plan]) -> list[Kernel]:
        texts = [emit(op, name, machine, dtype, plan=plan) for plan in plans]
        return _compiled(op, name, dtype, texts)

    plans = alternatives(op, lower(op.form), machine, dtype)
    best = tuned(plans, dtype, find_compiler(), cache_folder(), kernels)
    return emit(op, name, machine, dtype, plan=best)


def _compiled(op: Operator, name: str, dtype: str, texts: Sequence[CText]) -> list[Kernel]:
    """The kernels of several texts of an operator, compiled side by side."""
    made = [c_job(op, name, dtype, text) for text in texts]
    paths = compile_libraries([job for job, _ in made])
    return [loaded(path) for (_, loaded), path in zip(made, paths, strict=True)]


def _certified(kernel: Kernel, op: Operator, text: CText | None) -> Kernel:
    """The kernel with its error bound, and its record, which is made when it is asked for."""
    record = cache(partial(checked, op, kernel, text))
    return replace(kernel, bound=bound_of(op, {} if text is None else text.fast), record=record)


def c_job(op: Operator, name: str, dtype: str, text: CText) -> tuple[Job, Callable[[Path], Kernel]]:
    """The library to make of a text, and the kernel that a made one holds."""

    def loaded(library: Path) -> Kernel:
        functions = library_functions(name, library, text.takes)
        return Kernel(
            **facts(op, name),
            load=lambda _: functions,
            dtypes=(dtype,),
            source=text.files[f"{name}.c"],
            bound=bound_of(op, text.fast, in_order=False),
            fast=tuple(text.fast),
        )

    def check(library: Path) -> None:
        if wrong := faults(loaded(library), op, text.fast):
            raise WrongKernelError(name, wrong)

    return Job(text.files, SCALARS[dtype], check), loaded


def c_sources(op: Operator, name: str) -> dict[str, str]:
    """The portable C file and its header."""
    return emit(op, name).files


class _Text(InspectLoader):
    """Imports a module from the text that was emitted for it."""

    def __init__(self, text: str) -> None:
        self.text = text

    def get_source(self, fullname: str) -> str:
        return self.text


def numpy_kernel(name: str, text: str) -> Kernel:
    """The kernel object of an emitted NumPy module."""
    spec = spec_from_loader(f"codegen.kernels.{name}", _Text(text))  # where its `.._runtime` is
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    module.__file__ = f"<{name}.py>"  # beside which there is no record
    spec.loader.exec_module(module)
    kernel = module.kernel
    assert isinstance(kernel, Kernel)
    return kernel


def compile_libraries(jobs: Iterable[Job]) -> list[Path]:
    """The libraries of the jobs; those the cache lacks are built side by side."""
    return libraries(find_compiler(), jobs, _run_ninja)


def _run_ninja(compiler: Compiler, folder: Path, missing: Mapping[str, Job]) -> None:
    lines = ["rule cc", "  command = $line", "  description = $out"]
    for key, job in missing.items():
        inside = folder / key
        inside.mkdir()
        source = write_sources(inside, job.sources)
        line = shlex.join(compiler.arguments(job.scalar, str(source), f"{key}.so"))
        lines += [f"build {key}.so: cc", f"  line = {line.replace('$', '$$')}"]
    Path(folder, "build.ninja").write_text("\n".join(lines) + "\n")
    seconds = SECONDS * len(missing)
    try:
        done = run([str(Path(ninja.BIN_DIR, "ninja")), "-C", str(folder), "--quiet"], seconds)
    except OutOfBoundsError as error:
        raise CompileError(str(error)) from None
    if done.returncode:
        raise CompileError(f"{compiler.command[0]} refused a kernel:\n{done.stdout}{done.stderr}")
