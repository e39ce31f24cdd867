"""What is seen of CUDA texts without a GPU: they compile, nothing is spilled, loops are sums."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from codegen._runtime.cuda.program import Program
from codegen.cuda.device import device_of
from codegen.targets.cuda.text import emit_cuda
from derive import Operator
from derive.catalogue import read_catalogue
from tests.cuda.compiled import Compiled, by_nvrtc, needs_nvcc, needs_nvrtc, whole_by_nvcc
from tests.cuda.operators import random_operator

CAPABILITIES = (75, 80, 90)
DTYPES = ("float32", "float64", "float16", "bfloat16")
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
    """For all devices: for one by the whole optimiser, and with a look at what is used."""
    for i, (name, op) in enumerate(ops.items(), turn):
        for j, capability in enumerate(CAPABILITIES):
            dtype = DTYPES[(i + j) % len(DTYPES)]
            if j == i % len(CAPABILITIES):
                compiled(op, name, dtype, capability)
            else:
                text = emitted(op, name, dtype, capability).source
                by_nvrtc(text, f"sm_{capability}", quick=True)


@needs_nvcc
@chunks
def test_nvcc_compiles(turn: int, ops: dict[str, Operator]) -> None:
    """With the host functions; all texts of a dtype at once, each in a namespace of its own."""
    dtype, capability = DTYPES[turn % len(DTYPES)], CAPABILITIES[turn % len(CAPABILITIES)]
    device = device_of(capability)
    texts = {name: emit_cuda(op, name, dtype, device).source for name, op in ops.items()}
    whole_by_nvcc(_together(texts.items()), (f"sm_{capability}",))


def _together(texts: Iterable[tuple[str, str]]) -> str:
    spaces = [f"namespace of_{name} {{\n{text}\n}}\n" for name, text in texts]
    return "#include <cuda_runtime.h>\n" + "".join(spaces)
