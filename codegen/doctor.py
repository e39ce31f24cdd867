"""What this machine has to build kernels with."""

from __future__ import annotations

import ctypes.util
import importlib.metadata
import platform
import shutil
from collections.abc import Mapping

from ._runtime import CompileError
from ._runtime.compiler import find_compiler
from ._runtime.folder import cache_folder
from ._runtime.machine import candidates
from .stored import stored

PACKAGES = ("numpy", "scipy", "sympy", "jinja2", "click", "ninja", "torch", "z3-solver")
TROUBLE = "trouble: "


def facts() -> dict[str, str]:
    """What there is, each in one line; what is wrong begins with ``TROUBLE``."""
    return {
        "python": f"{platform.python_version()} {platform.machine()} {platform.system()}",
        **{package: _version(package) for package in PACKAGES},
        "instruction set": candidates()[0].name,
        **_compiler(),
        "cuda": _cuda(),
        "cache": _cache(),
    }


def troubles(found: Mapping[str, str]) -> list[str]:
    """What is wrong, from the facts."""
    wrong = {what: value for what, value in found.items() if value.startswith(TROUBLE)}
    return [f"{what}: {value.removeprefix(TROUBLE)}" for what, value in wrong.items()]


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _compiler() -> dict[str, str]:
    try:
        found = find_compiler()
    except CompileError as error:
        return {"compiler": f"{TROUBLE}{error}"}
    first = found.version.partition("\n")[0]
    return {
        "compiler": f"{' '.join(found.command)}: {first}",
        "flags": " ".join(found.flags),
        "vectors": "no" if found.machine is None else f"{found.machine.vector_bytes} bytes",
        "openmp": "yes" if "-fopenmp" in found.flags else "no",
    }


def _cuda() -> str:
    compiler, driver = shutil.which("nvcc"), ctypes.util.find_library("cuda")
    return f"nvcc {compiler or 'not found'}, driver {driver or 'not found'}"


def _cache() -> str:
    try:
        found = stored()
        folder = cache_folder()
    except (CompileError, OSError) as error:
        return f"{TROUBLE}{error}"
    damaged = sum(not each.sound for each in found)
    words = f"{folder}, {len(found)} libraries, {sum(each.size for each in found):,} bytes"
    if damaged:
        return f"{TROUBLE}{words}, {damaged} damaged: `python -m codegen cache clear`"
    return words
