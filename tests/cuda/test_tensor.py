"""Tensor-core schedules: exact on integers in the emulator, HMMA and no spills in machine code."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from codegen.cuda.columns import COLUMNS, order
from codegen.cuda.device import KNOWN, Device
from codegen.cuda.schedule import CudaPlan, Gathered, plan
from codegen.cuda.tensor import Tensor, Tile
from codegen.cuda.tensor_tiles import suits, tensor_of
from codegen.cuda.windows import window_of
from codegen.lower import lower
from codegen.targets.cuda.text import emit_cuda
from derive import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
    Interpolate,
    Operator,
)
from tests.cuda import sass
from tests.cuda.compiled import by_nvrtc, needs_nvrtc
from tests.cuda.emulated import Emulated, emulated, needs_emulator

Array = NDArray[Any]

TWICE = Interpolate(channels=16, input_size=(5, 9), scale_factor=2)
SMOOTH = Interpolate(channels=16, input_size=(5, 9), scale_factor=2, mode="bilinear")
OPERATORS: dict[str, Operator] = {
    "plain": Conv2d(24, 20, 3, padding=1, bias=True, input_size=(9, 13)),
    "stride": Conv2d(16, 33, 3, stride=(2, 3), padding=1, bias=True, input_size=(12, 14)),
    "pointwise": Conv2d(32, 16, 1, stride=2, input_size=(9, 16)),
    "dilated": Conv2d(16, 16, 3, dilation=(2, 3), padding=3, input_size=(11, 12)),
    "groups": Conv2d(48, 24, 3, padding=1, groups=3, bias=True, input_size=8),
    "transposed": ConvTranspose2d(19, 9, 3, stride=(2, 3), output_padding=1, input_size=(5, 6)),
    "dead": ConvTranspose2d(16, 8, 2, stride=3, input_size=(4, 5)),
    "phases": ConvTranspose1d(64, 16, 16, stride=8, padding=4, bias=True, input_size=9),
    "line": Conv1d(35, 17, 7, stride=3, padding=2, input_size=100),
    "reflect": Conv2d(16, 16, 5, padding=2, padding_mode="reflect", input_size=(7, 10)),
    "circular": Conv2d(16, 16, (3, 5), padding=(1, 2), padding_mode="circular", input_size=(6, 8)),
    "replicate": Conv3d(8, 16, 3, padding=1, padding_mode="replicate", input_size=(3, 5, 6)),
    "space": Conv3d(16, 8, (3, 2, 3), stride=(1, 2, 1), padding=1, input_size=(4, 6, 9)),
    "back": ConvTranspose3d(8, 8, 3, stride=2, output_padding=1, bias=True, input_size=(2, 3, 5)),
    "nearest": Conv2d(16, 16, 3, padding=1, input_size=(10, 18)) @ TWICE,
    "bilinear": Conv2d(16, 8, 3, padding=1, input_size=(10, 18)) @ SMOOTH,
}
WIDE = Tile((2, 32), 1, rows=1, columns=4, down=2, across=2, deep=1, slices=1, stages=2, runs=4)
DEEP = Tile((4, 8), 2, rows=2, columns=4, down=1, across=2, deep=4, slices=4, stages=1)
APART = Tile((3, 6), 1, rows=1, columns=3, down=1, across=1, deep=2, slices=2, stages=2, spread=1)
TILED: dict[str, tuple[Operator, Tile]] = {  # what no rule would choose for so few positions
    "in_turn": (Conv2d(40, 20, 3, padding=1, bias=True, input_size=(3, 36)), WIDE),
    "sampled": (Conv2d(70, 24, 3, padding=1, bias=True, input_size=(4, 7)), DEEP),
    "spread": (ConvTranspose2d(40, 16, 4, stride=2, padding=1, input_size=(5, 7)), APART),
}
DTYPES = {"float16": OPERATORS, "bfloat16": {n: OPERATORS[n] for n in ("plain", "bilinear")}}
BATCHES = 0, 1, 3


def rounded(values: Array, dtype: str) -> Array:
    """As bits of the nearest halves."""
    if dtype == "float16":
        return values.astype(np.float16).view(np.uint16)
    bits = values.astype(np.float32).view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)


def tiled(op: Operator, tile: Tile) -> CudaPlan:
    form = lower(op.form).form
    forward = Tensor(form, tuple(window_of(axis) for axis in form.axes), tile)
    return CudaPlan(forward, Gathered(), Gathered())


@pytest.fixture(scope="module", params=DTYPES)
def kernels(request: Any, tmp_path_factory: Any) -> dict[str, tuple[Operator, Emulated]]:
    dtype = request.param
    made = {n: (op, emit_cuda(op, n, dtype, Device())) for n, op in DTYPES[dtype].items()}
    for n, (op, tile) in TILED.items():
        made[n] = op, emit_cuda(op, n, dtype, Device(), tiled(op, tile))
    programs = [program for _, program in made.values()]
    run = emulated(programs, tmp_path_factory.mktemp(dtype))
    return {n: (op, each) for (n, (op, _)), each in zip(made.items(), run, strict=True)}


def differences(op: Operator, kernel: Emulated, direction: str, batch: int, most: int) -> int:
    """Numbers that are not the exact result rounded once."""
    rng = np.random.default_rng(batch)
    dtype = kernel.program.dtype
    sizes = (op.input_shape, op.output_shape)
    inputs, outputs = sizes if direction == "forward" else sizes[::-1]
    w = rng.integers(-2, 3, op.weight_shape) * 64.0  # folded weights are then integers too
    x = rng.integers(-2, 3, (batch, *inputs)) * 1.0
    matrix = op.sparse(w, dtype="float64")
    matrix = matrix if direction == "forward" else matrix.T
    expected = np.zeros((batch, *outputs))
    for b in range(batch):
        expected[b] = (matrix @ x[b].ravel()).reshape(outputs)
    given = [rounded(x, dtype), rounded(w, dtype)]
    if direction == "forward":
        bias = rng.integers(-9, 9, op.bias_shape) * 1.0 if op.bias_shape else None
        given.append(None if bias is None else rounded(bias, dtype))
        if bias is not None:
            expected += bias.reshape(-1, *[1] * (len(outputs) - 1))
    y = np.full((batch, *outputs), 0xFFFF, np.uint16)
    kernel(direction, *given, y, batch=batch, seed=batch, most=most)
    return int((y != rounded(expected, dtype)).sum())


@needs_emulator
@pytest.mark.parametrize("name", [*OPERATORS, *TILED])
def test_exact(name: str, kernels: dict[str, tuple[Operator, Emulated]]) -> None:
    if name not in kernels:
        pytest.skip("float16 only")
    op, kernel = kernels[name]
    for direction in ("forward", "input_gradient"):
        for batch in BATCHES:
            most = 3 if batch == 3 else 1 << 20
            assert differences(op, kernel, direction, batch, most) == 0, (direction, batch)
    steps = kernel.program.functions["forward"].steps
    assert [step.kernel for step in steps] == [f"{name}_forward_tensor"]


def test_columns_are_each_met_once() -> None:
    for runs in (1, 4):
        met = [order(runs, fragment, c) for fragment in range(8) for c in range(COLUMNS)]
        assert sorted(met) == list(range(64))
        for lane in range(4):  # a thread's columns of the fragments in turn are neighbours
            held = [order(runs, j, 2 * lane + e) for j in range(runs) for e in range(2)]
            assert held == list(range(held[0], held[0] + 2 * runs))


LAYERS = {
    "dense": Conv2d(64, 64, 3, padding=1, bias=True, input_size=56),
    "strided": Conv2d(128, 128, 3, stride=2, padding=1, input_size=56),
    "transposed": ConvTranspose2d(128, 64, 4, stride=2, padding=1, input_size=32),
    "first": Conv2d(3, 64, 7, stride=2, padding=3, input_size=224),
    "nearest": Conv2d(64, 64, 3, padding=1, input_size=(128, 128))
    @ Interpolate(channels=64, input_size=(64, 64), scale_factor=2),
}


@cache
def schedules(name: str, capability: int) -> dict[str, Tensor]:
    form = lower(LAYERS[name].form).form
    forms = {"forward": form, "input_gradient": form.adjoint}
    made = {d: tensor_of(each, KNOWN[capability]) for d, each in forms.items()}
    return {d: each[1] for d, each in made.items() if each is not None}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("capability", [80, 86, 90])
def test_tiles_have_room_and_no_conflicts(name: str, capability: int) -> None:
    device = KNOWN[capability]
    for schedule in schedules(name, capability).values():
        assert schedule.shared_bytes <= device.shared_bytes
        assert schedule.tile.threads * 32 <= device.registers
        fragments = range(schedule.tile.across * schedule.tile.columns)
        columns = [[order(schedule.tile.runs, j, c) for c in range(COLUMNS)] for j in fragments]
        beyond = schedule.tile.positions % COLUMNS > 0  # columns that nobody wants
        assert schedule.patch.turns(columns) <= len(fragments) + beyond


@needs_nvrtc
@sass.needs_disassembler
@pytest.mark.parametrize(("name", "capability"), [("dense", 80), ("nearest", 80), ("strided", 90)])
def test_machine_code(name: str, capability: int) -> None:
    program = emit_cuda(LAYERS[name], "k", "float16", KNOWN[capability])
    compiled = by_nvrtc(program.source, f"sm_{capability}")
    code = sass.kernels(compiled.cubin)
    for direction, schedule in schedules(name, capability).items():
        kernel = f"k_{direction}_tensor"
        usage, tile = compiled.usage[kernel], schedule.tile
        assert usage.local == 0
        assert usage.registers * tile.threads * schedule.resident <= KNOWN[capability].registers
        products = sum(len(uses) for part in schedule.parts for _, uses in schedule.reads(part))
        products *= tile.rows * tile.columns
        assert sass.count(code[kernel].code, ["HMMA"]) % products == 0
        assert sass.count(code[kernel].code, ["HMMA"]) > 0


def test_few_channels_and_other_dtypes_are_left_to_others() -> None:
    form = lower(Conv2d(8, 8, 3, groups=8, input_size=9).form).form
    assert not suits(form, Device(), "float16")
    dense = lower(LAYERS["dense"].form).form
    assert not suits(dense, Device(), "float32")
    assert not suits(dense, KNOWN[75], "float16")
    assert suits(dense, Device(), "bfloat16")
    assert isinstance(plan(dense, Device(), "float16").forward, Tensor)


def test_small_devices_get_small_tiles() -> None:
    form = lower(LAYERS["dense"].form).form
    small = replace(Device(), shared_bytes=24 * 1024, shared_per_multiprocessor=48 * 1024)
    found = tensor_of(form, small)
    assert found is not None
    assert found[1].shared_bytes <= 24 * 1024
