"""A CUDA text as machine code, by NVRTC or by nvcc: whatever they warn of is an error."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

STANDARD = "c++17"
ASSEMBLER = ("-v",)  # of ptxas: say what each kernel uses
ENTRY = re.compile(r"Compiling entry function '(\w+)'")
NUMBERS = {
    "stack": re.compile(r"(\d+) bytes stack frame"),
    "stores": re.compile(r"(\d+) bytes spill stores"),
    "loads": re.compile(r"(\d+) bytes spill loads"),
    "registers": re.compile(r"Used (\d+) registers"),
    "shared": re.compile(r"(\d+) bytes smem"),
}
WARNS = re.compile(r"\bwarning\b", re.IGNORECASE)


class RejectedError(Exception):
    """A compiler refused a text or warned of something; the message is what it said."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a thread of a kernel uses, and its static shared memory: registers, else bytes."""

    registers: int = 0
    stack: int = 0
    stores: int = 0  # spilled
    loads: int = 0
    shared: int = 0

    @property
    def local(self) -> int:
        """Bytes of local memory and of spills: 0 where everything stays in registers."""
        return self.stack + self.stores + self.loads


@dataclass(frozen=True, slots=True)
class Compiled:
    """The machine code of a text for one architecture, and what each of its kernels uses."""

    cubin: bytes
    usage: Mapping[str, Usage]


def by_nvrtc(text: str, architecture: str, *, quick: bool = False) -> Compiled:
    """The cubin as a program gets it at run time: RejectedError says what is wrong.

    ``quick``: half the time, without most of the optimiser; what kernels use is then not told.
    """
    from cuda.core import Program, ProgramOptions

    log = io.StringIO()
    options = ProgramOptions(
        name="kernel.cu",
        arch=architecture,
        std=STANDARD,
        **({"ofast_compile": "max"} if quick else {"ptxas_options": list(ASSEMBLER)}),
    )
    try:
        program = Program(text, "c++", options)
        cubin = program.compile("cubin", logs=log).code
    except Exception as error:  # its class is not public
        raise RejectedError(str(error)) from error
    return Compiled(bytes(cubin), _accepted(log.getvalue()))


def nvcc() -> str | None:
    """The compiler driver on PATH."""
    return shutil.which("nvcc")


def by_nvcc(text: str, architecture: str) -> Compiled:
    """The cubin of the compiler driver."""
    with tempfile.TemporaryDirectory() as folder:
        log = _driven(text, Path(folder), ["-cubin", f"-arch={architecture}", "-Xptxas", "-v"])
        return Compiled(Path(folder, "kernel.o").read_bytes(), _accepted(log))


def whole_by_nvcc(text: str, architectures: tuple[str, ...]) -> None:
    """Compile a text with its host functions, as a C++ program would: RejectedError or nothing.

    Without most of the optimiser, where nvcc can do without: NVRTC looks at what it makes.
    """
    codes = [f"-gencode=arch={name.replace('sm', 'compute')},code={name}" for name in architectures]
    host = ["-Xcompiler", "-Wall,-Wextra,-Werror", "-Xptxas", "--warning-as-error"]
    with tempfile.TemporaryDirectory() as folder:
        _accepted(_driven(text, Path(folder), ["-c", *codes, *host, *_quickly()]))


@cache
def _quickly() -> tuple[str, ...]:
    """The words for it, which nvcc before 12.8 does not know."""
    driver = nvcc()
    assert driver is not None
    said = subprocess.run([driver, "--help"], capture_output=True, text=True, check=False).stdout
    return ("--Ofast-compile", "max") if "--Ofast-compile" in said else ("-Xptxas", "-O1")


def _driven(text: str, folder: Path, words: list[str]) -> str:
    """What nvcc says while it writes kernel.o."""
    (folder / "kernel.cu").write_text(text, encoding="utf-8")
    driver = nvcc()
    assert driver is not None
    general = [f"-std={STANDARD}", "-Werror", "all-warnings", "-o", "kernel.o", "kernel.cu"]
    done = subprocess.run([driver, *words, *general], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise RejectedError(done.stdout + done.stderr)
    return done.stdout + done.stderr


def _accepted(log: str) -> dict[str, Usage]:
    """The kernels' usage that ptxas lists, unless something warns."""
    if WARNS.search(log):
        raise RejectedError(log)
    _, *parts = ENTRY.split(log)
    return {name: _usage(part) for name, part in zip(parts[::2], parts[1::2], strict=True)}


def _usage(part: str) -> Usage:
    found = {word: pattern.search(part) for word, pattern in NUMBERS.items()}
    return Usage(**{word: int(match[1]) for word, match in found.items() if match})


@cache
def why_no_nvrtc() -> str:
    """Why NVRTC cannot be used here; empty where it can."""
    try:
        by_nvrtc('extern "C" __global__ void nothing() {}', "sm_80")
    except (ImportError, RejectedError) as error:
        return f"no NVRTC: {error}"
    return ""


needs_nvrtc = pytest.mark.skipif(bool(why_no_nvrtc()), reason=why_no_nvrtc() or "NVRTC is here")
needs_nvcc = pytest.mark.skipif(nvcc() is None, reason="no nvcc on PATH")
