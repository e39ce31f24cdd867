"""The weight gradient on tensor cores: exact on integers in the emulator, HMMA and no spills."""

from __future__ import annotations

from typing import Any

import pytest

from codegen.cuda.device import KNOWN, Device
from codegen.cuda.schedule import CudaPlan, Gathered, plan
from codegen.cuda.tensor_gradient import TensorGradient
from codegen.cuda.tensor_gradient_choice import tensor_gradient
from codegen.lower import lower
from codegen.targets.cuda.text import emit_cuda
from derive import Operator
from tests.cuda import sass
from tests.cuda.compiled import by_nvrtc, needs_nvrtc
from tests.cuda.emulated import Emulated, emulated, needs_emulator
from tests.cuda.exact import Trial
from tests.cuda.test_tensor import LAYERS, OPERATORS

BORDERS = ("replicate", "bilinear")  # whose outputs do not all read alike
DTYPES = {
    "float16": tuple(name for name in OPERATORS if name not in BORDERS),
    "bfloat16": ("plain", "transposed"),
}
WEIGHT = "weight_gradient"


@pytest.fixture(scope="module", params=DTYPES)
def kernels(request: Any, tmp_path_factory: Any) -> dict[str, tuple[Operator, Emulated]]:
    made = {}
    for name in DTYPES[request.param]:
        op = OPERATORS[name]
        schedule = tensor_gradient(lower(op.form).form, Device())
        assert schedule is not None
        by_weight = CudaPlan(Gathered(), Gathered(), schedule)
        made[name] = op, emit_cuda(op, name, request.param, Device(), by_weight)
    run = emulated([program for _, program in made.values()], tmp_path_factory.mktemp("weight"))
    return {n: (op, each) for (n, (op, _)), each in zip(made.items(), run, strict=True)}


@needs_emulator
@pytest.mark.parametrize("name", DTYPES["float16"])
def test_exact(name: str, kernels: dict[str, tuple[Operator, Emulated]]) -> None:
    if name not in kernels:
        pytest.skip("float16 only")
    op, kernel = kernels[name]
    assert kernel.program.functions[WEIGHT].steps[0].kernel == f"{name}_{WEIGHT}_tensor"
    for batch, most in ((0, 1 << 20), (1, 1 << 20), (3, 3)):
        trial = Trial.of(op, batch, 1)
        result = trial.run(kernel, WEIGHT, seed=batch, most=most)
        assert not trial.wrong(WEIGHT, result, kernel.program.dtype), batch


@pytest.mark.parametrize("name", BORDERS)
def test_outputs_that_read_in_ways_of_their_own_are_left_to_others(name: str) -> None:
    assert tensor_gradient(lower(OPERATORS[name].form).form, Device()) is None


@needs_nvrtc
@sass.needs_disassembler
@pytest.mark.parametrize(("name", "capability"), [("dense", 80), ("nearest", 90)])
def test_machine_code(name: str, capability: int) -> None:
    device = KNOWN[capability]
    schedule = plan(lower(LAYERS[name].form).form, device, "float16").weight_gradient
    assert isinstance(schedule, TensorGradient)
    assert schedule.shared <= device.shared_bytes
    compiled = by_nvrtc(emit_cuda(LAYERS[name], "k", "float16", device).source, f"sm_{capability}")
    usage = compiled.usage[f"k_{WEIGHT}_tensor"]
    assert usage.local == 0
    assert usage.registers * schedule.tile.threads * schedule.resident <= device.registers
    mix = sass.kernels(compiled.cubin)[f"k_{WEIGHT}_tensor"].mix
    tile = schedule.tile
    assert mix["HMMA"] == tile.outputs * tile.inputs * len(schedule.columns.reads)
    assert mix["LDS"] == 4 * tile.outputs + 2 * tile.inputs * len(schedule.words)
