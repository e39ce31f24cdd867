"""Resize then convolve as one kernel, beside torch's two calls: one thread, float32, batch 1."""

from __future__ import annotations

import codegen
import derive

from .table import table
from .timing import best

# channels, input size, mode, kernel
LAYERS = (
    (64, 64, "nearest", 3),
    (64, 64, "bilinear", 3),
    (96, 48, "nearest", 3),
    (128, 64, "nearest", 3),
    (128, 32, "bilinear", 3),
    (64, 32, "nearest", 5),
    (256, 64, "nearest", 3),
)


def measure() -> str:
    """The table; ratio = torch's time over ours."""
    try:
        import torch
        from torch.nn import functional
    except ImportError:
        return "torch is not installed."
    torch.set_num_threads(1)
    rows = []
    for channels, n, mode, kernel_size in LAYERS:
        up = derive.Interpolate(channels, (n, n), scale_factor=2, mode=mode)
        padding = kernel_size // 2
        conv = derive.Conv2d(channels, channels, kernel_size, padding=padding, input_size=2 * n)
        op = conv @ up
        assert isinstance(op, derive.Operator)
        kernel = codegen.build(op, "c", "float32")
        x, weight = torch.randn(1, *op.input_shape), torch.randn(conv.form.weight_shape)
        bias = torch.randn(channels)

        def torchs(
            x: torch.Tensor = x,
            weight: torch.Tensor = weight,
            bias: torch.Tensor = bias,
            mode: str = mode,
            padding: int = padding,
        ) -> torch.Tensor:
            larger = functional.interpolate(x, scale_factor=2, mode=mode)
            return functional.conv2d(larger, weight, bias, padding=padding)

        mine, theirs = best(
            [lambda k=kernel, a=(x, weight, bias): k(*a), torchs],  # type: ignore[misc]
            rounds=5,
        )
        outputs = channels * channels * 4 * n * n
        rows.append(
            [
                f"{mode} x2, {kernel_size}x{kernel_size}, {channels} @ {n}",
                f"{1000 * mine:.2f}",
                f"{1000 * theirs:.2f}",
                f"{theirs / mine:.2f}",
                f"{op.macs / outputs:.2f} of {kernel_size**2}",
            ]
        )
    head = ["resize then convolve", "one kernel, ms", "torch's two calls, ms", "ratio"]
    return table([*head, "multiply-adds per output and channel pair"], rows)
