# Copied by `python -m codegen` from codegen/_runtime; edit it there.
"""Programs -> functions on a device, and the same ones over arrays of the host, for their test."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cache

import numpy as np

from ..arrays import Array, Raw
from ..errors import WrongKernelError
from .device import LEGACY, Device, Kernels
from .halves import narrowed, widened
from .launch import DeviceFunction
from .program import Program

CHECK = "EXACTCONV_CUDA_CHECK"  # 1: wait for each step, and say which one failed
Load = Callable[[str, Device], Mapping[str, DeviceFunction]]
Test = Callable[[Mapping[str, Raw], str], list[str]]


def cuda_functions(
    programs: Mapping[str, Program] | Callable[[str, Device], Program], *, test: Test | None = None
) -> Load:
    """(dtype, device) -> the functions of a kernel, compiled for the device at first use.

    ``programs`` are those of each dtype, or a function that makes one for a dtype and a device.
    ``test`` gets functions of NumPy arrays, inputs and then the output, and the dtype; it names
    those that are wrong, before a cubin is kept. In float16 and bfloat16 the arrays may be of any
    float type: they are rounded on their way.
    """

    @cache
    def load(dtype: str, device: Device) -> Mapping[str, DeviceFunction]:
        slow = os.environ.get(CHECK) == "1"
        program = programs[dtype] if isinstance(programs, Mapping) else programs(dtype, device)

        def functions(kernels: Kernels) -> Mapping[str, DeviceFunction]:
            return {
                direction: DeviceFunction(program, direction, device, kernels, slow)
                for direction in program.functions
            }

        def check(kernels: Kernels) -> None:
            made = {d: on_host(function) for d, function in functions(kernels).items()}
            if test is not None and (wrong := test(made, dtype)):
                raise WrongKernelError(program.name, wrong, "Another NVRTC may be right")

        with device.current():
            return functions(device.load(program, None if test is None else check))

    return load


def on_host(function: DeviceFunction) -> Raw:
    """A function of arrays of the host, inputs and then the output, through copies."""
    dtype, device = function.program.dtype, function.device

    def call(*arrays: Array) -> None:
        *inputs, written = arrays
        batch = len(arrays[0])
        held, addresses = [], dict.fromkeys(function.arguments, 0)
        with device.current():
            for name, array in zip(function.arguments, inputs, strict=False):
                numbers = narrowed(array, dtype)
                held.append(memory := device.allocate(max(numbers.nbytes, 1), LEGACY))
                addresses[name] = memory.address
                device.upload(memory.address, numbers, LEGACY)
            result = narrowed(written, dtype)
            held.append(memory := device.allocate(max(result.nbytes, 1), LEGACY))
            addresses[function.arguments[-1]] = memory.address
            device.upload(memory.address, result, LEGACY)  # what is left out then shows
            function(batch, addresses, LEGACY, lambda size: device.allocate(size, LEGACY))
            device.download(result, memory.address, LEGACY)
        for memory in held:
            memory.release()
        np.copyto(written, widened(result, dtype), casting="unsafe")

    return call
