"""The generated C beside torch: ten layers, one thread, float32, batch 1, in one run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

import codegen
import derive
from derive.arguments import per_axis
from derive.layers import Layer, TransposedConvolution

from .timing import best, table

Call = Callable[[], object]
LAYERS: dict[str, Layer] = {
    "3x3, 64 to 64 @ 56": derive.Conv2d(64, 64, 3, padding=1, input_size=56),
    "3x3 s2, 64 to 128 @ 56": derive.Conv2d(64, 128, 3, 2, 1, input_size=56),
    "7x7 s2, 3 to 64 @ 224": derive.Conv2d(3, 64, 7, 2, 3, input_size=224),
    "1x1, 256 to 64 @ 56": derive.Conv2d(256, 64, 1, input_size=56),
    "depthwise 3x3, 32 @ 112": derive.Conv2d(32, 32, 3, padding=1, groups=32, input_size=112),
    "dilated 3x3, 64 @ 56": derive.Conv2d(64, 64, 3, padding=2, dilation=2, input_size=56),
    "transposed 4x4 s2, 128 to 64 @ 32": derive.ConvTranspose2d(128, 64, 4, 2, 1, input_size=32),
    "transposed 4x4 s2, 64 to 3 @ 64": derive.ConvTranspose2d(64, 3, 4, 2, 1, input_size=64),
    "transposed 1-D k16 s8, 128 to 64 @ 128": derive.ConvTranspose1d(
        128, 64, 16, 8, 4, input_size=128
    ),
    "3-D 3x3x3, 16 @ 32": derive.Conv3d(16, 16, 3, padding=1, input_size=32),
}


def _torch_forward(layer: Layer, *arguments: torch.Tensor) -> torch.Tensor:
    parameters: dict[str, Any] = {
        key: layer.parameters[key] for key in ("stride", "padding", "dilation", "groups")
    }
    kind = "conv_transpose" if isinstance(layer, TransposedConvolution) else "conv"
    function = getattr(functional, f"{kind}{layer.dimensions}d")
    result: torch.Tensor = function(*arguments, **parameters)
    return result


def _torch_gradient(
    layer: Layer, grad: torch.Tensor, x: torch.Tensor, weight: torch.Tensor, which: int
) -> torch.Tensor:
    """The gradient by x (0) or by the weight (1) alone."""
    each = {
        key: per_axis(key, layer.parameters[key], layer.dimensions, 0)
        for key in ("stride", "padding", "dilation")
    }
    result: torch.Tensor = torch.ops.aten.convolution_backward(
        grad,
        x,
        weight,
        None,
        *each.values(),
        isinstance(layer, TransposedConvolution),
        (0,) * layer.dimensions,
        layer.groups,
        [i == which for i in range(3)],
    )[which]
    return result


def measure() -> str:
    """The table; ratio = torch's time over ours, above 1 where we are ahead."""
    torch.set_num_threads(1)
    head = ["layer", "forward, ms", "torch, ms", "ratio", "10^9 MAC/s"]
    head += ["input gradient, ms", "torch, ms", "ratio"]
    head += ["weight gradient, ms", "torch, ms", "ratio"]
    return table(head, [_row(name, layer) for name, layer in LAYERS.items()])


def _row(name: str, layer: Layer) -> list[str]:
    kernel = codegen.build(layer, "c", "float32")
    x = torch.randn(1, *layer.input_shape)
    weight, bias = torch.randn(layer.form.weight_shape), torch.randn(layer.output_shape[0])
    grad = torch.randn(1, *layer.output_shape)

    def compared(ours: Call, torchs: Call) -> tuple[list[str], float]:
        mine, theirs = best([ours, torchs])
        return [f"{1000 * mine:.2f}", f"{1000 * theirs:.2f}", f"{theirs / mine:.2f}"], mine

    forward, seconds = compared(
        lambda: kernel(x, weight, bias), lambda: _torch_forward(layer, x, weight, bias)
    )
    by_input, _ = compared(
        lambda: kernel.input_gradient(grad, weight),
        lambda: _torch_gradient(layer, grad, x, weight, 0),
    )
    by_weight, _ = compared(
        lambda: kernel.weight_gradient(x, grad),
        lambda: _torch_gradient(layer, grad, x, weight, 1),
    )
    return [name, *forward, f"{layer.macs / seconds / 10**9:.0f}", *by_input, *by_weight]
