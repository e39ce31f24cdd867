"""Operator -> CUDA kernel, its text made for a device and tested on it before it is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np

from derive import Operator

from ._runtime import Kernel
from ._runtime.arrays import Array, Raw
from ._runtime.cuda import CudaKernel, Program, cuda_functions
from ._runtime.cuda.device import Device as Gpu
from .acceptance import LARGEST, faults
from .cuda.device import Device, device_of
from .error_bound import error_bound
from .half_bound import LARGEST_EXPONENT as HALVES
from .half_bound import half_bound
from .targets import facts
from .targets.cuda.numbers import NUMBERS
from .targets.cuda.text import emit_cuda

CUDA_DTYPES = tuple(NUMBERS)


def cuda_kernel(op: Operator, dtype: str, name: str) -> CudaKernel:
    """The kernel of an operator of fixed size; its text is made for each GPU that it runs on."""

    def program_on(dtype: str, gpu: Gpu) -> Program:
        return cuda_program(op, name, dtype, device_of(gpu.capability, gpu.multiprocessors))

    return CudaKernel(
        **facts(op, name),
        dtypes=(dtype,),
        source=cuda_program(op, name, dtype).source,
        bound=partial(_bound, op, dtype),
        load=cuda_functions(program_on, test=partial(cuda_faults, op, name)),
    )


@lru_cache(maxsize=256)
def cuda_program(op: Operator, name: str, dtype: str, device: Device | None = None) -> Program:
    """The text of an operator and its launches."""
    return emit_cuda(op, name, dtype, device)


def cuda_faults(op: Operator, name: str, functions: Mapping[str, Raw], dtype: str) -> list[str]:
    """The functions of a device that are wrong on integers, called with arrays of the host.

    Halves hold few integers: small operators may be off by their bound, large ones get 1 and -1.
    """
    halves = dtype in HALVES
    kernel = Kernel(
        **facts(op, name),
        dtypes=("float32" if halves else dtype,),
        load=lambda _: functions,
        bound=partial(_bound, op, dtype),
        fast=tuple(functions) if halves else (),
    )
    return faults(kernel, op, largest=1 if halves else LARGEST)


def _bound(
    op: Operator, dtype: str, direction: str, inputs: Sequence[Array], _: str
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """``error_bound`` of a kernel, in whatever type its arrays come to the host."""
    of: Callable[..., Any] = half_bound if dtype in HALVES else error_bound
    found: np.ndarray[Any, np.dtype[np.float64]] = of(op, direction, inputs, dtype)
    return found
