"""One layer as a function of tensors: with or without a batch, and what autocast makes of it."""
# torch.jit reads the annotations here as types: no __future__ makes them text

from typing import Any

import torch
from torch import Tensor

from codegen._runtime import LayoutError

from .contraction import contract
from .words import words_of  # noqa: F401  (of the example)

left_to_python: Any = torch.jit.ignore  # scripts call it as it is
LOW = (torch.float16, torch.bfloat16)


def convolve(words: str, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The layer of a text of ``words_of``, differentiable as often as one likes.

    ``x`` is (batch, channels, sizes) or one sample without the batch, of any size that the layer
    has an output for; ``weight`` and ``bias`` are as torch's layer of that name has them. The
    result is contiguous, whatever the memory format of x; x is copied where it is not contiguous.

    Under autocast on CUDA, tensors take its dtype; on the CPU, which has no kernels for halves,
    halves become float32. LayoutError for tensors that do not fit, GeometryError for sizes.

    >>> import derive
    >>> x, weight = torch.ones(1, 1, 5), torch.ones(1, 1, 3)
    >>> convolve(words_of(derive.Conv1d(1, 1, 3, bias=False)), x, weight)
    tensor([[[3., 3., 3.]]])
    """
    if not isinstance(x, Tensor):
        raise LayoutError(f"x is of type {type(x).__name__}; allowed is a torch.Tensor")
    if (x.is_cpu or x.is_cuda) and torch.is_autocast_enabled(x.device.type):
        x, weight, bias = _autocast(x, weight, bias)
    if x.dim() == weight.dim():
        return contract(words, x.shape[2:], "y", x, weight, bias)
    if x.dim() != weight.dim() - 1:
        from .shapes import output_shape

        output_shape(words, x, weight, bias)  # which refuses
    return contract(words, x.shape[1:], "y", x.unsqueeze(0), weight, bias).squeeze(0)


def with_bias(y: Tensor, bias: Tensor, axes: int) -> Tensor:
    """A bias on what a layer without one gives: functional_call, or a late register_parameter."""
    channels = y.shape[-1 - axes]
    if (tuple(bias.shape), bias.dtype) != ((channels,), y.dtype):
        raise LayoutError(
            f"bias has shape {tuple(bias.shape)} and {bias.dtype}; allowed is ({channels},) and "
            f"{y.dtype}"
        )
    return y + bias.reshape(-1, *(1,) * axes)


left_to_python(convolve)
left_to_python(with_bias)


def _autocast(
    x: Tensor, weight: Tensor, bias: Tensor | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    device = x.device.type
    if device == "cpu":
        dtype, cast = torch.float32, frozenset(LOW)
    else:
        dtype, cast = torch.get_autocast_dtype(device), frozenset((torch.float32, *LOW))

    def fit(tensor: Tensor) -> Tensor:
        return tensor.to(dtype) if tensor.dtype in cast else tensor

    return fit(x), fit(weight), None if bias is None else fit(bias)
