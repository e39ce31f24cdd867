"""Convolution in torch's words, and in the words of XLA, ONNX and TensorFlow for padding."""

from __future__ import annotations

from collections.abc import Sequence

from derive.arguments import Each, Padding, Pair, choice, integer, pairs_per_axis, per_axis, refuse
from derive.core.padding import OUTSIDE, WIDEST
from derive.core.rules import ConvolutionRule

from .base import Layer


class Convolution(Layer):
    """What Conv1d, Conv2d and Conv3d share: see torch.nn.Conv2d for the parameters.

    Beyond torch: ``padding`` also takes a (before, after) pair per axis, a negative amount
    cropping after the other side has grown; ``input_dilation`` puts zeros between the inputs,
    before padding (XLA's lhs_dilation); ``input_size`` fixes the size, an int for every axis.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Each,
        stride: Each = 1,
        padding: Padding = 0,
        dilation: Each = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        *,
        input_dilation: Each = 1,
        input_size: Each | None = None,
    ) -> None:
        parameters = locals().copy()
        axes = self.dimensions
        kernel = per_axis("kernel_size", kernel_size, axes, 1)
        steps = per_axis("stride", stride, axes, 1)
        dilations = per_axis("dilation", dilation, axes, 1)
        ups = per_axis("input_dilation", input_dilation, axes, 1)
        mode = choice("padding_mode", padding_mode, OUTSIDE)
        rules = [
            ConvolutionRule(kernel=k, stride=s, dilation=d, before=lo, after=hi, mode=mode, up=u)
            for k, s, d, (lo, hi), u in zip(
                kernel,
                steps,
                dilations,
                _padding(padding, kernel, steps, dilations),
                ups,
                strict=True,
            )
        ]
        sizes = None if input_size is None else per_axis("input_size", input_size, axes, 1)
        if sizes is not None:
            check_border(rules, sizes)
        super().__init__(
            parameters,
            rules,
            groups=integer("groups", groups, 1),
            channels=(
                integer("in_channels", in_channels, 1),
                integer("out_channels", out_channels, 1),
            ),
            output_leads=True,
            bias=bias,
            sizes=sizes,
        )


def _padding(
    padding: Padding, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> Sequence[Pair]:
    """The amounts; "same" is torch's: d(k - 1) in all, the odd one after."""
    if not isinstance(padding, str):
        return pairs_per_axis("padding", padding, len(kernel))
    choice("padding", padding, ("same", "valid"))
    if padding == "valid":
        return [(0, 0)] * len(kernel)
    if max(stride) > 1:
        refuse("padding", padding, f'an amount, since "same" needs stride 1, not {stride}')
    reach = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    return [(r // 2, r - r // 2) for r in reach]


def check_border(rules: Sequence[ConvolutionRule], sizes: Sequence[int]) -> None:
    """Reflect and circular padding can only repeat what the input has."""
    for axis, (rule, n) in enumerate(zip(rules, sizes, strict=True)):
        widest = WIDEST[rule.mode]
        if widest is None:
            continue
        most = widest(rule.up * (n - 1) + 1)
        if max(rule.before, rule.after) > most:
            refuse(
                f"padding[{axis}]",
                (rule.before, rule.after),
                f"at most {most} on a side with padding_mode={rule.mode!r} and "
                f"input_size[{axis}] = {n}",
            )
