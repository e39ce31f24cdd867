"""Faults in emitted texts: whatever place of the text they are planted in, the emulator says so.

What it cannot see is left out, because it changes nothing that a kernel must do: a barrier or wait
that another one makes superfluous for these sizes, and a bound that no index of them reaches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import derive
from codegen.cuda.schedule import CudaPlan, Gathered
from codegen.cuda.tensor import Tensor, Tile
from codegen.cuda.weight_gradient import weight_gradient
from codegen.cuda.windows import window_of
from derive import Operator
from derive.core.form import TrilinearForm
from tests.cuda.emulated import emulated, needs_emulator
from tests.cuda.exact import Trial
from tests.cuda.plans import DEVICE, Plan, by_tables, by_tiles
from tests.cuda.planted import Planted, renamed
from tests.cuda.test_emulated_kernels import printed

BATCH = 3
UP = derive.Interpolate(5, (5, 6), scale_factor=2)


def in_a_tile_of_two(form: TrilinearForm, dtype: str) -> CudaPlan:
    """Tensor cores by chunks of 32 channels that two warps share."""
    tile = Tile((3, 4), 2, rows=1, columns=3, down=1, across=1, deep=2, slices=2, stages=2)

    def of(form: TrilinearForm) -> Tensor:
        return Tensor(form, tuple(window_of(axis) for axis in form.axes), tile)

    return CudaPlan(of(form), of(form.adjoint), Gathered())


def on_a_small_device(form: TrilinearForm, dtype: str) -> CudaPlan:
    """The weight gradient in tiles, where blocks have several pieces each."""
    found = weight_gradient(form, replace(DEVICE, multiprocessors=1), dtype)
    assert found is not None
    return CudaPlan(Gathered(), Gathered(), found)


def in_tiles_alone(form: TrilinearForm, dtype: str) -> CudaPlan:
    return replace(by_tiles(form, dtype), weight_gradient=Gathered())


GATHERS = "forward", "input_gradient"
CASES: dict[str, tuple[Operator, str, Plan, Sequence[str] | None]] = {
    # operator, dtype, plan, and the functions that it is about
    "tables": (
        derive.Conv2d(5, 4, 3, padding=1, padding_mode="reflect", input_size=(10, 12)) @ UP,
        "float64",
        by_tables,
        None,
    ),
    "weight in tiles": (
        derive.Conv2d(2, 5, 3, stride=2, padding=1, bias=False, input_size=(37, 12)),
        "float32",
        on_a_small_device,
        ("weight_gradient",),
    ),
    "tensor cores": (
        derive.Conv2d(70, 66, 2, (1, 2), (0, 1), bias=False, input_size=(4, 6)),
        "bfloat16",
        in_a_tile_of_two,
        GATHERS,
    ),
}
CASES["direct"] = (
    derive.Conv2d(21, 19, 3, padding=1, stride=(1, 2), bias=False, input_size=(5, 6)),
    "float32",
    in_tiles_alone,
    GATHERS,
)
SYNCHRONISED = (
    Planted("dropped barrier", r"__syncthreads\(\);"),
    Planted("dropped wait", r"copy_async_wait<\d+>\(\);"),
    Planted("dropped commit", r"copy_async_commit\(\);"),
)
EVERY: dict[str, tuple[Planted, ...]] = {
    "tables": (
        SYNCHRONISED[0],
        Planted("shifted tap", r"x1 = x0 \+ t1\[3\]", r"\g<0> + 1"),
        Planted("wrong tap", r"w1 = w0 \+ t1\[1\]", r"\g<0> + 1"),
        Planted("a tap too few", r"a0 = 0;", "a0 = 1;"),
        Planted("no bias", r"bias \? widen\(bias\[channel\]\) : ", most=1),
        Planted("an output too many", r"at < outputs", "at <= outputs"),
        Planted("an input channel too few", r"i = 0; i < (\d)", r"i = 1; i < \1"),
        Planted("a line too long", r"p < count", "p <= count"),
        Planted("a sample too few", r"b = 0; b < batch", "b = 1; b < batch"),
        Planted("another phase", r"distance % run\[1\] == 0", "distance % run[1] == 1"),
        Planted("no strides of the grid", r"block \+= gridDim.x", "block += 9999"),
    ),
    "weight in tiles": (
        *SYNCHRONISED,
        Planted("shifted tap", r"window\[i\]\[(\d+) \+ k\]", r"window[i][1 + \1 + k]"),
        Planted("y beyond the last row", r" && row \+ r < \d+"),
        Planted("x before the first row", r" && x_row >= 0"),
        Planted("channels that are not there", r" && o_begin \+ o < \d+"),
        Planted("one buffer", r"\*next = buffers \+ \d+", "*next = buffers"),
        Planted("a piece too few", r"piece \+ (\d+) < batch", r"piece + \1 + 1 < batch"),
    ),
    "direct": SYNCHRONISED,
    "tensor cores": (
        *SYNCHRONISED,
        Planted("shifted tap", r"patch \+ (\d+), at", r"patch + 1 + \1, at"),
        Planted("weight of another row", r"rows \+ (\d+), b", r"rows + 512 + \1, b"),
        Planted("wrong buffer read", r"shared \+ chunk % 2", "shared + (chunk + 1) % 2"),
        Planted("wrong buffer filled", r"shared \+ \(chunk \+ 1\) % 2", "shared + chunk % 2"),
        Planted("input channels that are not there", r" && \d+ \* p \+ h < left"),
        Planted("weights that are not there", r" && i < \d+\)", ")"),
        Planted("output channels that are not there", r"o >= \d+", "o < 0"),
        Planted("x that is not there", r" && x1 >= 0", most=1),
        Planted("samples that are not there", r"!meant \|\| n >= samples", "!meant"),
    ),
}


@needs_emulator
@pytest.mark.parametrize("case", CASES)
def test_planted_faults_are_caught(case: str, tmp_path: Path) -> None:
    op, dtype, plan, only = CASES[case]
    sound = printed(op, "op", dtype, plan)
    begin = sound.source.index("return sums[0]") if only else 0  # behind what others use
    wrong = [(fault.name, each) for fault in EVERY[case] for each in fault.into(sound, begin)]
    assert {fault.name for fault in EVERY[case]} == {name for name, _ in wrong}
    programs = [renamed(each, f"fault{i}") for i, (_, each) in enumerate(wrong)]
    trial = Trial.of(op, BATCH, 940)
    first, *others = emulated([sound, *programs], tmp_path)
    assert list(trial.failures(first, 0, only)) == []
    missed = []
    for (name, program), each in zip(wrong, others, strict=True):
        if not any(trial.failures(each, 0, only)):
            missed.append(
                (name, line_of(sound.source, program.source.replace(program.name + "_", "op_")))
            )
    assert missed == []


def line_of(sound: str, wrong: str) -> str:
    """The first line that differs."""
    pairs = zip(sound.splitlines(), wrong.splitlines(), strict=False)
    return next((f"{a.strip()} -> {b.strip()}" for a, b in pairs if a != b), "")
