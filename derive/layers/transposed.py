"""Transposed convolution in torch's words."""

from __future__ import annotations

from collections.abc import Sequence

from derive.arguments import Each, Padding, choice, integer, pairs_per_axis, per_axis, refuse
from derive.core.rules import TransposedRule

from .base import Layer


class TransposedConvolution(Layer):
    """What ConvTranspose1d to 3d share: see torch.nn.ConvTranspose2d for the parameters.

    Beyond torch: ``padding`` also takes a (before, after) pair per axis; ``input_size`` fixes
    the size. ``output_size`` is torch's call argument: it picks the output_padding, needs
    ``input_size`` and must be one of the stride sizes that start at the least one.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Each,
        stride: Each = 1,
        padding: Padding = 0,
        output_padding: Each = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Each = 1,
        padding_mode: str = "zeros",
        *,
        input_size: Each | None = None,
        output_size: Each | None = None,
    ) -> None:
        parameters = locals().copy()
        axes = self.dimensions
        kernel = per_axis("kernel_size", kernel_size, axes, 1)
        steps = per_axis("stride", stride, axes, 1)
        dilations = per_axis("dilation", dilation, axes, 1)
        pads = pairs_per_axis("padding", padding, axes)
        extra = per_axis("output_padding", output_padding, axes, 0)
        choice("padding_mode", padding_mode, ("zeros",))
        sizes = None if input_size is None else per_axis("input_size", input_size, axes, 1)

        def rules(output_padding: Sequence[int]) -> list[TransposedRule]:
            return [
                TransposedRule(
                    kernel=k, stride=s, dilation=d, before=lo, after=hi, output_padding=o
                )
                for k, s, d, (lo, hi), o in zip(
                    kernel, steps, dilations, pads, output_padding, strict=True
                )
            ]

        if output_size is not None:
            extra = _chosen(output_size, rules((0,) * axes), sizes, extra)
        for axis, (o, s, d) in enumerate(zip(extra, steps, dilations, strict=True)):
            if o >= max(s, d):
                allowed = f"less than stride = {s} or dilation = {d}"
                refuse(f"output_padding[{axis}]", o, allowed)
        super().__init__(
            parameters,
            rules(extra),
            groups=integer("groups", groups, 1),
            channels=(
                integer("in_channels", in_channels, 1),
                integer("out_channels", out_channels, 1),
            ),
            output_leads=False,
            bias=bias,
            sizes=sizes,
        )


def _chosen(
    output_size: Each,
    least: Sequence[TransposedRule],
    sizes: Sequence[int] | None,
    given: Sequence[int],
) -> tuple[int, ...]:
    """The output_padding that gives ``output_size``."""
    if sizes is None:
        refuse("output_size", output_size, "None while input_size is None")
    if any(given):
        refuse("output_size", output_size, f"None beside output_padding = {tuple(given)}")
    wanted = per_axis("output_size", output_size, len(least), 1)
    for axis, (rule, n, m) in enumerate(zip(least, sizes, wanted, strict=True)):
        first = rule.output_size(n)
        if not first <= m < first + rule.stride:
            last = first + rule.stride - 1
            refuse(f"output_size[{axis}]", m, f"{first} to {last} from input_size {n}")
    return tuple(m - rule.output_size(n) for rule, n, m in zip(least, sizes, wanted, strict=True))
