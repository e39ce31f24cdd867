"""The few numbers of a machine that schedules are computed from, and how to compile for it."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path


@dataclass(frozen=True)
class Machine:
    """Vector registers: how many, and how many bytes each; the compiler flags that use them."""

    name: str
    registers: int
    vector_bytes: int
    features: frozenset[str]
    flags: tuple[str, ...]
    l2: int = 1 << 19  # bytes of the cache that a core has for itself
    l3: int = 1 << 23  # of the one that cores share


V3 = frozenset({"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe"})
V4 = V3 | {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}
# macros of GCC and clang, and what /proc/cpuinfo calls the same
MACROS = {
    "__SSE3__": "pni",
    "__SSE4A__": "sse4a",
    "__LZCNT__": "abm",
    "__BMI__": "bmi1",
    "__SHA__": "sha_ni",
    "__AVXVNNI__": "avx_vnni",
    "__AVX512IFMA__": "avx512ifma",
    "__AVX512VBMI__": "avx512vbmi",
    **{
        f"__{name.upper().replace('AVX512_', 'AVX512')}__": name
        for name in [
            "ssse3",
            "sse4_1",
            "sse4_2",
            "popcnt",
            "avx",
            "avx2",
            "bmi2",
            "f16c",
            "fma",
            "fma4",
            "xop",
            "movbe",
            "gfni",
            "vaes",
            "vpclmulqdq",
            "avx512f",
            "avx512bw",
            "avx512cd",
            "avx512dq",
            "avx512vl",
            "avx512er",
            "avx512pf",
            "avx512_vbmi2",
            "avx512_vnni",
            "avx512_bitalg",
            "avx512_vpopcntdq",
            "avx512_bf16",
            "avx512_fp16",
            "avx512_vp2intersect",
        ]
    },
    **{f"__AMX_{name}__": f"amx_{name.lower()}" for name in ("TILE", "INT8", "BF16", "FP16")},
}
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
        known = tuple(machine for machine in X86 if machine.features <= features)
    else:
        known = ARM if kind in ("aarch64", "arm64") else OTHER
    caches = _caches()
    l2, l3 = (caches.get(level, getattr(known[0], f"l{level}")) for level in "23")
    return tuple(replace(machine, l2=l2, l3=l3) for machine in known)


def _caches() -> dict[str, int]:
    """The bytes of the caches by level, where the system says them."""
    found = {}
    for each in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*"):
        try:
            level, size = ((each / name).read_text().strip() for name in ("level", "size"))
            if level in "23" and size.endswith("K"):
                found[level] = int(size[:-1]) << 10
        except (OSError, ValueError):
            continue
    return found


def _cpu_features() -> frozenset[str]:
    """What the processor says it has; nothing where it says nothing."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return frozenset()
    lines = (line for line in text.splitlines() if line.startswith("flags"))
    return frozenset(next(lines, "").split())


def needed(macros: str) -> frozenset[str]:
    """The features that code needs, from the macros that its compiler defines for it.

    >>> sorted(needed("#define __AVX__ 1\\n#define __FMA__ 1\\n#define __linux__ 1"))
    ['avx', 'fma']
    """
    defined = {words[1] for line in macros.splitlines() if len(words := line.split()) > 1}
    return frozenset(feature for macro, feature in MACROS.items() if macro in defined)


def missing(features: Iterable[str]) -> list[str]:
    """Those of ``features`` that this processor lacks; none where it does not say what it has."""
    return sorted(set(features) - (_cpu_features() or set(features)))
