"""One way to map a size to another: the parameters, and the layer that they make."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from derive import layers
from derive.arguments import integer, refuse
from derive.core.axis import Axis
from derive.core.rules import ConvolutionRule, TransposedRule
from derive.layers import Layer

from .phases import axis_phases

CONVOLUTIONS: tuple[Callable[..., Layer], ...] = (layers.Conv1d, layers.Conv2d, layers.Conv3d)
TRANSPOSED: tuple[Callable[..., Layer], ...] = (
    layers.ConvTranspose1d,
    layers.ConvTranspose2d,
    layers.ConvTranspose3d,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeChoice:
    """Parameters, named as torch's, that map each of ``n_in`` to the ``n_out`` beside it.

    ``output_padding`` is 0 for a convolution, which has none.

    >>> choice = SizeChoice(n_in=(7,), n_out=(14,), transposed=True, kernel_size=4, stride=2,
    ...     padding=1, dilation=1, output_padding=0)
    >>> print(choice)
    ConvTranspose: kernel_size=4, stride=2, padding=1
    >>> choice.layer(3, 8, dimensions=2).output_shape
    (8, 14, 14)
    """

    n_in: tuple[int, ...]
    n_out: tuple[int, ...]
    transposed: bool
    kernel_size: int
    stride: int
    padding: int
    dilation: int
    output_padding: int

    @property
    def parameters(self) -> dict[str, Any]:
        """torch's arguments, those at their default left out."""
        default = {"stride": 1, "padding": 0, "dilation": 1, "output_padding": 0}
        values = {name: getattr(self, name) for name in ("kernel_size", *default)}
        return {name: value for name, value in values.items() if value != default.get(name)}

    def layer(
        self, in_channels: int = 1, out_channels: int = 1, *, dimensions: int = 0, **more: Any
    ) -> Layer:
        """The layer at this input size; ``more`` are its other arguments.

        ``dimensions`` is 1 to 3 where one size stands for every axis; else it is that of n_in.
        """
        axes = len(self.n_in)
        count = integer("dimensions", dimensions or axes, 1, most=3)
        if axes not in (1, count):
            refuse("dimensions", dimensions, f"{axes}, as many as there are sizes")
        make = (TRANSPOSED if self.transposed else CONVOLUTIONS)[count - 1]
        sizes = self.n_in if axes == count else self.n_in * count
        return make(in_channels, out_channels, **self.parameters, **more, input_size=sizes)

    @property
    def rule(self) -> ConvolutionRule | TransposedRule:
        """The rule of each axis."""
        kernel, stride, dilation = self.kernel_size, self.stride, self.dilation
        if not self.transposed:
            return ConvolutionRule(
                kernel=kernel,
                stride=stride,
                dilation=dilation,
                before=self.padding,
                after=self.padding,
            )
        return TransposedRule(
            kernel=kernel,
            stride=stride,
            dilation=dilation,
            before=self.padding,
            after=self.padding,
            output_padding=self.output_padding,
        )

    @property
    def wasted(self) -> int:
        """Positions along the axes with nothing on the other side: dead outputs, unread inputs."""
        return sum(_wasted(self.rule.at(n)) for n in self.n_in)

    @property
    def uniform(self) -> bool:
        """Whether, between the borders, every position of the longer side takes part alike.

        Of a transposed convolution its outputs, of a convolution its inputs: no checkerboard in
        the result of the one, in the gradient of the other.
        """
        return _uniform(self.kernel_size, self.stride, self.dilation)

    @property
    def simplicity(self) -> tuple[int, ...]:
        """What choices are ordered by, the simplest first."""
        off_centre = abs(2 * self.padding - self.dilation * (self.kernel_size - 1))
        return (
            self.wasted,
            self.dilation,
            self.output_padding,
            off_centre + self.kernel_size,
            self.kernel_size,
            self.stride,
            self.padding,
        )

    def __str__(self) -> str:
        words = ", ".join(f"{name}={value}" for name, value in self.parameters.items())
        return f"{'ConvTranspose' if self.transposed else 'Conv'}: {words}"


def _wasted(axis: Axis) -> int:
    """Outputs without a tap and inputs without a reader."""
    outputs, inputs = set[int](), set[int]()
    for s in axis.strands:
        outputs.update(range(s.y, s.y + axis.step * s.count, axis.step))
        inputs.update(range(s.x, s.x + axis.advance * s.count, axis.advance))
    return axis.n_out - len(outputs) + axis.n_in - len(inputs)


@cache
def _uniform(kernel: int, stride: int, dilation: int) -> bool:
    rule = TransposedRule(kernel=kernel, stride=stride, dilation=dilation)
    return len(set(axis_phases(rule.at(1), rule).overlaps)) == 1
