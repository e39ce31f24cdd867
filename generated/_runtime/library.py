# Copied by `python -m codegen` from codegen/_runtime; edit it there.
"""C text -> loaded functions: find a compiler, compile once into a cache, call by ctypes.

A library's file name is the hash of everything it was made from, and it appears by one rename:
a cache entry is never rewritten and never seen half-written.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from .arrays import Array

SCALARS = {"float32": "float", "float64": "double", "int64": "int64_t"}
# arguments of each entry point after the batch: inputs, then the output; bias may be NULL
DIRECTIONS = {
    "forward": 4,
    "input_gradient": 3,
    "weight_gradient": 3,
    "bias_gradient": 2,
}
WITHOUT_WEIGHT = {"forward": 2, "input_gradient": 2}
Sources = Mapping[str, str]  # file name -> text, one of them a .c file
V3_FEATURES = {"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe"}


class CompileError(RuntimeError):
    """No compiler, or one that refused; the message holds its words."""


@dataclass(frozen=True)
class Compiler:
    """A C compiler with the flags that it and this machine take."""

    command: tuple[str, ...]
    version: str
    flags: tuple[str, ...]

    def arguments(self, scalar: str, source: str, target: str) -> list[str]:
        """The command line that makes the shared library ``target`` of one scalar type."""
        return [*self.command, *self.flags, f"-DSCALAR={scalar}", source, "-o", target]

    def key(self, sources: Sources, scalar: str) -> str:
        """The hash of everything the library is made from."""
        texts = (part for item in sorted(sources.items()) for part in item)
        parts = (*self.arguments(scalar, "", ""), self.version, *texts)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


@cache
def find_compiler() -> Compiler:
    """$CC, else cc, gcc or clang from the path; CompileError where there is none."""
    names = [["cc"], ["gcc"], ["clang"]]
    try:
        wanted = shlex.split(os.environ.get("CC", ""))
    except ValueError as error:
        raise CompileError(f"CC = {os.environ['CC']!r}: {error}") from None
    if wanted:
        names = [wanted]
    for name in names:
        path = shutil.which(name[0])
        if path is not None:
            command = (path, *name[1:])
            try:
                return Compiler(command, _words([*command, "--version"]), _flags(command))
            except OSError as error:
                raise CompileError(f"{path} does not run: {error}") from None
    raise CompileError(
        f"no C compiler: looked for {', '.join(' '.join(name) for name in names)} on the path. "
        "Install one or set CC; the NumPy kernels need none"
    )


def _flags(command: tuple[str, ...]) -> tuple[str, ...]:
    """Portable x86-64-v3 where this processor has it, OpenMP where the compiler has it.

    Contraction to fused multiply-adds is allowed; nothing else may change the arithmetic.
    """
    flags = ["-std=c11", "-O3", "-ffp-contract=fast", "-fPIC", "-shared"]
    optional = ["-fopenmp"]
    if platform.machine() in ("x86_64", "AMD64") and _cpu_features() >= V3_FEATURES:
        optional.append("-march=x86-64-v3")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "empty.c")
        source.write_text("int empty;\n")
        for flag in optional:
            trial = [*command, *flags, flag, str(source), "-o", str(Path(folder, "empty.so"))]
            if subprocess.run(trial, capture_output=True, check=False).returncode == 0:
                flags.append(flag)
    return tuple(flags)


def _cpu_features() -> set[str]:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return set()
    lines = (line for line in text.splitlines() if line.startswith("flags"))
    return set(next(lines, "").split())


def _words(arguments: list[str]) -> str:
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def cache_folder() -> Path:
    """$EXACTCONV_CACHE, else exactconv in the user's cache folder; private to the user."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(os.environ.get("EXACTCONV_CACHE") or Path(base, "exactconv"))
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CompileError(f"no cache for libraries: {error}; set EXACTCONV_CACHE") from None
    return folder


def library_path(compiler: Compiler, sources: Sources, scalar: str) -> Path:
    """Where the library of these sources and scalar type is, or will be."""
    return cache_folder() / f"{compiler.key(sources, scalar)}.so"


def compile_library(sources: Sources, scalar: str) -> Path:
    """The compiled library of one kernel's files, made if the cache does not have it."""
    compiler = find_compiler()
    path = library_path(compiler, sources, scalar)
    if not path.exists():
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            source, target = write_sources(Path(folder), sources), Path(folder, path.name)
            done = subprocess.run(
                compiler.arguments(scalar, str(source), str(target)),
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                raise CompileError(f"{compiler.command[0]} refused {source.name}:\n{done.stderr}")
            os.replace(target, path)
    return path


def write_sources(folder: Path, sources: Sources) -> Path:
    """Write the files and return the one to compile."""
    for name, text in sources.items():
        Path(folder, name).write_text(text)
    return next(Path(folder, name) for name in sources if name.endswith(".c"))


def read_sources(face: str) -> dict[str, str]:
    """The C file and header beside a kernel's Python face."""
    files = (Path(face).with_suffix(suffix) for suffix in (".c", ".h"))
    return {file.name: file.read_text() for file in files}


def c_functions(
    name: str,
    sources: Sources,
    compile_sources: Callable[[Sources, str], Path] = compile_library,
    *,
    learned: bool = True,
    folded: int = 0,
) -> Callable[[str], Mapping[str, Callable[..., None]]]:
    """dtype -> the raw functions of kernel ``name``, compiled at first use.

    Where the kernel takes a weight of ``folded`` numbers, it is folded for every call.
    """

    @cache
    def load(dtype: str) -> Mapping[str, Callable[..., None]]:
        library = ctypes.CDLL(str(compile_sources(sources, SCALARS[dtype])))
        pointers = DIRECTIONS if learned else WITHOUT_WEIGHT
        functions = {d: raw_function(library, f"{name}_{d}", n) for d, n in pointers.items()}
        return folding(library, name, folded, functions) if folded else functions

    return load


def folding(
    library: ctypes.CDLL, name: str, numbers: int, functions: Mapping[str, Callable[..., None]]
) -> Mapping[str, Callable[..., None]]:
    """The functions of a kernel of folded weights as functions of the weight itself."""
    fold, unfold = (_plain_function(library, f"{name}_{d}") for d in ("fold", "unfold"))

    def of_folded(function: Callable[..., None]) -> Callable[..., None]:
        def call(x: Array, weight: Array, *others: Array) -> None:
            v = np.empty(numbers, weight.dtype)
            fold(weight, v)
            function(x, v, *others)

        return call

    def weight_gradient(x: Array, y: Array, weight: Array) -> None:
        v = np.empty(numbers, weight.dtype)
        functions["weight_gradient"](x, y, v)
        unfold(v, weight)

    return {
        **functions,
        "forward": of_folded(functions["forward"]),
        "input_gradient": of_folded(functions["input_gradient"]),
        "weight_gradient": weight_gradient,
    }


def _plain_function(library: ctypes.CDLL, symbol: str) -> Callable[[Array, Array], None]:
    function = library[symbol]
    function.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    function.restype = None
    return lambda source, target: function(source.ctypes.data, target.ctypes.data)


def raw_function(library: ctypes.CDLL, symbol: str, pointers: int) -> Callable[..., None]:
    """The C function as one that takes arrays: inputs (a missing bias left out), then output."""
    function = library[symbol]
    function.argtypes = [ctypes.c_ssize_t, *[ctypes.c_void_p] * pointers]
    function.restype = None

    def call(*arrays: Array) -> None:
        *inputs, written = (array.ctypes.data for array in arrays)
        missing: list[Any] = [None] * (pointers - len(arrays))
        function(len(arrays[0]), *inputs, *missing, written)

    return call
