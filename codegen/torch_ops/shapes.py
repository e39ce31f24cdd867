"""Shapes of the three functions by the derived size formulas, which take symbolic integers too.

What does not fit is refused here in one place, for real tensors and for those of a trace.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from codegen._runtime import LayoutError

from .kernels import check_dtype
from .words import Chain, chain_of

Size = Any  # an int or a torch.SymInt
Shape = tuple[Size, ...]
check: Any = torch._check  # of what may be symbolic


def output_shape(words: str, x: Tensor, weight: Tensor, bias: Tensor | None) -> Shape:
    """Of y."""
    chain = chain_of(words)
    _check("x", x, chain, 0)
    _check_like("weight", weight, x, chain.learned.weight_shape)
    if bias is not None:
        _check_like("bias", bias, x, chain.learned.bias_shape)
    return (x.shape[0], chain.channels[1], *_output_size(chain, x.shape[2:]))


def input_shape(words: str, y: Tensor, weight: Tensor, input_size: Sequence[Size]) -> Shape:
    """Of x."""
    chain = chain_of(words)
    _check("grad_output", y, chain, 1)
    _check_like("weight", weight, y, chain.learned.weight_shape)
    if len(input_size) != chain.dimensions:
        raise LayoutError(f"input_size = {input_size}: allowed are {chain.dimensions} sizes")
    _check_sizes(y, _output_size(chain, input_size))
    return (y.shape[0], chain.channels[0], *input_size)


def weight_shape(words: str, x: Tensor, y: Tensor) -> Shape:
    """Of the weight."""
    chain = chain_of(words)
    _check("x", x, chain, 0)
    _check("grad_output", y, chain, 1)
    _check_like("grad_output", y, x, None)
    check(x.shape[0] == y.shape[0], lambda: "grad_output: allowed is the batch of x")
    _check_sizes(y, _output_size(chain, x.shape[2:]))
    shape = chain.learned.weight_shape
    assert shape is not None
    return shape


def _output_size(chain: Chain, input_size: Sequence[Size]) -> Shape:
    sizes = chain.output_size(input_size)
    if all(isinstance(n, int) for n in input_size) and any(n < 1 for n in sizes):
        chain.at(tuple(input_size))  # which refuses, and says why
    for axis, n in enumerate(sizes):
        check(n >= 1, lambda axis=axis: f"input_size[{axis}]: allowed is one with an output")
    return sizes


def check_forward_mode() -> None:
    """NotImplementedError in forward mode, where torch would leave tangents out without a word."""
    if forward_ad._current_level >= 0:
        raise NotImplementedError(
            "the operators torch.ops.exactconv have no forward mode, nor has a graph that holds "
            "them; allowed is codegen.torch_ops.convolve, or a module, outside torch.compile"
        )


def _check(name: str, tensor: Tensor, chain: Chain, end: int) -> None:
    """LayoutError unless it is a batch of what goes in (0) or comes out (1), of a fit dtype."""
    axes, channels = chain.dimensions, chain.channels[end]
    if tensor.ndim != axes + 2 or tensor.shape[1] != channels:
        raise LayoutError(
            f"{name} has shape {tuple(tensor.shape)}; allowed is (batch, {channels}, {axes} sizes)"
        )
    check_dtype(name, tensor.dtype, tensor.device.type)


def _check_like(name: str, tensor: Tensor, first: Tensor, shape: Shape | None) -> None:
    """LayoutError unless it has this shape, and dtype and device of the first tensor."""
    if shape is not None and tuple(tensor.shape) != shape:
        raise LayoutError(f"{name} has shape {tuple(tensor.shape)}; allowed is {shape}")
    if (tensor.dtype, tensor.device) != (first.dtype, first.device):
        raise LayoutError(
            f"{name} is {tensor.dtype} on {tensor.device}; allowed is what comes first: "
            f"{first.dtype} on {first.device}"
        )


def _check_sizes(y: Tensor, sizes: Shape) -> None:
    for axis, (n, m) in enumerate(zip(y.shape[2:], sizes, strict=True)):
        check(
            n == m, lambda axis=axis, m=m: f"grad_output: allowed is {m} positions on axis {axis}"
        )
