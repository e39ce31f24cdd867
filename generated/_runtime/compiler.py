# Copied by `python -m codegen` from codegen/_runtime; edit it there.
"""C text -> shared library: find a compiler, compile once into a cache.

A library's file name is the hash of everything it was made from, and it appears by one rename:
a cache entry is never rewritten and never seen half-written.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .machine import Machine, candidates

SCALARS = {"float32": "float", "float64": "double", "int64": "int64_t"}
Sources = Mapping[str, str]  # file name -> text, one of them a .c file
FLAGS = ("-std=c11", "-O2", "-ftree-vectorize", "-ffp-contract=fast", "-fPIC", "-shared")
OPTIONAL = ("-fvect-cost-model=dynamic", "-fno-predictive-commoning", "-fopenmp")
EMPTY = "int empty;\n"
VECTORS = """
typedef float v __attribute__((vector_size(16)));
void f(float *x, float s) { v *y = (v *)x; *y = __builtin_shufflevector(*y * s, *y, 0, 4, 1, 5); }
"""


class CompileError(RuntimeError):
    """No compiler, or one that refused; the message holds its words."""


@dataclass(frozen=True)
class Compiler:
    """A C compiler with the flags that it and this machine take."""

    command: tuple[str, ...]
    version: str
    flags: tuple[str, ...]
    machine: Machine | None  # None where it has no vector types

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
                return _probed(command)
            except OSError as error:
                raise CompileError(f"{path} does not run: {error}") from None
    raise CompileError(
        f"no C compiler: looked for {', '.join(' '.join(name) for name in names)} on the path. "
        "Install one or set CC; the NumPy kernels need none"
    )


def _probed(command: tuple[str, ...]) -> Compiler:
    """A compiler with the best machine it knows and OpenMP if it has it.

    Contraction to fused multiply-adds is allowed; nothing else may change the arithmetic.
    """
    version = _words([*command, "--version"])
    flags: tuple[str, ...] = FLAGS
    for machine in candidates():  # the last one needs no flags
        if _accepts(command, (*FLAGS, *machine.flags), EMPTY):
            flags = (*FLAGS, *machine.flags)
            break
    for flag in OPTIONAL:
        if _accepts(command, (*flags, flag), EMPTY):
            flags = (*flags, flag)
    return Compiler(command, version, flags, machine if _accepts(command, flags, VECTORS) else None)


def _accepts(command: tuple[str, ...], flags: tuple[str, ...], text: str) -> bool:
    """Whether the compiler makes a library of the text without a word."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "trial.c")
        source.write_text(text)
        trial = [*command, *flags, "-Werror", str(source), "-o", str(Path(folder, "trial.so"))]
        return subprocess.run(trial, capture_output=True, check=False).returncode == 0


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
            publish(compiler, target, path)
    return path


def publish(compiler: Compiler, made: Path, path: Path) -> None:
    """Move a library into the cache by one rename."""
    if not made.exists():
        raise CompileError(f"{compiler.command[0]} made no library, and said nothing")
    os.replace(made, path)


def write_sources(folder: Path, sources: Sources) -> Path:
    """Write the files and return the one to compile."""
    for name, text in sources.items():
        Path(folder, name).write_text(text)
    return next(Path(folder, name) for name in sources if name.endswith(".c"))


def read_sources(face: str) -> dict[str, str]:
    """The C file and header beside a kernel's Python face."""
    files = (Path(face).with_suffix(suffix) for suffix in (".c", ".h"))
    return {file.name: file.read_text() for file in files}
