"""What happens on a driver of the tests: ``python -m tests.cuda.driven`` prints it as JSON.

It runs where LD_LIBRARY_PATH leads to driver.c, whose environment it changes from case to case.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from codegen._runtime.cuda import CudaKernel, Function, Program, Step, cuda_functions
from codegen._runtime.cuda.driver import count, version
from codegen._runtime.cuda.gpu import DEVICES, CudaDevices
from tests.cuda.fake import Interface, at

LOG = Path(os.environ.get("FAKE_LOG", os.devnull))  # test collectors import it, too
KERNEL = """extern "C" __global__ void k_forward(long long batch, const float *x, float *y)
{
    extern __shared__ __align__(16) unsigned char shared[];
    for (long long i = threadIdx.x; i < 4 * batch; i += blockDim.x) y[i] = x[i] + 1;
}
"""
STEP = Step("k_forward", ("x", "y"), 64, 3, 2, 60_000)
PROGRAM = Program("k", "float32", KERNEL, {"forward": Function((STEP,))})
X = np.arange(20, dtype="f4").reshape(5, 4)


def kernel(program: Program = PROGRAM) -> CudaKernel:
    return CudaKernel(
        name="k",
        input_shape=(4,),
        output_shape=(4,),
        weight_shape=None,
        bias_shape=None,
        macs=4,
        naive_macs=4,
        load=cuda_functions({"float32": program}),
    )


class Exchanged:
    """An array that offers DLPack alone."""

    def __init__(self, array: Any) -> None:
        self.array, self.streams = array, []  # type: ignore[var-annotated]

    def __dlpack__(self, **options: Any) -> object:
        self.streams.append(options.get("stream"))
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        found: tuple[int, int] = self.array.__dlpack_device__()
        return found


def called() -> object:
    y = kernel()(Interface(X, stream=77))
    return at(y.address, y.shape).tolist(), y.device


def given_out() -> object:
    out = np.zeros_like(X)
    assert kernel()(Interface(X), out=(target := Interface(out))) is target
    return out.tolist()


def exchanged() -> object:
    """Of a result, as DLPack gives it away and takes it back."""
    y = kernel()(Interface(X, stream=77))
    wrapped = Exchanged(y)
    again = kernel()(wrapped, stream=5)
    return at(again.address, again.shape).tolist(), wrapped.streams


def context() -> object:
    """That of the thread, before, inside and after."""
    from cuda.bindings import driver

    def current() -> int:
        return int(driver.cuCtxGetCurrent()[1])

    seen = [current()]
    with DEVICES.at(0).current():
        seen.append(current())
        with DEVICES.at(0).current():
            seen.append(current())
    kernel()(Interface(X))
    return [each != 0 for each in (*seen, current())]


def copies() -> object:
    """To the device, on it, and back."""
    device = DEVICES.at(0)
    with device.current():
        one, two = device.allocate(80, 1), device.allocate(80, 1)
        device.upload(one.address, X, 1)
        device.copy(two.address, one.address, 80, 1)
        device.download(back := np.zeros_like(X), two.address, 1)
    return back.tolist()


def another() -> object:
    """The second of two devices, by where the memory is."""
    return [kernel()(Interface(X)).device, len({id(DEVICES.at(1)) for _ in range(3)})]


def newer() -> object:
    return kernel(replace(PROGRAM, architecture="sm_90"))(Interface(X))


def greedy() -> object:
    step = replace(STEP, shared=200_000)
    return kernel(replace(PROGRAM, functions={"forward": Function((step,))}))(Interface(X))


def described() -> object:
    device = DEVICES.at(1)
    return str(device), device.capability, device.multiprocessors


def away() -> object:
    return DEVICES.at(3)


CASES: dict[str, tuple[Callable[[], object], dict[str, Any]]] = {
    "called": (called, {}),
    "given out": (given_out, {}),
    "exchanged": (exchanged, {}),
    "context": (context, {}),
    "copies": (copies, {}),
    "second device": (another, {"FAKE_ORDINAL": 1}),
    "described": (described, {"FAKE_CAPABILITY": 120}),
    "version": (version, {"FAKE_VERSION": 12040}),
    "no GPU": (count, {"FAKE_FAILS": "cuInit", "FAKE_STATUS": 100}),
    "no such GPU": (away, {}),
    "old GPU": (called, {"FAKE_CAPABILITY": 70}),
    "older than the program": (newer, {"FAKE_CAPABILITY": 86}),
    "newer than NVRTC": (called, {"FAKE_CAPABILITY": 995}),
    "too much shared memory": (greedy, {}),
    "old driver": (called, {"FAKE_FAILS": "cuLibraryLoadData", "FAKE_STATUS": 209}),
    "no memory": (called, {"FAKE_FAILS": "cuMemAllocFromPoolAsync", "FAKE_STATUS": 2}),
    "failed launch": (called, {"FAKE_FAILS": "cuLaunchKernelEx"}),
    "failed step": (called, {"FAKE_FAILS": "cuStreamSynchronize", "EXACTCONV_CUDA_CHECK": 1}),
    "strange address": (called, {"FAKE_FAILS": "cuPointerGetAttribute", "FAKE_STATUS": 1}),
}


def outcome(case: Callable[[], object], environment: dict[str, Any]) -> dict[str, Any]:
    """What a case returns or raises, and what it asked of the driver."""
    os.environ.update({name: str(value) for name, value in environment.items()})
    count.cache_clear()
    CudaDevices.at.cache_clear()
    LOG.write_text("")
    try:
        found: dict[str, Any] = {"result": case()}
    except Exception as error:
        found = {"error": type(error).__name__, "message": str(error)}
    for name in environment:
        del os.environ[name]
    return {**found, "log": LOG.read_text().splitlines()}


if __name__ == "__main__":
    print(json.dumps({name: outcome(*case) for name, case in CASES.items()}))
