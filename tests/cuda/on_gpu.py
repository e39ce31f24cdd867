"""Tensors for the functions of a CUDA kernel, and what they hold when it is done."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.cuda.gpu import why_none
from codegen._runtime.cuda import CudaKernel
from codegen._runtime.cuda.program import ARGUMENTS
from tests.cuda.exact import Trial, stored

Array = NDArray[Any]

needs_gpu = pytest.mark.skipif(bool(why_none()), reason=why_none() or "there is a GPU")
SHORT = {"bfloat16": np.int16}  # NumPy's type of what it has no type for


def placed(values: Array, dtype: str, device: str = "cuda") -> Any:
    """Numbers as a tensor of a dtype, rounded to it."""
    import torch

    held = stored(values, dtype)
    short = SHORT.get(dtype)
    tensor = torch.from_numpy(held if short is None else held.view(short))
    return tensor.to(device).view(getattr(torch, dtype))


def held(tensor: Any) -> Array:
    """What a tensor holds, as memory does: bfloat16 by its bits."""
    import torch

    if tensor.dtype == torch.bfloat16:
        bits: Array = tensor.view(torch.int16).cpu().numpy()
        return bits.view(np.uint16)
    found: Array = tensor.cpu().numpy()
    return found


def inputs(trial: Trial, direction: str, dtype: str, device: str = "cuda") -> list[Any]:
    """The tensors that a function reads, in the order of its arguments."""
    sample = trial.sample
    given = {"x": sample.x, "weight": sample.weight, "bias": sample.bias, "y": sample.grad}
    read = [given[name] for name in ARGUMENTS[direction][:-1]]
    return [None if each is None else placed(each, dtype, device) for each in read]


def wrong(kernel: CudaKernel, trial: Trial, dtype: str, device: str = "cuda") -> list[str]:
    """The functions of a kernel whose results are not the exact ones, or not within the bound."""
    return [
        direction
        for direction in trial.expected
        if trial.wrong(
            direction,
            held(getattr(kernel, direction)(*inputs(trial, direction, dtype, device))),
            dtype,
        )
    ]
