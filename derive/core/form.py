"""The trilinear form that a layer is: axes, times channels, times groups.

    T = sum over g, o, i, y, t, x of  Y[g, o, y] * W[g, o, i, t] * X[g, i, x] * P[y, t, x]

Its derivative by Y is the operator, by X its adjoint (the input gradient), by W the weight
gradient. Channels and groups are dense blocks on top of the axes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from math import prod

from .axis import Axis
from .folding import worth_folding


@dataclass(frozen=True)
class TrilinearForm:
    """One learned linear operator on (channels, *positions).

    ``channels_in`` and ``channels_out`` count one group. ``output_leads`` tells which channel
    comes first in the weight: (groups*out, in, *taps) if true, else (groups*in, out, *taps).

    >>> from derive.core.rules import ConvolutionRule
    >>> form = TrilinearForm((ConvolutionRule(kernel=3).at(4),) * 2, 1, 1, 1, True)
    >>> form.input_shape, form.weight_shape, form.output_shape, form.nnz
    ((1, 4, 4), (1, 1, 3, 3), (1, 2, 2), 36)
    """

    axes: tuple[Axis, ...]
    groups: int
    channels_in: int
    channels_out: int
    output_leads: bool

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.groups * self.channels_in, *(axis.n_in for axis in self.axes))

    @property
    def output_shape(self) -> tuple[int, ...]:
        return (self.groups * self.channels_out, *(axis.n_out for axis in self.axes))

    @property
    def weight_shape(self) -> tuple[int, ...]:
        leading, other = self.channels_in, self.channels_out
        if self.output_leads:
            leading, other = other, leading
        return (self.groups * leading, other, *(axis.n_tap for axis in self.axes))

    @property
    def nnz(self) -> int:
        """Nonzero entries of the matrix, counted on the axes without building anything."""
        return self._channel_pairs * prod(axis.nnz for axis in self.axes)

    @property
    def macs(self) -> int:
        """Multiply-adds of one sample when no zero is multiplied and taps are folded."""
        return self._channel_pairs * prod(
            axis.nnz if worth_folding(axis) else axis.triples for axis in self.axes
        )

    @property
    def naive_macs(self) -> int:
        """Multiply-adds of one sample when every output visits every tap."""
        return self._channel_pairs * prod(axis.n_out * axis.n_tap for axis in self.axes)

    @property
    def separable_macs(self) -> int:
        """Multiply-adds with fixed weights: rows blended by the outer axes, then the columns."""
        *outer, column = self.axes
        reads = [axis.nnz for axis in outer]
        copied = [sum(run.count for run in axis.runs if run.copies) for axis in outer]
        blended = prod(reads) - prod(copied)  # a row that is one input row is not blended
        rows = prod(axis.n_out for axis in outer)
        return self._channel_pairs * (blended * column.n_in + rows * column.nnz)

    @property
    def window_macs(self) -> int:
        """Multiply-adds with fixed weights when every output blends the widest window."""
        widest = (max(len(run.taps) for run in axis.runs) * axis.n_out for axis in self.axes)
        return self._channel_pairs * prod(widest)

    @property
    def _channel_pairs(self) -> int:
        return self.groups * self.channels_in * self.channels_out

    @cached_property
    def absolute(self) -> TrilinearForm:
        """The form with the magnitudes of its coefficients, which bounds what rounding can do."""
        axes = (
            replace(a, strands=tuple(replace(s, coefficient=abs(s.coefficient)) for s in a.strands))
            for a in self.axes
        )
        return replace(self, axes=tuple(axes))

    @cached_property
    def adjoint(self) -> TrilinearForm:
        """The form with X and Y exchanged: it takes the very same weight array."""
        return replace(
            self,
            axes=tuple(axis.adjoint() for axis in self.axes),
            channels_in=self.channels_out,
            channels_out=self.channels_in,
            output_leads=not self.output_leads,
        )
