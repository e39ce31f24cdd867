"""The GPU that is measured: which it is, its tensors, its clock, and graphs of calls."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from typing import Any

from benchmarks.case import Case, data_of
from benchmarks.timing import WARM, Run

PACKAGES = ("torch", "cuda-core", "nvidia-cuda-nvrtc")


def why_none() -> str:
    """Why nothing can be measured here; empty where a GPU can be."""
    try:
        import cuda.core  # noqa: F401
        import torch
    except ImportError as error:
        return f"{error}; install the extras cuda and torch"
    if torch.version.cuda is None:
        return f"torch {torch.__version__} is built without CUDA"
    if not torch.cuda.is_available():
        return f"torch {torch.__version__} finds no GPU"
    return ""


def described() -> str:
    """One line: the device, its driver, and the versions of everybody who takes part."""
    import torch
    from cuda.core import system

    device = torch.cuda.get_device_properties(torch.cuda.current_device())
    driver = ".".join(f"{part:02}" for part in system.get_kernel_mode_driver_version())
    memory = device.total_memory / 2**30
    parts = [
        f"{device.name}, compute capability {device.major}.{device.minor}",
        f"{device.multi_processor_count} multiprocessors, {memory:.0f} GiB",
        f"driver {driver}",
        *(f"{package} {version(package)}" for package in PACKAGES),
        f"CUDA {torch.version.cuda}",
        f"cuDNN {torch.backends.cudnn.version()}",
    ]
    return "; ".join(parts)


def tensors(case: Case, device: str = "cuda") -> Any:
    """The arrays of a case on a device, rounded to its dtype."""
    import torch

    from benchmarks.peers.torch_peer import Tensors

    data = data_of(replace(case, dtype="float32"))
    arrays = (data.x, data.weight, data.bias, data.grad)
    dtype = getattr(torch, case.dtype)
    return Tensors(*(torch.from_numpy(each).to(device, dtype) for each in arrays))


def captured(run: Run, repeats: int) -> Callable[[], None]:
    """So many calls, one after the other, as one graph: what replays it."""
    import torch

    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM):
            run()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(repeats):
            run()
    replay: Callable[[], None] = graph.replay
    return replay


def clock() -> float:
    """Seconds, once the device has done all that was asked of it."""
    import torch

    torch.cuda.synchronize()
    return time.perf_counter()
