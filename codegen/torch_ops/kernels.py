"""The kernel of a text, a size, a dtype and a kind of device; made at the first call with them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch

from codegen._runtime import LayoutError
from codegen._runtime.specialised import WEIGHTED
from codegen._runtime.weighted import Weighted
from codegen.builder import build

from .words import chain_of

TARGETS = {"cpu": "c", "cuda": "cuda"}  # by the type of a device
DTYPES = {  # that a device has kernels for
    "cpu": (torch.float32, torch.float64, torch.int64),
    "cuda": (torch.float32, torch.float64, torch.float16, torch.bfloat16),
}
Sizes = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Sized:
    """A kernel, and those of its functions that are sooner done with a prepared weight."""

    kernel: Any
    prepares: tuple[str, ...]


@lru_cache(maxsize=1024)
def kernel_of(words: str, input_size: Sizes, dtype: torch.dtype, device: str) -> Sized:
    """The kernel of a text of ``words_of`` at one input size, specialised for it.

    LayoutError where the device has no kernel of this dtype, GeometryError where the layer has no
    output of this size.

    >>> from derive import Conv1d
    >>> from .words import words_of
    >>> kernel_of(words_of(Conv1d(1, 1, 3)), (5,), torch.float32, "cpu").kernel.output_shape
    (1, 3)
    """
    check_dtype("x", dtype, device)
    chain, name = chain_of(words), str(dtype).removeprefix("torch.")
    fast = device == "cpu" and dtype.is_floating_point  # where there are other algorithms
    algorithm = chain.algorithm if fast else "exact"
    kernel: Any = build(chain.at(input_size), TARGETS[device], name, algorithm=algorithm)
    if device != "cpu":
        return Sized(kernel, WEIGHTED)
    functions = kernel.load(name)
    return Sized(kernel, tuple(d for d in WEIGHTED if isinstance(functions[d], Weighted)))


def check_dtype(name: str, dtype: torch.dtype, device: str) -> None:
    """LayoutError unless there are kernels of this dtype for this type of device."""
    if device == "meta":  # holds no numbers
        return
    if device not in DTYPES:
        raise LayoutError(f"{name} is on {device}; allowed is {' or '.join(DTYPES)}")
    if dtype not in DTYPES[device]:
        allowed = ", ".join(map(str, DTYPES[device]))
        raise LayoutError(f"{name} has dtype {dtype}; allowed on {device} is {allowed}")
