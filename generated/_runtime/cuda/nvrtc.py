# Copied by `python -m codegen` from codegen/_runtime; edit it there.
"""CUDA text -> cubin: NVRTC through cuda-core, kept in the cache like libraries of C."""

from __future__ import annotations

import contextlib
import hashlib
import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as package_version
from pathlib import Path
from typing import ClassVar

from ..cache import Job, libraries
from ..compiler import Sources
from ..errors import CompileError, DeviceError
from .extra import imported
from .program import Program

CUDA_RUNTIME = "cuda 1"  # changes with what an entry holds and with how a cubin is launched
CUBIN = ".cubin"
ARCHITECTURE = re.compile(r"sm_(\d+)")
STANDARD = "c++17"


@dataclass(frozen=True)
class Nvrtc:
    """NVRTC for one architecture."""

    version: str
    abi: str  # the architecture: cubins depend on nothing else of a machine
    name: ClassVar[str] = "NVRTC"
    features: ClassVar[frozenset[str]] = frozenset()
    runtime: ClassVar[str] = CUDA_RUNTIME
    suffix: ClassVar[str] = CUBIN

    def key(self, sources: Sources, scalar: str) -> str:
        """The hash of everything the cubin is made from."""
        texts = (part for item in sorted(sources.items()) for part in item)
        parts = (self.runtime, self.version, self.abi, STANDARD, scalar, *texts)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]

    def compiled(self, text: str, name: str) -> bytes:
        """The cubin of a text; CompileError, with what NVRTC said, where it refuses."""
        core, log = imported("cuda.core"), io.StringIO()
        options = core.ProgramOptions(name=name, arch=self.abi, std=STANDARD)
        try:
            made = core.Program(text, "c++", options).compile("cubin", logs=log)
        except Exception as error:  # its class is not public
            raise CompileError(f"NVRTC refused {name} for {self.abi}:\n{error}") from None
        return bytes(made.code)


def cubin(program: Program, architecture: str, check: Callable[[Path], None] | None = None) -> Path:
    """The cubin of a program for an architecture, made if the cache does not have it.

    ``check`` raises where a made one is wrong: it is not kept then.
    """
    job = Job({f"{program.name}.cu": program.source}, program.dtype, check)
    return libraries(Nvrtc(version(), architecture), [job], _make)[0]


def _make(nvrtc: Nvrtc, folder: Path, jobs: Mapping[str, Job]) -> None:
    for key, job in jobs.items():
        ((name, text),) = job.sources.items()
        (folder / f"{key}{CUBIN}").write_bytes(nvrtc.compiled(text, name))


@cache
def version() -> str:
    """That of NVRTC and of its package; CompileError where it cannot be loaded."""
    try:
        status, major, minor = imported("cuda.bindings.nvrtc").nvrtcVersion()
    except DeviceError as error:
        raise CompileError(str(error)) from None
    except Exception as error:  # the loader's, of no public class
        raise CompileError(f"NVRTC cannot be loaded: {error}") from None
    if int(status):
        raise CompileError(f"NVRTC does not work: {status.name}")
    with contextlib.suppress(PackageNotFoundError):
        return f"{major}.{minor}, package {package_version('nvidia-cuda-nvrtc')}"
    return f"{major}.{minor}"


@cache
def architectures() -> tuple[int, ...]:
    """The compute capabilities that NVRTC compiles for, such as 75 and 120, ascending."""
    version()
    status, *found = imported("cuda.bindings.nvrtc").nvrtcGetSupportedArchs()
    if int(status):
        raise CompileError(f"NVRTC does not work: {status.name}")
    return tuple(sorted(found[0]))


def architecture_for(capability: int) -> str:
    """The best architecture that runs on a device: of its own generation, and no newer.

    CompileError where NVRTC knows none.
    """
    known = [each for each in architectures() if each <= capability < each // 10 * 10 + 10]
    if not known:
        words = ", ".join(f"sm_{each}" for each in architectures())
        raise CompileError(
            f"NVRTC {version()} compiles for {words}, not for sm_{capability}: "
            "pip install --upgrade nvidia-cuda-nvrtc"
        )
    return f"sm_{known[-1]}"


def number(architecture: str) -> int:
    """75 of "sm_75"; ValueError where it is no architecture.

    >>> number("sm_120")
    120
    """
    found = ARCHITECTURE.fullmatch(architecture)
    if found is None:
        raise ValueError(f"architecture = {architecture!r}: allowed is one such as sm_75")
    return int(found[1])
