"""Where a measurement was made: the processor, and the versions of everybody who takes part."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from codegen._runtime.compiler import find_compiler

PACKAGES = ("numpy", "torch", "onnxruntime", "openvino", "ncnn")


def described() -> str:
    """One line, the same on every run of one machine."""
    compiler = find_compiler()
    vectors = compiler.machine.name if compiler.machine else "no vectors"
    parts = [
        f"{_processor()}, {os.cpu_count()} cores",
        f"{compiler.version.splitlines()[0]}, {vectors}",
        f"Python {platform.python_version()}",
        *map(_installed, PACKAGES),
    ]
    return "; ".join(parts)


def _installed(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"no {package}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
