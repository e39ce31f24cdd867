"""The weight gradient in channel lanes, with either side in the lanes, and the choice of one."""

from __future__ import annotations

from pathlib import Path

import pytest

import derive
from codegen._runtime.c_function import kept
from codegen._runtime.machine import X86, Machine, candidates
from codegen.cpu.lane_gradient import LaneGradient, lane_gradient
from codegen.cpu.position_gradient import PositionGradient
from codegen.cpu.schedule import ITEM, gradient_schedule
from codegen.lower import lower
from codegen.nests import Correlation
from derive import Operator
from derive.core.form import TrilinearForm
from tests.codegen.libraries import needs_compiler
from tests.codegen.test_position_gradient import wrong

LAYERS = {
    "depthwise": (derive.Conv2d(32, 32, 3, padding=1, groups=32, input_size=56), "positions"),
    "few": (derive.Conv2d(4, 6, 3, input_size=20), "positions"),
    "first": (derive.Conv2d(3, 16, 3, padding=1, input_size=224), "positions"),
    "dense": (derive.Conv2d(64, 64, 3, padding=1, input_size=56), "outputs"),
    "many inputs": (derive.Conv2d(96, 40, 3, padding=1, input_size=23), "inputs"),
    "phases": (derive.ConvTranspose1d(128, 64, 16, 8, 4, input_size=128), "inputs"),
    "nothing": (derive.Conv2d(1, 1, 2, padding=1, dilation=5, input_size=4), "rows"),
}


@pytest.mark.parametrize(("layer", "kind"), LAYERS.values(), ids=LAYERS)
def test_what_lies_along_the_lanes(layer: derive.Layer, kind: str) -> None:
    nests = lower(layer.form)
    found = gradient_schedule(nests.form, nests.weight_gradient, X86[0], "float32")
    kinds = {
        LaneGradient: "inputs" if getattr(found, "exchanged", False) else "outputs",
        PositionGradient: "positions",
        Correlation: "rows",
    }
    assert kinds[type(found)] == kind
    rows = nests.weight_gradient
    assert gradient_schedule(nests.form, rows, None, "float32") is rows


@needs_compiler
@pytest.mark.parametrize("machine", candidates(), ids=lambda machine: machine.name)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_channels_and_positions_around_a_vector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, machine: Machine, dtype: str
) -> None:
    """Squares that are whole, that overlap and that are too small; weights of either layout."""
    lanes = machine.vector_bytes // ITEM[dtype]

    def across(
        form: TrilinearForm, rows: Correlation, machine: Machine | None, dtype: str
    ) -> LaneGradient | Correlation:
        if machine is None:
            return rows
        exchanged = sum(form.input_shape) % 2 == 0
        side = form.adjoint if exchanged else form
        return lane_gradient(side, machine, ITEM[dtype], exchanged=exchanged)

    monkeypatch.setattr("codegen.cpu.schedule.gradient_schedule", across)
    ops: list[Operator] = []
    for n in sorted({1, lanes - 1, lanes, lanes + 1, 2 * lanes, 2 * lanes + 1}):
        ops.append(derive.Conv2d(n, 3, (1, 2), input_size=(1, n + 1)))
        ops.append(derive.Conv2d(2 * n, 4, 1, groups=2, input_size=(3, n)))
        ops.append(derive.ConvTranspose1d(n, 2, 4, 2, 1, input_size=n))
        ops.append(derive.ConvTranspose1d(3, n, 17, 3, input_size=5))
    assert wrong(tmp_path, ops, machine, dtype) == []


def test_planes_a_page_apart() -> None:
    """Of those, no more are read side by side than a cache keeps lines in one place."""
    paged, other = (derive.Conv2d(64, 32, 1, input_size=n).form for n in (32, 33))
    assert max(chunk.inputs for chunk in lane_gradient(paged, X86[0], 4).chunks) == 7
    assert max(chunk.inputs for chunk in lane_gradient(other, X86[0], 4).chunks) > 20


def test_memory_that_is_kept() -> None:
    first = kept("test", 100)
    assert first.ctypes.data % 64 == 0
    assert kept("test", 50).ctypes.data == first.ctypes.data
    assert len(kept("test", 5000)) == 5000
    assert kept("another", 100).ctypes.data != kept("test", 100).ctypes.data
