"""What the tests on a GPU do, on a device that the emulator plays: from an operator to results."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import codegen
import derive
from benchmarks.case import Case
from benchmarks.cuda.measure import WRONG
from benchmarks.measure import Field
from codegen._runtime.cuda import CudaKernel
from derive import Operator
from tests.cuda.emulated import needs_emulator
from tests.cuda.emulated_device import EmulatedDevice
from tests.cuda.exact import DTYPES, Trial
from tests.cuda.fake import FakeDevices
from tests.cuda.on_gpu import held, inputs, wrong

pytestmark = needs_emulator
torch = pytest.importorskip("torch")

LAYER = derive.Conv2d(16, 8, 3, stride=2, padding=1, input_size=(7, 9))
NEAREST = derive.Conv1d(8, 16, 3, padding=1, bias=False, input_size=12) @ derive.Interpolate(
    8, (6,), scale_factor=2
)
RESIZE = derive.Interpolate(2, (4, 5), scale_factor=2, mode="bilinear")
MAPS = Path("/proc/self/maps")
CASES = [(LAYER, dtype) for dtype in DTYPES] + [(NEAREST, "float32"), (RESIZE, "float16")]


def kernel_of(op: Operator, dtype: str, folder: Path) -> CudaKernel:
    made = codegen.build(op, target="cuda", dtype=dtype, name="emulated")
    assert isinstance(made, CudaKernel)
    return replace(made, devices=FakeDevices((EmulatedDevice(op=op, folder=folder),)))


@pytest.mark.parametrize(("op", "dtype"), CASES)
def test_kernels_pass_their_acceptance_and_are_exact(
    op: Operator, dtype: str, tmp_path: Path
) -> None:
    kernel = kernel_of(op, dtype, tmp_path)
    for batch in (0, 1, 3):
        assert wrong(kernel, Trial.of(op, batch, 941, batch), dtype, "cpu") == []


def test_prepared_weights_give_the_same_bits(tmp_path: Path) -> None:
    kernel, trial = kernel_of(NEAREST, "float32", tmp_path), Trial.of(NEAREST, 2, 943)
    for direction in ("forward", "input_gradient"):
        first, weight, *rest = inputs(trial, direction, "float32", "cpu")
        call = getattr(kernel, direction)
        prepared = kernel.prepare(weight, direction)
        assert torch.equal(call(first, prepared, *rest), call(first, weight, *rest))
        assert not trial.wrong(direction, held(call(first, prepared, *rest)), "float32")


def test_a_wrong_kernel_is_seen(tmp_path: Path) -> None:
    """Another operator of the same shapes, put under this one's name."""
    other = derive.Conv2d(16, 8, 3, stride=2, padding=1, input_size=(7, 9), padding_mode="reflect")
    kernel = kernel_of(other, "float32", tmp_path)
    assert "forward" in wrong(kernel, Trial.of(LAYER, 2, 947), "float32", "cpu")


@pytest.mark.parametrize("direction", ["forward", "input_gradient", "weight_gradient"])
def test_the_contestant_of_the_benchmark(
    direction: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmarks.cuda.bench import entries

    kernel = kernel_of(LAYER, "float16", tmp_path)
    monkeypatch.setattr(codegen, "build", lambda op, target, dtype: kernel)
    case = Case("conv", "3x3", LAYER, batch=2, dtype="float16", direction=direction)
    right, makers = entries(case, "cpu")
    field = Field()
    field.add("ours", makers["exactconv cuda"], right, WRONG["float16"])
    assert list(field.running) == ["ours"], field.left_out


@pytest.mark.skipif(not MAPS.exists(), reason="no /proc")
def test_a_launch_gives_its_stacks_back(tmp_path: Path) -> None:
    """A process has 65,530 pieces of memory; each library of the emulator once kept 2,000."""
    before = len(MAPS.read_text().splitlines())
    assert (
        wrong(kernel_of(RESIZE, "float32", tmp_path), Trial.of(RESIZE, 2, 953), "float32", "cpu")
        == []
    )
    assert len(MAPS.read_text().splitlines()) < before + 100
