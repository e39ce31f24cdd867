"""Our own contestant: the C kernel for this machine."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import codegen
from codegen import Kernel

from .case import Case, Data
from .contestant import Contestant, UnsupportedError

ALGORITHMS = ("exact", "fast", "auto")


def kernel_of(case: Case, target: str, algorithm: str = "auto", dtype: str = "") -> Kernel:
    """The kernel of a case; ``algorithm`` counts where the generator knows more than one."""
    words: dict[str, Any] = {"target": target, "dtype": dtype or case.dtype}
    if "algorithm" in inspect.signature(codegen.build).parameters:
        words["algorithm"] = algorithm
    elif algorithm == "fast":
        raise UnsupportedError("no fast algorithms here yet")
    kernel = codegen.build(case.op, **words)
    assert isinstance(kernel, Kernel)
    return kernel


def ours(case: Case, data: Data, algorithm: str) -> Contestant:
    """Forward with the weight prepared once, as for inference; gradients with it as it is."""
    kernel = kernel_of(case, "c", algorithm)
    return Contestant(function(kernel, case.direction, data, np.empty_like), np.asarray)


def function(kernel: Any, direction: str, data: Any, empty_like: Any) -> Callable[[], Any]:
    """What calls a kernel once, on arrays or tensors."""
    if direction == "forward":
        y, weight = empty_like(data.grad), kernel.prepare(data.weight)
        return partial(kernel.forward, data.x, weight, data.bias, y)
    if direction == "input_gradient":
        return partial(kernel.input_gradient, data.grad, data.weight, empty_like(data.x))
    return partial(kernel.weight_gradient, data.x, data.grad, empty_like(data.weight))


def exact(case: Case, data: Data) -> np.ndarray[Any, Any]:
    """The result in float64, by the NumPy kernel: what everybody is compared with."""
    kernel = kernel_of(case, "numpy", "exact", "float64")
    x, weight, bias, grad = (
        each.astype(np.float64) for each in (data.x, data.weight, data.bias, data.grad)
    )
    arguments = {
        "forward": (x, weight, bias),
        "input_gradient": (grad, weight),
        "weight_gradient": (x, grad),
    }[case.direction]
    return np.asarray(getattr(kernel, case.direction)(*arguments))
