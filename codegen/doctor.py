"""What this machine has to build kernels with."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Callable, Mapping

from ._runtime import CompileError
from ._runtime.compiler import find_compiler
from ._runtime.cuda import driver, nvrtc
from ._runtime.cuda.gpu import DEVICES
from ._runtime.errors import DeviceError
from ._runtime.folder import cache_folder
from ._runtime.machine import candidates
from .stored import stored

PACKAGES = ("numpy", "scipy", "sympy", "jinja2", "click", "ninja", "torch", "z3-solver")
CUDA_PACKAGES = ("cuda-core", "cuda-bindings", "nvidia-cuda-nvrtc")
TROUBLE = "trouble: "


def facts() -> dict[str, str]:
    """What there is, each in one line; what is wrong begins with ``TROUBLE``."""
    return {
        "python": f"{platform.python_version()} {platform.machine()} {platform.system()}",
        **{package: _version(package) for package in PACKAGES},
        "instruction set": candidates()[0].name,
        **_compiler(),
        **_cuda(),
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


def _cuda() -> dict[str, str]:
    """What CUDA kernels need; that there is none is no trouble."""
    packages = [f"{package} {_version(package)}" for package in CUDA_PACKAGES]
    return {
        "cuda": ", ".join(packages),
        "nvrtc": _said(nvrtc.version),
        "cuda driver": _said(lambda: f"for CUDA {driver.version()}"),
        "gpus": _said(_gpus),
    }


def _gpus() -> str:
    devices = [DEVICES.at(ordinal) for ordinal in range(driver.count())]
    return "; ".join(f"{device}, sm_{device.capability}" for device in devices) or "none"


def _said(ask: Callable[[], str]) -> str:
    """An answer, or why there is none."""
    try:
        return ask()
    except (CompileError, DeviceError) as error:
        return str(error).partition("\n")[0]


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
