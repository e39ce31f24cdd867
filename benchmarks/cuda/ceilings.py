"""What the device can do at most, measured beside everybody else: copies, and multiply-adds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

from benchmarks.case import Case
from benchmarks.timing import Run

TEXT = Path(__file__).with_name("ceilings.cu")
SUMS, TURNS, STEPS = 32, 8, 1024  # of a thread: accumulators; unrolled; repeated
THREADS, BLOCKS = 256, 8  # of a block; of a multiprocessor
MATRIX = 2 * 16 * 8 * 16  # operations of a product of tiles, which gives 4 sums to each of 32 lanes
COPIED = 1 << 28  # bytes, more than any cache holds
WIDTH = {"float32": 4, "float16": 2, "bfloat16": 2}  # bytes


@dataclass(frozen=True, slots=True)
class Ceilings:
    """Bytes a second that a copy reads and writes, and floating-point operations a second."""

    bandwidth: float
    flops: float

    def of(self, case: Case) -> float:
        """Operations a second of a case at most: by its sums, or by its arrays, each moved once."""
        moved = WIDTH[case.dtype] * (
            case.batch * (prod(case.op.input_shape) + prod(case.op.output_shape))
            + prod(case.layer.form.weight_shape)
        )
        return min(self.flops, case.flops * self.bandwidth / moved)


def text() -> str:
    """The kernels, their sizes written out."""
    return f"#define SUMS {SUMS}\n#define TURNS {TURNS}\n{TEXT.read_text(encoding='utf-8')}"


def operations(dtype: str, multiprocessors: int) -> int:
    """Of one launch."""
    threads = multiprocessors * BLOCKS * THREADS
    if dtype == "float32":
        return 2 * threads * STEPS * TURNS * SUMS
    return threads // 32 * STEPS * TURNS * (SUMS // 4) * MATRIX


@cache
def sums(dtype: str) -> tuple[Callable[[], Any], int]:
    """A launch of multiply-adds of registers on torch's stream, and how many operations it does."""
    import numpy as np
    import torch
    from cuda.core import Device, LaunchConfig, Program, ProgramOptions, Stream, launch

    device = Device(torch.cuda.current_device())
    device.set_current()
    options = ProgramOptions(std="c++17", arch=f"sm_{device.arch}")
    kernel = Program(text(), "c++", options).compile("cubin").get_kernel(f"{dtype}_sums")
    count = device.properties.multiprocessor_count
    out = torch.empty(count * BLOCKS * THREADS, device="cuda")
    config = LaunchConfig(grid=count * BLOCKS, block=THREADS)

    def run() -> Any:
        stream = Stream.from_handle(torch.cuda.current_stream().cuda_stream)
        launch(stream, config, kernel, np.int32(STEPS), out.data_ptr())
        return out

    return run, operations(dtype, count)


@cache
def copy() -> tuple[Run, int]:
    """A copy within the device, and the bytes that it reads and writes."""
    import torch

    source = torch.zeros(COPIED, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    return lambda: target.copy_(source), 2 * COPIED
