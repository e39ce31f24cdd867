"""The weight gradient in tiles: exact for every form it takes, the same bits for every grid."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from codegen._runtime.cuda.program import Program
from codegen.cuda.device import KNOWN, Device
from codegen.cuda.pattern import pattern_of
from codegen.cuda.schedule import CudaPlan, Gathered
from codegen.cuda.weight_blocks import WeightGradient
from codegen.cuda.weight_gradient import cycles, suits, weight_gradient
from codegen.lower import lower
from codegen.targets.cuda.text import emit_cuda
from derive import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    Interpolate,
    Operator,
)
from tests.cases import generator, random_layer
from tests.cuda.compiled import by_nvrtc, needs_nvrtc
from tests.cuda.emulated import emulated, needs_emulator
from tests.cuda.exact import DTYPES, Trial
from tests.cuda.sass import kernels, needs_disassembler

DIRECTION = "weight_gradient"
TWICE = Interpolate(4, (4, 4), scale_factor=2, mode="nearest")
PADDED = {"padding": 1, "padding_mode": "reflect"}
LAYERS: dict[str, Operator] = {
    "same": Conv2d(20, 9, 3, padding=1, input_size=(9, 14)),
    "grouped and reflected": Conv2d(6, 8, 3, groups=2, **PADDED, input_size=(9, 14)),
    "stride": Conv2d(3, 8, 7, stride=2, padding=3, input_size=18),
    "more than the kernel": Conv2d(3, 4, 2, stride=(3, 1), input_size=11),
    "one by one": Conv2d(20, 33, 1, input_size=(5, 7)),
    "far taps": Conv2d(5, 4, 3, padding=4, dilation=4, input_size=9),
    "no output has all taps": Conv2d(3, 3, 5, padding=2, input_size=(2, 3)),
    "taps that fall nowhere": Conv2d(3, 2, 5, padding=(4, 2), stride=3, input_size=(1, 2)),
    "transposed": ConvTranspose2d(8, 5, 4, stride=2, padding=1, input_size=7),
    "every residue": ConvTranspose1d(9, 4, 16, stride=8, padding=4, input_size=13),
    "many taps": Conv1d(6, 5, 31, padding=15, input_size=70),
    "space": Conv3d(4, 3, 3, stride=(1, 2, 1), padding=1, input_size=(4, 7, 6)),
    "folded": Conv2d(4, 6, 3, padding=1, input_size=8) @ TWICE,
    "folded and around": Conv2d(4, 4, 3, padding=1, padding_mode="circular", input_size=8) @ TWICE,
}
SOME = "grouped and reflected", "stride", "transposed", "folded"


def schedule(op: Operator, dtype: str = "float32", device: Device | None = None) -> WeightGradient:
    found = weight_gradient(lower(op.form).form, device or Device(), dtype)
    assert found is not None
    return found


def program(op: Operator, name: str, dtype: str) -> Program:
    plan = CudaPlan(Gathered(), Gathered(), schedule(op, dtype))
    return emit_cuda(op, name, dtype, plan=plan)


def check(ops: list[Operator], dtype: str, folder: Path, batches: tuple[int, ...]) -> None:
    programs = [program(op, f"op{i}", dtype) for i, op in enumerate(ops)]
    for op, kernel in zip(ops, emulated(programs, folder), strict=True):
        for batch in batches:
            trial = Trial.of(op, batch, 950)
            found = [trial.run(kernel, DIRECTION, seed=most, most=most) for most in (3, 1 << 20)]
            assert not trial.wrong(DIRECTION, found[0], dtype), (op, batch)
            assert found[0].tobytes() == found[1].tobytes(), (op, batch)


@needs_emulator
def test_layers(tmp_path: Path) -> None:
    check([*LAYERS.values()], "float32", tmp_path, (0, 1, 3))


@needs_emulator
def test_a_batch_that_no_share_divides(tmp_path: Path) -> None:
    check([LAYERS["same"]], "float32", tmp_path, (17,))


@needs_emulator
@pytest.mark.parametrize("dtype", DTYPES[1:])
def test_dtypes(dtype: str, tmp_path: Path) -> None:
    check([LAYERS[name] for name in SOME], dtype, tmp_path, (2,))


@needs_emulator
def test_random_layers(tmp_path: Path) -> None:
    layers = [random_layer(generator(951, case)) for case in range(24)]
    suited = [op for op in layers if suits(lower(op.form).form)]
    assert len(suited) > 12
    check([*suited], "float32", tmp_path, (2,))


def test_what_suits_none() -> None:
    both = Conv1d(2, 2, 3, stride=2, input_dilation=3, input_size=9)
    assert not suits(lower(both.form).form)
    assert weight_gradient(lower(both.form).form, Device(), "float32") is None


@pytest.mark.parametrize("capability", KNOWN)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_a_device_has(capability: int, dtype: str) -> None:
    device = KNOWN[capability]
    for op in LAYERS.values():
        found = schedule(op, dtype, device)
        assert found.shared <= device.shared_bytes
        assert found.resident * found.tile.threads * found.registers <= device.registers * 2
        assert found.resident * (found.shared + 1024) <= device.shared_per_multiprocessor
        assert found.splits >= 1
        assert cycles(found) > 0


def test_lanes_read_different_banks() -> None:
    """Of y and x alike, eight neighbouring channels that a quarter of a warp reads."""
    for op in LAYERS.values():
        found = schedule(op)
        for pitch in (found.y_pitch, found.x_pitch):
            banks = {(lane * pitch + k) % 32 for lane, k in product(range(8), range(4))}
            assert len(banks) == 32


def test_groups_read_alike() -> None:
    reads = tuple((2 * t, t) for t in range(6))
    pattern = pattern_of(reads, 1, 4)
    assert pattern is not None
    assert pattern.taps == ((0, 1, 2, 3), (4, 5, -1, -1))
    assert pattern.aligned(4)
    assert not pattern.aligned(16)
    assert pattern_of(((0, 0), (1, 1), (3, 2), (5, 3)), 1, 2) is None


WIDE = {
    "3x3": Conv2d(64, 64, 3, padding=1, input_size=56),
    "3x3 of stride 2": Conv2d(128, 256, 3, stride=2, padding=1, input_size=28),
    "7x7": Conv2d(3, 64, 7, stride=2, padding=3, bias=False, input_size=224),
    "transposed": ConvTranspose2d(512, 256, 4, stride=2, padding=1, input_size=8),
}


@needs_nvrtc
@needs_disassembler
@pytest.mark.parametrize("name", WIDE)
def test_sums_stay_in_registers(name: str) -> None:
    made = program(WIDE[name], "op", "float32")
    compiled = by_nvrtc(made.source, "sm_80")
    for step in made.functions[DIRECTION].steps:
        assert compiled.usage[step.kernel].local == 0
    assert kernels(compiled.cubin)[f"op_{DIRECTION}_tiled"].share(["FFMA"]) > 0.8


def test_shares_do_not_depend_on_more_than_form_and_device() -> None:
    small, large = (schedule(WIDE["3x3"], device=KNOWN[each]).splits for each in (86, 90))
    assert small < large
