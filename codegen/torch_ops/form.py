"""The three functions of one trilinear form, and that their derivatives are the same three.

T(y, weight, x) is linear in each place. The function that leaves place ``want`` out is its
derivative by that place: forward by y, the input gradient by x, the weight gradient by the weight.
So the derivative of each of the three by one of its arguments is again one of the three, with the
gradient in the place that the function had left out.
"""

from __future__ import annotations

from operator import is_

import torch
from torch import Tensor

from codegen._runtime import LayoutError
from derive import GeometryError

from .kernels import kernel_of
from .shapes import output_shape
from .weights import Weights

Sizes = tuple[int, ...]
ARGUMENTS = {  # of the function that leaves a place out
    "y": ("x", "weight"),
    "x": ("y", "weight"),
    "weight": ("x", "y"),
}
WEIGHTS = Weights()
_prepared = WEIGHTS.prepared


def forward(words: str, size: Sizes, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """x (batch, channels, *size) -> y, by the kernel; none of the arguments is differentiated."""
    try:
        sized = kernel_of(words, size, x.dtype, x.device.type)
    except GeometryError:
        output_shape(words, x, weight, bias)  # which refuses what is wrong besides, first
        raise
    kernel = sized.kernel
    if bias is None and kernel.bias_shape is not None:
        bias = x.new_zeros(kernel.bias_shape)
    y: Tensor = kernel.forward(x.contiguous(), _prepared(sized, "forward", weight), bias)
    return y


def input_gradient(words: str, size: Sizes, y: Tensor, weight: Tensor) -> Tensor:
    """y, weight -> x."""
    sized = kernel_of(words, size, y.dtype, y.device.type)
    prepared = _prepared(sized, "input_gradient", weight)
    x: Tensor = sized.kernel.input_gradient(y.contiguous(), prepared)
    return x


def weight_gradient(words: str, size: Sizes, x: Tensor, y: Tensor) -> Tensor:
    """x, y -> weight."""
    sized = kernel_of(words, size, x.dtype, x.device.type)
    weight: Tensor = sized.kernel.weight_gradient(x.contiguous(), y.contiguous())
    return weight


def gradients(
    words: str,
    size: Sizes,
    x: Tensor | None,
    weight: Tensor | None,
    y: Tensor,
    needed: tuple[bool, bool, bool],
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """By x, weight and bias of forward, where they are needed, in one call of a kernel on the CPU.

    x is read for the gradient by the weight, and the weight for that by x.
    """
    sized = kernel_of(words, size, y.dtype, "cpu")
    read = x.contiguous() if needed[1] and x is not None else None
    prepared = None
    if needed[0] and weight is not None:
        prepared = _prepared(sized, "input_gradient", weight)
    found: tuple[Tensor | None, Tensor | None, Tensor | None]
    found = sized.kernel.gradients(read, prepared, y.contiguous(), needed)
    return found


def computed(
    words: str, size: Sizes, want: str, first: Tensor, second: Tensor, bias: Tensor | None = None
) -> Tensor:
    """One of the three functions by its kernel; ``first`` and ``second`` as in ARGUMENTS."""
    try:
        if want == "y":
            return forward(words, size, first, second, bias)
        if want == "x":
            return input_gradient(words, size, first, second)
        return weight_gradient(words, size, first, second)
    except (LayoutError, RuntimeError):
        one, other = ARGUMENTS[want]
        plain = (
            _plain(one, first),
            _plain(other, second),
            None if bias is None else _plain("bias", bias),
        )
        if all(map(is_, plain, (first, second, bias))):
            raise
        return computed(words, size, want, *plain)


def _plain(name: str, tensor: Tensor) -> Tensor:
    """A tensor whose memory holds its numbers; LayoutError where it has no such memory."""
    if tensor.layout != torch.strided:
        raise LayoutError(f"{name} has layout {tensor.layout}; allowed is torch.strided")
    return tensor.resolve_neg()
