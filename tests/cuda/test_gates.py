"""What is seen of CUDA texts without a GPU: they compile, nothing is spilled, loops are sums."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import get_args

import pytest

from benchmarks.layers import KNOWN, OTHERS
from codegen._runtime.cuda.program import Program
from codegen.cuda.device import device_of
from codegen.cuda.direct import Direct
from codegen.cuda.schedule import ByWeight, Gathered, Schedule, plan
from codegen.cuda.tensor import Tensor
from codegen.cuda.tensor_gradient import TensorGradient
from codegen.cuda.weight_blocks import WeightGradient
from codegen.lower import lower
from codegen.targets.cuda.text import emit_cuda
from derive import Operator
from derive.catalogue import read_catalogue
from tests.cuda.compiled import (
    Compiled,
    by_nvrtc,
    needs_nvcc,
    needs_nvrtc,
    nvcc,
    whole_by_nvcc,
)
from tests.cuda.emulated import together
from tests.cuda.operators import random_operator
from tests.cuda.sass import MATRIX, SUMS, Kernel, count, kernels, needs_disassembler

CAPABILITIES = (75, 80, 90)
HALVES = ("float16", "bfloat16")
DTYPES = ("float32", "float64", *HALVES)
CATALOGUE = {
    entry.name: entry.op for entry in read_catalogue(Path(__file__).parents[2] / "operators.toml")
}
RANDOM = {f"random{i}": random_operator(907, i) for i in range(200)}
TOGETHER = 10  # operators of one test: of a few seconds
CHUNKS = [
    dict(every[i : i + TOGETHER])
    for every in (list(CATALOGUE.items()), list(RANDOM.items()))
    for i in range(0, len(every), TOGETHER)
]
chunks = pytest.mark.parametrize(
    ("turn", "ops"), list(enumerate(CHUNKS)), ids=[next(iter(ops)) for ops in CHUNKS]
)
HOT = (
    "3x3: 64 to 64 @ 56",
    "3x3: 256 to 256 @ 14",
    "7x7 s2: 3 to 64 @ 224",
    "3x3 s2: 128 to 128 @ 56",
    "1x1: 256 to 64 @ 56",
    "3x3 d2: 64 to 64 @ 56",
    "transposed k4 s2: 128 to 64 @ 32",
    "transposed k4 s2: 64 to 3 @ 64",
    "transposed 1-D k16 s8: 512 to 256 @ 128",
    "nearest x2, 3x3: 64 to 64 @ 64",
    "bilinear x2, 3x3: 64 to 64 @ 64",
    "3-D 3x3x3: 16 to 16 @ 32",
)
LAYERS = {case.name: case.op for case in (*KNOWN, *OTHERS)}


def dtypes(i: int) -> dict[int, str]:
    """In what an operator is computed on each device: in time each kind of operator in each."""
    shift = i + i // len(DTYPES)
    return {cap: DTYPES[(shift + j) % len(DTYPES)] for j, cap in enumerate(CAPABILITIES)}


def places(i: int) -> list[tuple[str, int]]:
    """The same, beginning with another device each time."""
    found = [(dtype, capability) for capability, dtype in dtypes(i).items()]
    return found[i % 3 :] + found[: i % 3]


def launched(program: Program) -> set[str]:
    """The kernels that its functions launch."""
    functions = program.functions.values()
    return {step.kernel for each in functions for step in (*each.prepare, *each.steps)}


def compiled(op: Operator, name: str, dtype: str, capability: int) -> tuple[Program, Compiled]:
    """An operator for a device, compiled for it; nothing of it is in local or static memory."""
    program = emitted(op, name, dtype, capability)
    found = by_nvrtc(program.source, f"sm_{capability}")
    assert set(found.usage) == launched(program)
    assert {kernel: usage.local for kernel, usage in found.usage.items() if usage.local} == {}
    assert {kernel: usage.shared for kernel, usage in found.usage.items() if usage.shared} == {}
    return program, found


def emitted(op: Operator, name: str, dtype: str, capability: int) -> Program:
    """The program for a device, which that device can run."""
    program = emit_cuda(op, name, dtype, device_of(capability))
    assert int(program.architecture.removeprefix("sm_")) <= capability
    return program


@needs_nvrtc
@chunks
def test_nvrtc_compiles(turn: int, ops: dict[str, Operator]) -> None:
    """For one device by the whole optimiser, with a look at what is used; in time for each. For
    others quickly: the catalogue for all, random operators for the one that nvcc is here for.
    """
    for i, (name, op) in enumerate(ops.items(), TOGETHER * turn):
        whole, host, other = places(i)
        compiled(op, name, *whole)
        left = [] if nvcc() else [host]
        left += [other] if name in CATALOGUE or i % 4 == 0 else []
        for dtype, capability in left:
            text = emitted(op, name, dtype, capability).source
            by_nvrtc(text, f"sm_{capability}", quick=True)


@needs_nvcc
@pytest.mark.parametrize("capability", CAPABILITIES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_nvcc_compiles(dtype: str, capability: int) -> None:
    """With the host functions, each operator for another device than NVRTC has it for."""
    every = enumerate({**CATALOGUE, **RANDOM}.items())
    ops = {name: op for i, (name, op) in every if places(i)[1] == (dtype, capability)}
    assert len(ops) > 15
    texts = [(name, emitted(op, name, dtype, capability).source) for name, op in ops.items()]
    whole_by_nvcc("#include <cuda_runtime.h>\n" + together(texts), (f"sm_{capability}",))


def test_every_schedule_occurs_in_every_dtype_on_every_device() -> None:
    kinds = {*get_args(Schedule), *get_args(ByWeight)}
    found: dict[type, set[tuple[str, int]]] = {kind: set() for kind in kinds}
    for i, op in enumerate(RANDOM.values()):
        if op.learned:
            form = lower(op.form).form
            for capability, dtype in dtypes(i).items():
                made = plan(form, device_of(capability), dtype)
                for each in (made.forward, made.input_gradient, made.weight_gradient):
                    found[type(each)].add((dtype, capability))
    everywhere, halves = set(product(DTYPES, CAPABILITIES)), set(product(HALVES, (80, 90)))
    on_cores = {Tensor: halves, TensorGradient: halves}
    least = on_cores | {Direct: everywhere - halves}  # what suits one seldom needs the other
    for kind, seen in found.items():
        assert seen >= least.get(kind, everywhere), kind
    assert all(found[kind] == halves for kind in on_cores)


@needs_nvrtc
@needs_disassembler
@pytest.mark.parametrize("capability", [80, 90])
@pytest.mark.parametrize("name", HOT)
def test_hot_kernels(name: str, capability: int) -> None:
    """Each layer as float32 on one of the devices, and in half the width on the other."""
    op, number = LAYERS[name], HOT.index(name)
    dtype = HALVES[number // 2 % 2] if capability == (80, 90)[number % 2] else "float32"
    program, found = compiled(op, "hot", dtype, capability)
    made = plan(lower(op.form).form, device_of(capability), dtype)
    machine = kernels(found.cubin)
    for direction in ("forward", "input_gradient", "weight_gradient"):
        schedule = getattr(made, direction)
        own = [machine[step.kernel] for step in program.functions[direction].steps]
        LOOKS[type(schedule)](max(own, key=_sums), dtype)


def _sums(kernel: Kernel) -> int:
    return count(kernel.hot, SUMS)


def _on_tensor_cores(kernel: Kernel, dtype: str) -> None:
    assert count(kernel.hot, ["HMMA"]) >= LEAST_PRODUCTS
    assert count(kernel.hot, ["FFMA", "LDL", "STL"]) == 0
    assert count(kernel.hot, ["LDS"], "128") > 0


def _gradient_on_tensor_cores(kernel: Kernel, dtype: str) -> None:
    assert count(kernel.hot, ["HMMA"]) > 0
    assert count(kernel.hot, ["FFMA", "LDL", "STL"]) == 0


def _in_registers(kernel: Kernel, dtype: str) -> None:
    assert count(kernel.code, MATRIX) == 0
    if dtype == "float32":
        assert kernel.share(["FFMA"]) >= LEAST_SHARE, kernel.mix
        assert count(kernel.hot, ["LDS"], "128") + count(kernel.hot, ["LDS"], "64") > 0
        assert count(kernel.hot, ["LDG", "STS", "LDL", "STL"]) == 0


def _by_tables(kernel: Kernel, dtype: str) -> None:
    assert count(kernel.code, MATRIX) == 0


LEAST_PRODUCTS, LEAST_SHARE = 16, 0.85
LOOKS = {
    Tensor: _on_tensor_cores,
    TensorGradient: _gradient_on_tensor_cores,
    Direct: _in_registers,
    WeightGradient: _in_registers,
    Gathered: _by_tables,
}
