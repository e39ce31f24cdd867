"""Kernels for processors that this one is not, run by an emulator: NEON, AVX2, plain x86."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from codegen._runtime.machine import ARM, X86, Machine
from codegen.targets import c
from codegen.transforms import choice
from derive import Conv1d, Conv2d, Conv3d, ConvTranspose2d, Interpolate, Operator
from tests.cases import generator
from tests.codegen.program import Sample, run, write


@dataclass(frozen=True)
class Emulated:
    """A machine, the compiler for it and the emulator of it."""

    machine: Machine
    compiler: tuple[str, ...]
    emulator: tuple[str, ...]


PROCESSORS = {
    "neon": Emulated(ARM[0], ("aarch64-linux-gnu-gcc", "-static"), ("qemu-aarch64",)),
    "avx2": Emulated(X86[1], ("gcc", "-static"), ("qemu-x86_64", "-cpu", "Haswell")),
    "sse2": Emulated(X86[2], ("gcc", "-static"), ("qemu-x86_64", "-cpu", "qemu64")),
}


def fused(mode: str) -> Operator:
    """A resize and a convolution as one operator."""
    outer = Conv2d(4, 8, 3, padding=1, input_size=(14, 18))
    op = outer @ Interpolate(4, (7, 9), scale_factor=2, mode=mode)
    assert isinstance(op, Operator)
    return op


OPERATORS: list[Operator] = [
    Conv2d(4, 9, 3, padding=1, input_size=(9, 13)),
    Conv2d(5, 8, 3, stride=2, padding=1, padding_mode="reflect", input_size=(9, 13)),
    Conv2d(8, 4, 3, padding=2, dilation=2, padding_mode="circular", input_size=(9, 13)),
    Conv2d(6, 6, 3, padding=1, groups=6, input_size=(9, 21)),
    Conv2d(6, 6, 5, stride=2, padding=2, groups=6, input_size=(9, 21)),
    Conv2d(8, 8, 3, padding=1, groups=2, input_size=(7, 19)),
    Conv2d(12, 16, 1, input_size=(7, 7)),
    Conv2d(3, 16, 7, stride=2, padding=3, input_size=(17, 19)),
    ConvTranspose2d(8, 3, 4, stride=2, padding=1, input_size=(5, 9)),
    ConvTranspose2d(5, 1, 9, stride=4, padding=4, output_padding=3, input_size=(4, 5)),
    Conv1d(8, 8, 16, stride=8, padding=4, input_size=64).T,
    Conv3d(4, 8, 3, padding=1, input_size=(4, 5, 6)),
    fused("nearest"),
    fused("bilinear"),
]


@pytest.mark.parametrize("algorithm", ["exact", "fast"])
@pytest.mark.parametrize("name", PROCESSORS)
def test_kernels(
    name: str, algorithm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Integers with ==; fast functions, here wherever there are any, within their bound."""
    monkeypatch.setattr(choice, "WORTH", float("inf"))
    processor = PROCESSORS[name]
    for program in (processor.compiler[0], processor.emulator[0]):
        if shutil.which(program) is None:
            pytest.skip(f"no {program} here")
    texts = {
        i: c.emit(op, f"k{i}", processor.machine, "float32", algorithm)
        for i, op in enumerate(OPERATORS)
    }
    if algorithm == "fast":  # the others are those of the exact class
        texts = {i: text for i, text in texts.items() if text.fast}
        assert sum(len(text.fast) for text in texts.values()) > len(OPERATORS) // 2
    samples = [Sample.of(OPERATORS[i], generator(88, i)) for i in texts]
    write(tmp_path, samples, [*texts.values()], "float32")
    flags = ("-O1", "-Wno-unused", *processor.machine.flags)
    done = run(tmp_path, processor.compiler, "float32", flags, processor.emulator)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr  # where the emulator may warn
