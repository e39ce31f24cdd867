"""Which processor this is: never more than it says, never a guess."""

from __future__ import annotations

import platform
from itertools import pairwise
from pathlib import Path

import pytest

from codegen._runtime import machine
from codegen._runtime.machine import V3, V4, X86, Machine, candidates

AVX2 = " ".join(sorted(V3))
AVX512 = " ".join(sorted(V4))


def names(found: tuple[Machine, ...]) -> list[str]:
    return [each.name for each in found]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (AVX512, ["x86-64-v4", "x86-64-v3", "x86-64"]),
        (AVX2, ["x86-64-v3", "x86-64"]),
        (AVX2 + " avx512f avx512bw", ["x86-64-v3", "x86-64"]),  # a part of AVX-512 is not enough
        (AVX512.replace("fma", ""), ["x86-64"]),
        ("fpu sse sse2", ["x86-64"]),
        ("", ["x86-64"]),
    ],
)
def test_x86(monkeypatch: pytest.MonkeyPatch, flags: str, expected: list[str]) -> None:
    text = f"processor\t: 0\nmodel name\t: avx512f imitation\nflags\t\t: {flags}\nbugs\t: fma\n\n"
    monkeypatch.setattr(Path, "read_text", lambda self: text + text)
    for kind in ("x86_64", "AMD64"):
        monkeypatch.setattr(platform, "machine", lambda kind=kind: kind)
        assert names(candidates()) == expected


@pytest.mark.parametrize("text", ["", "Processor: 0\n", "flags"])
def test_a_list_that_says_nothing(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(Path, "read_text", lambda self: text)
    assert names(candidates()) == ["x86-64"]


def test_a_list_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(self: Path) -> str:
        raise FileNotFoundError(str(self))

    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(Path, "read_text", missing)
    assert names(candidates()) == ["x86-64"]


@pytest.mark.parametrize(
    ("kind", "name"),
    [("aarch64", "aarch64"), ("arm64", "aarch64"), ("riscv64", "other"), ("", "other")],
)
def test_other_processors(monkeypatch: pytest.MonkeyPatch, kind: str, name: str) -> None:
    monkeypatch.setattr(platform, "machine", lambda: kind)
    assert names(candidates()) == [name]


def test_machines_get_better() -> None:
    for better, worse in pairwise(X86):
        assert better.features > worse.features
        assert better.vector_bytes > worse.vector_bytes
        assert better.registers >= worse.registers
    assert not [flag for each in X86 for flag in each.flags if "native" in flag]
    assert not [n for n in dir(machine) if "native" in n]
