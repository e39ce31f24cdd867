"""The generated C beside torch: ten layers, one thread, float32, batch 1, in one run."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

import codegen
import derive
from derive.layers import Layer

from .timing import best, table

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
    kind = "conv_transpose" if isinstance(layer, derive.layers.TransposedConvolution) else "conv"
    function = getattr(functional, f"{kind}{layer.dimensions}d")
    result: torch.Tensor = function(*arguments, **parameters)
    return result


def measure() -> str:
    """The table; ratio = torch's time over ours, above 1 where we are ahead."""
    torch.set_num_threads(1)
    rows = []
    for name, layer in LAYERS.items():
        kernel = codegen.build(layer, "c", "float32")
        assert layer.bias_shape is not None
        x = torch.randn(1, *layer.input_shape)
        weight, bias = torch.randn(layer.weight_shape), torch.randn(layer.bias_shape)
        grad = torch.randn(1, *layer.output_shape)
        ours, torchs, by_input, by_weight = best(
            [
                lambda k=kernel, a=(x, weight, bias): k(*a),
                lambda op=layer, a=(x, weight, bias): _torch_forward(op, *a),
                lambda k=kernel, a=(grad, weight): k.input_gradient(*a),
                lambda k=kernel, a=(x, grad): k.weight_gradient(*a),
            ]
        )
        rows.append(
            [
                name,
                *(f"{1000 * seconds:.2f}" for seconds in (ours, torchs)),
                f"{torchs / ours:.2f}",
                f"{layer.macs / ours / 10**9:.1f}",
                *(f"{1000 * seconds:.2f}" for seconds in (by_input, by_weight)),
            ]
        )
    head = ["layer", "ours, ms", "torch, ms", "ratio", "10^9 MAC/s"]
    return table([*head, "our input gradient, ms", "our weight gradient, ms"], rows)
