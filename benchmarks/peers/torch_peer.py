"""torch as it is called without thought: contiguous arrays, and its faster layout for images."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch.nn import functional

from benchmarks.case import Case, Data
from benchmarks.contestant import Contestant, UnsupportedError
from derive.arguments import per_axis
from derive.layers import Layer
from derive.layers.transposed import TransposedConvolution

Tensor = torch.Tensor
LAST = {4: torch.channels_last, 5: torch.channels_last_3d}


class Tensors(NamedTuple):
    """The arrays of a case, the same for everyone: x and grad have a batch."""

    x: Tensor
    weight: Tensor
    bias: Tensor
    grad: Tensor


def contiguous(case: Case, data: Data, threads: int) -> Contestant:
    """Tensors as they are made."""
    return _contestant(case, data, threads, torch.contiguous_format)


def channels_last(case: Case, data: Data, threads: int) -> Contestant:
    """Input and weight with the channels of a pixel side by side."""
    return _contestant(case, data, threads, last(case))


def last(case: Case) -> torch.memory_format:
    """The layout with the channels of a pixel side by side."""
    dimensions = 2 + len(case.op.axes)
    if dimensions not in LAST:
        raise UnsupportedError("no such layout for signals")
    return LAST[dimensions]


def _contestant(case: Case, data: Data, threads: int, layout: torch.memory_format) -> Contestant:
    torch.set_num_threads(threads)
    tensors = Tensors(*map(torch.from_numpy, (data.x, data.weight, data.bias, data.grad)))
    return Contestant(function(case, tensors, layout), lambda result: result.contiguous().numpy())


def function(case: Case, tensors: Tensors, layout: torch.memory_format) -> Callable[[], Tensor]:
    """What computes a case once, of tensors in a layout."""
    x, weight, grad = (
        each.contiguous(memory_format=layout) for each in (tensors.x, tensors.weight, tensors.grad)
    )
    if case.direction == "forward":
        return partial(forward(case), x, weight, tensors.bias)
    if case.resize is not None:
        raise UnsupportedError("gradients of a chain")
    return _gradient(case, grad, x, weight)


def forward(case: Case) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """The layer as a function of x, weight and bias; the resize is a call of its own."""
    layer, words = case.layer, case.layer.parameters
    names = ["stride", "padding", "dilation", "groups"]
    if isinstance(layer, TransposedConvolution):
        names.append("output_padding")
    parameters: dict[str, Any] = {name: words[name] for name in names}
    kind = "conv_transpose" if isinstance(layer, TransposedConvolution) else "conv"
    convolve = getattr(functional, f"{kind}{layer.dimensions}d")
    if case.resize is None:
        return lambda x, weight, bias: convolve(x, weight, bias, **parameters)
    up = case.resize.parameters
    resize = {name: up[name] for name in ("scale_factor", "mode", "align_corners")}
    return lambda x, weight, bias: convolve(
        functional.interpolate(x, **resize), weight, bias, **parameters
    )


def _gradient(case: Case, grad: Tensor, x: Tensor, weight: Tensor) -> Callable[[], Tensor]:
    """The gradient by one argument alone."""
    layer: Layer = case.layer
    which = ("input_gradient", "weight_gradient").index(case.direction)
    steps = [
        list(per_axis(name, layer.parameters.get(name, 0), layer.dimensions, 0))
        for name in ("stride", "padding", "dilation")
    ]
    extra = list(
        per_axis("output_padding", layer.parameters.get("output_padding", 0), layer.dimensions, 0)
    )
    is_transposed = isinstance(layer, TransposedConvolution)
    wanted = [i == which for i in range(3)]
    backward = torch.ops.aten.convolution_backward

    def run() -> Tensor:
        result: Tensor = backward(
            grad, x, weight, None, *steps, is_transposed, extra, layer.groups, wanted
        )[which]
        return result

    return run
