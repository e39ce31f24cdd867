"""A convolution whose kernels NumPy plays: what the tests of launching launch."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

import derive
from codegen import Kernel, build
from codegen._runtime.arrays import Array
from codegen._runtime.cuda import CudaKernel, Function, Program, Room, Step, cuda_functions
from tests.cuda.fake import FakeDevice, FakeDevices, at

OP = derive.Conv1d(2, 3, 3, padding=1, input_size=5)
X, Y, WEIGHT = (2, 5), (3, 5), (3, 2, 3)
BYTES = 4 * 18  # of a weight


def program(dtype: str = "float32", device: object = None) -> Program:
    """Its weight is prepared in two steps, and the border reads the weight as it is."""
    prepare = (
        Step("k_fold", ("weight", "folded"), 32, 1, 0),
        Step("k_pack", ("folded", "prepared"), 32, 1, 0),
    )
    rooms = {"folded": Room(BYTES), "prepared": Room(BYTES)}
    forward = Step("k_forward", ("x", "prepared", "weight", "bias", "y"), 64, 2, 2, 99 << 10)
    back = Step("k_input_gradient", ("y", "weight", "x"), 64, 1)
    parts = Step("k_parts", ("x", "y", "parts"), 64, 1)
    total = Step("k_total", ("parts", "weight"), 64, 1, 0)
    functions = {
        "forward": Function((forward,), prepare, rooms),
        "input_gradient": Function((back,)),
        "weight_gradient": Function((parts, total), rooms={"parts": Room(256, BYTES)}),
        "bias_gradient": Function((Step("k_bias_gradient", ("y", "bias"), 64, 1, 0),)),
    }
    return Program("k", dtype, "__global__ void k() {}", functions, "sm_75")


@cache
def numpy_kernel() -> Kernel:
    kernel = build(OP, "numpy", "float32")
    assert isinstance(kernel, Kernel)
    return kernel


def copied(_: int, source: int, target: int) -> None:
    at(target, WEIGHT)[...] = at(source, WEIGHT)


def forward(batch: int, x: int, prepared: int, weight: int, bias: int, y: int) -> None:
    given = at(prepared, WEIGHT)
    assert (given == at(weight, WEIGHT)).all()
    constant = at(bias, (3,)) if bias else np.zeros(3, "f4")
    at(y, (batch, *Y))[...] = numpy_kernel()(at(x, (batch, *X)), given, constant)


def input_gradient(batch: int, y: int, weight: int, x: int) -> None:
    found = numpy_kernel().input_gradient(at(y, (batch, *Y)), at(weight, WEIGHT))
    at(x, (batch, *X))[...] = found


def parts(batch: int, x: int, y: int, made: int) -> None:
    samples = zip(at(x, (batch, *X)), at(y, (batch, *Y)), strict=True)
    total = np.zeros(WEIGHT, "f4")
    for one, gradient in samples:
        total += numpy_kernel().weight_gradient(one, gradient)
    at(made, WEIGHT)[...] = total


def total(batch: int, made: int, weight: int) -> None:
    at(weight, WEIGHT)[...] = at(made, WEIGHT) if batch else 0


def bias_gradient(batch: int, y: int, bias: int) -> None:
    at(bias, (3,))[...] = at(y, (batch, *Y)).sum(axis=(0, 2))


KERNELS = {
    "k_fold": copied,
    "k_pack": copied,
    "k_forward": forward,
    "k_input_gradient": input_gradient,
    "k_parts": parts,
    "k_total": total,
    "k_bias_gradient": bias_gradient,
}


def fake_device(ordinal: int = 0) -> FakeDevice:
    return FakeDevice(ordinal, KERNELS)


def cuda_kernel(devices: FakeDevices | None = None, **changes: Any) -> CudaKernel:
    """The kernel of OP on fake devices."""
    made = CudaKernel(
        name="k",
        input_shape=X,
        output_shape=Y,
        weight_shape=WEIGHT,
        bias_shape=(3,),
        macs=OP.macs,
        naive_macs=OP.naive_macs,
        load=cuda_functions(program),
        devices=devices or FakeDevices((fake_device(),)),
        dtypes=("float32",),
    )
    return replace(made, **changes)


def data() -> tuple[Array, Array, Array, Array]:
    """x, weight, bias and a gradient of the output, small integers."""
    rng = np.random.default_rng(0)
    shapes = ((4, *X), WEIGHT, (3,), (4, *Y))
    x, w, b, g = (rng.integers(-4, 5, shape).astype("f4") for shape in shapes)
    return x, w, b, g
