"""How far rounding may take the result of a small network, layer by layer."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import derive
from codegen.error_bound import carried, error_bound
from derive import Operator

Array = NDArray[np.float64]


def output_bound(model: nn.Sequential, x: Tensor, last: Operator) -> Tensor:
    """The most by which each output may differ from exact arithmetic with the same weights.

    The model is convolutions with ReLU, which enlarges no difference, in between; ``last`` is the
    operator of its last layer. Every order of summation is within it.
    """
    values, error = x, np.zeros(x.shape)
    for op, module in _convolutions(model, x, last):
        weight, bias = (p.detach().double().numpy() for p in (module.weight, module.bias))
        near = values.abs().double().numpy() + 2 * error  # of either computation
        new = error_bound(op, "forward", [near, weight, bias], "float32")
        error = new + carried(op, "forward", [error, abs(weight)])
        values = torch.relu(module(values))
    return torch.from_numpy(error)


def _convolutions(
    model: nn.Sequential, x: Tensor, last: Operator
) -> Iterator[tuple[Operator, nn.Conv2d]]:
    convolutions = [
        module for module in model if isinstance(getattr(module, "weight", None), Tensor)
    ]
    for module in convolutions[:-1]:
        assert isinstance(module, nn.Conv2d)
        ends, k = (module.in_channels, module.out_channels), module.kernel_size
        padding = tuple(int(p) for p in module.padding)
        yield derive.Conv2d(*ends, k, padding=padding, input_size=tuple(x.shape[2:])), module
    yield last, convolutions[-1]
