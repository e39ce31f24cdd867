"""From an operator to a call: the emitted text on an emulated device, tested there and launched."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import derive
from codegen import Kernel, build
from codegen._runtime import WrongKernelError
from codegen._runtime.arrays import Array
from codegen._runtime.cuda import CudaKernel, DeviceArray, cuda_functions
from codegen._runtime.cuda.halves import narrowed, widened
from codegen.cuda_builder import cuda_faults, cuda_kernel, cuda_program
from derive import Operator
from tests.codegen.judge import nonzero
from tests.cuda.emulated import needs_emulator
from tests.cuda.emulated_device import EmulatedDevice
from tests.cuda.fake import FakeDevices, Interface, at

DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
OP = derive.Conv2d(2, 3, 3, stride=2, padding=1, padding_mode="reflect", input_size=(5, 4))
RESIZE = derive.Interpolate(2, (3, 4), scale_factor=2)


@pytest.fixture
def device(tmp_path: Path) -> EmulatedDevice:
    return EmulatedDevice(op=OP, folder=tmp_path)


def given(device: EmulatedDevice, values: Array, dtype: str) -> Any:
    """Numbers on the device, as a stranger's array or, in bfloat16, as ours."""
    numbers = narrowed(values, dtype)
    with device.current():
        memory = device.allocate(max(numbers.nbytes, 1), 1)
    device.upload(memory.address, numbers, 1)
    made = DeviceArray(memory.address, values.shape, dtype, owner=memory)
    return made if dtype == "bfloat16" else Interface(at(memory.address, values.shape, dtype))


def numbers(result: DeviceArray) -> Array:
    stored = "uint16" if result.dtype == "bfloat16" else result.dtype
    return widened(at(result.address, result.shape, stored).copy(), result.dtype)


def on(device: EmulatedDevice, kernel: CudaKernel) -> CudaKernel:
    return replace(kernel, devices=FakeDevices((device,)))


def reference(op: Operator) -> Kernel:
    kernel = build(op, "numpy", "float64")
    assert isinstance(kernel, Kernel)
    return kernel


@needs_emulator
@DTYPES
def test_a_convolution(device: EmulatedDevice, dtype: str) -> None:
    """Integers that each dtype holds, so that all is equal; the weight prepared or not."""
    rng, known = np.random.default_rng(5), reference(OP)
    x, g = nonzero(rng, (3, 2, 5, 4)) % 3, nonzero(rng, (3, *OP.output_shape)) % 2
    w, b = nonzero(rng, (3, 2, 3, 3)) % 2, nonzero(rng, (3,)) % 3
    kernel = on(device, cuda_kernel(OP, dtype, "whole"))
    place = partial(given, device, dtype=dtype)
    for weight in (place(w), kernel.prepare(place(w))):
        y = kernel(place(x), weight, place(b))
        assert np.array_equal(numbers(y), known(*map(np.float64, (x, w, b))))
    gx = kernel.input_gradient(place(g), place(w))
    assert np.array_equal(numbers(gx), known.input_gradient(*map(np.float64, (g, w))))
    gw = kernel.weight_gradient(place(x), place(g))
    assert np.array_equal(numbers(gw), known.weight_gradient(*map(np.float64, (x, g))))
    gb = kernel.bias_gradient(place(g))
    assert np.array_equal(numbers(gb), known.bias_gradient(g.astype(float)))


@needs_emulator
def test_a_resize(tmp_path: Path) -> None:
    device = EmulatedDevice(op=RESIZE, folder=tmp_path)
    x = nonzero(np.random.default_rng(6), (2, 2, 3, 4)).astype(float)
    kernel = on(device, cuda_kernel(RESIZE, "float32", "whole"))
    y = kernel(given(device, x, "float32"))
    assert np.array_equal(numbers(y), reference(RESIZE)(x))
    back = kernel.input_gradient(y)
    assert np.array_equal(numbers(back), reference(RESIZE).input_gradient(numbers(y).astype(float)))


@needs_emulator
def test_a_wrong_text_is_not_kept(device: EmulatedDevice) -> None:
    """The acceptance of ``build`` runs on the device, and names the function."""
    program = cuda_program(OP, "whole", "float32")
    planted = replace(program, source=_with_lost_bias(program.source))
    test = partial(cuda_faults, OP, "whole")
    with pytest.raises(WrongKernelError, match="Another NVRTC may be right") as caught:
        cuda_functions({"float32": planted}, test=test)("float32", device)
    assert caught.value.functions == ("forward",)


def _with_lost_bias(text: str) -> str:
    lost = text.replace("bias ?", "false ?")
    assert lost != text
    return lost
