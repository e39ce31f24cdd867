"""The axes of convolutions and transposed convolutions, before their size is fixed."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

import sympy

from . import sizes
from .axis import Axis
from .derivation import Derivation
from .padding import pad_map
from .relation import Relation
from .statements import FORWARD, Names, Stated, Statement, related


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvolutionRule(Stated):
    """A convolution along one axis, padded (before, after) in ``mode`` after input dilation.

    >>> ConvolutionRule(kernel=3, before=1, after=1, mode="reflect").at(5).row(0)
    ((0, 1, Fraction(1, 1)), (1, 0, Fraction(1, 1)), (1, 2, Fraction(1, 1)))
    """

    kernel: int
    stride: int = 1
    dilation: int = 1
    before: int = 0
    after: int = 0
    mode: str = "zeros"
    up: int = 1

    def output_size(self, n: int) -> int:
        return sizes.convolved(
            n,
            kernel=self.kernel,
            stride=self.stride,
            dilation=self.dilation,
            before=self.before,
            after=self.after,
            up=self.up,
        )

    @property
    def n_tap(self) -> int:
        return self.kernel

    @property
    def relation(self) -> Relation:
        return Relation(up=self.up, stride=self.stride, dilation=self.dilation, pad=self.before)

    def statements(self, names: Names = FORWARD) -> tuple[Statement, ...]:
        """The relation, with the pad map where it is not zeros."""
        mapped = "" if self.mode == "zeros" else f"{self.mode} beyond the border"
        return (Statement(related(self.relation, names), mapped),)

    @property
    def period(self) -> int:
        return self.stride // gcd(self.stride, self.up)

    @property
    def settled(self) -> int:
        reach = abs(self.before) + abs(self.after) + self.dilation * (self.kernel - 1)
        return 2 * (reach + self.stride * self.up) + 1

    def at(self, n: int) -> Axis:
        n_out = self.output_size(n)
        if self.mode == "zeros":
            return Axis.of(self.relation, n_in=n, n_out=n_out, n_tap=self.kernel)
        spread = self.up * (n - 1) + 1
        padding = pad_map(spread, self.before, self.after, self.mode)
        window = Relation(stride=self.stride, dilation=self.dilation)
        axis = Axis.of(window, n_in=padding.n_out, n_out=n_out, n_tap=self.kernel).after(padding)
        if self.up == 1:
            return axis
        return axis.after(Axis.of(Relation(up=self.up), n_in=n, n_out=spread, n_tap=1))

    @property
    def size(self) -> Derivation:
        return sizes.convolution_size()

    @property
    def adjoint_size(self) -> Derivation:
        return sizes.adjoint_size()

    @property
    def values(self) -> dict[sympy.Symbol, int]:
        return {
            sizes.KERNEL: self.kernel,
            sizes.STRIDE: self.stride,
            sizes.DILATION: self.dilation,
            sizes.BEFORE: self.before,
            sizes.AFTER: self.after,
            sizes.UP: self.up,
        }

    @property
    def adjoint_values(self) -> dict[sympy.Symbol, int]:
        return self.values


@dataclass(frozen=True, slots=True, kw_only=True)
class TransposedRule(Stated):
    """A transposed convolution along one axis: the adjoint of a convolution of its output.

    ``output_padding`` is nothing but a larger output.
    """

    kernel: int
    stride: int = 1
    dilation: int = 1
    before: int = 0
    after: int = 0
    output_padding: int = 0

    def output_size(self, n: int) -> int:
        return sizes.transposed(
            n,
            kernel=self.kernel,
            stride=self.stride,
            dilation=self.dilation,
            before=self.before,
            after=self.after,
            output_padding=self.output_padding,
        )

    @property
    def n_tap(self) -> int:
        return self.kernel

    @property
    def relation(self) -> Relation:
        return Relation(stride=self.stride, dilation=self.dilation, pad=self.before).adjoint()

    def statements(self, names: Names = FORWARD) -> tuple[Statement, ...]:
        """The relation."""
        return (Statement(related(self.relation, names)),)

    @property
    def period(self) -> int:
        return 1

    @property
    def settled(self) -> int:
        return 2 * (abs(self.before) + abs(self.after) + self.dilation * (self.kernel - 1)) + 3

    def at(self, n: int) -> Axis:
        return Axis.of(self.relation, n_in=n, n_out=self.output_size(n), n_tap=self.kernel)

    @property
    def size(self) -> Derivation:
        return sizes.transposed_size()

    @property
    def adjoint_size(self) -> Derivation:
        return sizes.convolution_size()

    @property
    def values(self) -> dict[sympy.Symbol, int]:
        return {
            sizes.UP: 1,
            sizes.KERNEL: self.kernel,
            sizes.STRIDE: self.stride,
            sizes.DILATION: self.dilation,
            sizes.BEFORE: self.before,
            sizes.AFTER: self.after,
            sizes.OUTPUT_PADDING: self.output_padding,
        }

    @property
    def adjoint_values(self) -> dict[sympy.Symbol, int]:
        """Output padding of a stride or more, legal below the dilation, is cropped again."""
        whole_strides = self.output_padding - self.output_padding % self.stride
        return {**self.values, sizes.AFTER: self.after - whole_strides}
