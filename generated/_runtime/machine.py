# Copied by `python -m codegen` from codegen/_runtime; edit it there.
"""The few numbers of a machine that schedules are computed from, and how to compile for it."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Machine:
    """Vector registers: how many, and how many bytes each; the compiler flags that use them."""

    name: str
    registers: int
    vector_bytes: int
    features: frozenset[str]
    flags: tuple[str, ...]


V3 = frozenset({"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe"})
V4 = V3 | {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}
X86 = (
    Machine("x86-64-v4", 32, 64, V4, ("-march=x86-64-v4", "-mprefer-vector-width=512")),
    Machine("x86-64-v3", 16, 32, V3, ("-march=x86-64-v3",)),
    Machine("x86-64", 16, 16, frozenset(), ()),
)
ARM = (Machine("aarch64", 32, 16, frozenset(), ()),)
OTHER = (Machine("other", 16, 16, frozenset(), ()),)


def candidates() -> tuple[Machine, ...]:
    """What this machine is, the best first; a compiler may know only a later one."""
    kind = platform.machine().lower()
    if kind in ("x86_64", "amd64"):
        features = _cpu_features()
        return tuple(machine for machine in X86 if machine.features <= features)
    return ARM if kind in ("aarch64", "arm64") else OTHER


def _cpu_features() -> set[str]:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return set()
    lines = (line for line in text.splitlines() if line.startswith("flags"))
    return set(next(lines, "").split())
