"""Depthwise layers: exact for every tile and form, whatever the grid and wherever arrays begin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from codegen._runtime.cuda.program import ITEMSIZE, Program, sum_itemsize
from codegen.cuda.depthwise import Depthwise, depthwise, suits, windows_of
from codegen.cuda.depthwise_gradient import DepthwiseGradient, depthwise_gradient
from codegen.cuda.device import Device
from codegen.cuda.schedule import CudaPlan, Gathered
from codegen.cuda.thread_row import ThreadRow
from codegen.lower import lower
from codegen.targets.cuda.text import emit_cuda
from derive import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose2d,
    ConvTranspose3d,
    Interpolate,
    Operator,
)
from derive.core.form import TrilinearForm
from tests.cases import generator, random_layer
from tests.cuda.compiled import by_nvrtc, needs_nvrtc
from tests.cuda.emulated import Emulated, emulated, needs_emulator, unwritten
from tests.cuda.exact import DTYPES, Array, Trial
from tests.cuda.sass import count, kernels, needs_disassembler

DIRECTIONS = "forward", "input_gradient", "weight_gradient"
TILES = [*product((1, 2, 4), (2, 4, 8)), (7, 4)]
TWICE = Interpolate(4, (5, 4), scale_factor=2, mode="bilinear")
REFLECT = {"padding": 2, "padding_mode": "reflect"}
LAYERS: dict[str, Operator] = {
    "same": Conv2d(4, 4, 3, padding=1, groups=4, input_size=(9, 8)),
    "one channel": Conv2d(1, 1, 5, padding=2, bias=False, input_size=7),
    "two for each": Conv2d(3, 6, 3, stride=2, padding=1, groups=3, input_size=(9, 12)),
    "transposed": ConvTranspose2d(4, 4, 4, stride=2, padding=1, groups=4, input_size=(5, 6)),
    "more than the kernel": ConvTranspose2d(2, 2, 2, stride=(3, 4), groups=2, input_size=(3, 5)),
    "far taps": Conv1d(5, 5, 7, padding=6, dilation=2, groups=5, input_size=40),
    "cropped": Conv1d(2, 2, 3, padding=((-2, -3),), groups=2, input_size=30),
    "space": Conv3d(3, 3, 3, padding=1, groups=3, input_size=(4, 5, 8)),
    "transposed space": ConvTranspose3d(2, 2, 3, stride=(2, 1, 2), groups=2, input_size=(3, 4, 5)),
    "reflected": Conv2d(4, 4, 3, **REFLECT, groups=4, input_size=(9, 8)),
    "after a resize": Conv2d(4, 4, 3, padding=1, groups=4, input_size=(10, 8)) @ TWICE,
}


def schedule(form: TrilinearForm, dtype: str, tile: tuple[int, int] | None) -> Depthwise:
    if tile is None:
        found = depthwise(form, Device(), dtype)
        assert found is not None
        return found
    return Depthwise(form, windows_of(form), *tile, ITEMSIZE[dtype], sum_itemsize(dtype))


def gradient(
    form: TrilinearForm, dtype: str, tile: tuple[int, int] | None
) -> DepthwiseGradient | Gathered:
    """Of the adjoint too, where that one has a single phase; by tables where neither has."""
    found = depthwise_gradient(form, Device(), dtype)
    if found is None:
        return Gathered()
    if tile is None:
        return found
    side = found.side
    return replace(
        found,
        forward=Depthwise(side.form, side.windows, *tile, ITEMSIZE[dtype], sum_itemsize(dtype)),
    )


def program(op: Operator, name: str, dtype: str, tile: tuple[int, int] | None = None) -> Program:
    form = lower(op.form).form
    made = (schedule(each, dtype, tile) for each in (form, form.adjoint))
    return emit_cuda(op, name, dtype, plan=CudaPlan(*made, gradient(form, dtype, tile)))


def check(kernels: Sequence[Emulated], ops: Sequence[Operator], batches: Sequence[int]) -> None:
    for (kernel, op), batch, direction in product(
        zip(kernels, ops, strict=True), batches, DIRECTIONS
    ):
        trial = Trial.of(op, batch, 960)
        found = [trial.run(kernel, direction, seed=most, most=most) for most in (1, 1 << 20)]
        dtype = kernel.program.dtype
        assert not trial.wrong(direction, found[0], dtype), (op, direction, batch)
        assert found[0].tobytes() == found[1].tobytes(), (op, direction, batch)


@needs_emulator
def test_layers(tmp_path: Path) -> None:
    ops = [*LAYERS.values()][::2]
    made = [program(op, f"op{i}", "float32") for i, op in enumerate(ops)]
    check(emulated(made, tmp_path), ops, (0, 1, 3, 17))


@needs_emulator
def test_tiles(tmp_path: Path) -> None:
    ops = [op for op, _ in zip(LAYERS.values(), TILES, strict=False)]
    made = [program(op, f"op{i}", "float32", TILES[i]) for i, op in enumerate(ops)]
    check(emulated(made, tmp_path), ops, (2,))


@needs_emulator
@pytest.mark.parametrize("dtype", DTYPES[1:])
def test_dtypes(dtype: str, tmp_path: Path) -> None:
    ops = [LAYERS[name] for name in ("transposed", "after a resize")]
    made = [program(op, f"op{i}", dtype) for i, op in enumerate(ops)]
    check(emulated(made, tmp_path), ops, (3,))


@needs_emulator
def test_random_layers(tmp_path: Path) -> None:
    layers = [random_layer(generator(961, case)) for case in range(16)]
    forms = [lower(op.form).form for op in layers]
    ops = [
        op for op, form in zip(layers, forms, strict=True) if suits(form) and suits(form.adjoint)
    ]
    assert len(ops) > 5
    made = [program(op, f"op{i}", "float32") for i, op in enumerate(ops)]
    check(emulated(made, tmp_path), ops, (2,))


@needs_emulator
def test_arrays_that_begin_inside_a_vector(tmp_path: Path) -> None:
    op = LAYERS["same"]
    (kernel,) = emulated([program(op, "op", "float32")], tmp_path)
    trial = Trial.of(op, 2, 962)
    given = trial.sample.x, trial.sample.weight, trial.sample.bias
    arrays = [_shifted(np.asarray(each, np.float32)) for each in given]
    y = _shifted(np.full(trial.expected["forward"].shape, np.nan, np.float32))
    (step,) = kernel.program.functions["forward"].steps
    kernel.emulation.launch(step, 2, [*arrays, y])
    assert np.array_equal(y, trial.expected["forward"])


def _shifted(array: Array) -> Array:
    """A copy, one number behind where device memory begins."""
    placed = unwritten(array.nbytes + array.itemsize)[array.itemsize :].view(array.dtype)
    placed = placed.reshape(array.shape)
    placed[...] = array
    return placed


def test_what_suits_none() -> None:
    form = Conv2d(3, 64, 3, input_size=9).form
    assert not suits(form)
    assert depthwise(form, Device(), "float32") is None


def test_vectors_stay_inside_rows() -> None:
    for n, step, padded in product((7, 8, 12), (2, 4), (False, True)):
        numbers = 4 if n % 4 == step % 4 == 0 else 1
        row = ThreadRow(n, step, -(-n // step), (-2, -1, 0, 1, 2, 3, 4, 5), numbers, padded)
        for load, thread in product(row.loads, range(row.threads)):
            inside = [0 <= step * thread + load.position + k < n for k in range(load.numbers)]
            assert all(inside) if load.inside else all(inside) or not any(inside)


def test_the_tile_follows_the_device() -> None:
    form = Conv2d(96, 96, 3, padding=1, groups=96, input_size=112).form
    few, many = (
        depthwise(form, replace(Device(), multiprocessors=n), "float32") for n in (4, 1000)
    )
    assert few is not None
    assert many is not None
    assert few.threads < many.threads


@needs_nvrtc
@needs_disassembler
@pytest.mark.parametrize("dtype", DTYPES)
def test_tiles_stay_in_registers(dtype: str) -> None:
    op = Conv2d(96, 96, 3, padding=1, groups=96, input_size=112)
    compiled = by_nvrtc(program(op, "op", dtype, (4, 4)).source, "sm_80")
    for direction in DIRECTIONS:
        name = f"op_{direction}_depthwise"
        assert compiled.usage[name].local == 0
        code = kernels(compiled.cubin)[name].code
        bits = "64" if dtype in ("float16", "bfloat16") else "128"
        assert count(code, ["LDG"], bits) > 0
        assert count(code, ["STG"], bits) > 0 or direction == "weight_gradient"
