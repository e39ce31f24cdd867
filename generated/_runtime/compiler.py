# Copied by `python -m codegen` from codegen/_runtime; edit it there.
"""A C compiler: which one, how it is called for this machine, and what its results depend on."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import struct
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

from .bounded import OutOfBoundsError, run
from .command import commands
from .errors import CompileError
from .machine import Machine, candidates, missing, needed

SCALARS = {"float32": "float", "float64": "double", "int64": "int64_t"}
Sources = Mapping[str, str]  # file name -> text, one of them a .c file
FLAGS = ("-std=c11", "-O2", "-ftree-vectorize", "-ffp-contract=fast", "-fPIC", "-shared")
OPTIONAL = ("-fvect-cost-model=dynamic", "-fno-predictive-commoning", "-fopenmp")
EMPTY = "int empty;\n"
VECTORS = """
typedef float v __attribute__((vector_size(16)));
void f(float *x, float s) { v *y = (v *)x; *y = __builtin_shufflevector(*y * s, *y, 0, 4, 1, 5); }
"""
RUNTIME = "2"  # changes with what a cache entry holds and with how a library is called
ABI = f"{sys.platform} {platform.machine()} {8 * struct.calcsize('P')} bits {sys.byteorder} endian"
TRIAL_SECONDS = 30


@dataclass(frozen=True)
class Compiler:
    """A C compiler with the flags that it and this machine take."""

    command: tuple[str, ...]
    version: str
    flags: tuple[str, ...]
    machine: Machine | None  # None where it has no vector types
    features: frozenset[str] = frozenset()  # of the processor, that its code needs
    runtime: ClassVar[str] = RUNTIME
    abi: ClassVar[str] = ABI
    suffix: ClassVar[str] = ".so"

    @property
    def name(self) -> str:
        """The program."""
        return self.command[0]

    def arguments(self, scalar: str, source: str, target: str) -> list[str]:
        """The command line that makes the shared library ``target`` of one scalar type."""
        return [*self.command, *self.flags, f"-DSCALAR={scalar}", source, "-o", target]

    def key(self, sources: Sources, scalar: str) -> str:
        """The hash of everything the library is made from."""
        texts = (part for item in sorted(sources.items()) for part in item)
        program = os.path.realpath(self.command[0])
        made_by = (RUNTIME, ABI, program, self.version, *sorted(self.features))
        parts = (*made_by, *self.arguments(scalar, "", ""), *texts)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


@cache
def find_compiler() -> Compiler:
    """$CC, else cc, gcc or clang from the path; CompileError where there is none."""
    names = commands()
    for name in names:
        path = shutil.which(name[0])
        if path is not None:
            try:
                return _probed((path, *name[1:]))
            except (OSError, OutOfBoundsError) as error:
                raise CompileError(f"{path} does not run: {error}") from None
    raise CompileError(
        f"no C compiler: looked for {', '.join(' '.join(name) for name in names)} on the path. "
        "Install one or set CC; the NumPy kernels need none"
    )


def _probed(command: tuple[str, ...]) -> Compiler:
    """A compiler with the best machine it knows and OpenMP if it has it.

    Contraction to fused multiply-adds is allowed; nothing else may change the arithmetic.
    """
    done = run([*command, "--version"], TRIAL_SECONDS)
    flags: tuple[str, ...] = FLAGS
    for machine in candidates():  # the last one needs no flags
        if _accepts(command, (*FLAGS, *machine.flags), EMPTY):
            flags = (*FLAGS, *machine.flags)
            break
    for flag in OPTIONAL:
        if _accepts(command, (*flags, flag), EMPTY):
            flags = (*flags, flag)
    features = _features(command, flags)
    if lacking := missing(features):
        raise CompileError(
            f"{' '.join(command)} makes code for {', '.join(lacking)}, which this processor lacks; "
            "take the flag for it out of CC"
        )
    vectors = _accepts(command, flags, VECTORS)
    version = done.stdout + done.stderr
    return Compiler(command, version, flags, machine if vectors else None, features)


def _features(command: tuple[str, ...], flags: tuple[str, ...]) -> frozenset[str]:
    """What the code of these flags asks of a processor, as the compiler itself defines it."""
    arguments = [*command, *flags, "-dM", "-E", "-x", "c", os.devnull]
    return needed(run(arguments, TRIAL_SECONDS).stdout)


def _accepts(command: tuple[str, ...], flags: tuple[str, ...], text: str) -> bool:
    """Whether the compiler makes a library of the text without a word."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "trial.c")
        source.write_text(text)
        trial = [*command, *flags, "-Werror", str(source), "-o", str(Path(folder, "trial.so"))]
        return run(trial, TRIAL_SECONDS).returncode == 0


def write_sources(folder: Path, sources: Sources) -> Path:
    """Write the files and return the one to compile."""
    for name, text in sources.items():
        Path(folder, name).write_text(text)
    return next(Path(folder, name) for name in sources if name.endswith(".c"))


def read_sources(face: str) -> dict[str, str]:
    """The C file and header beside a kernel's Python face."""
    files = (Path(face).with_suffix(suffix) for suffix in (".c", ".h"))
    return {file.name: file.read_text() for file in files}
