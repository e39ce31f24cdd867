"""The one equation this project is made of.

Along an axis, output position y, kernel tap t and input position x belong together when

    up * x  =  stride * y + dilation * t - pad

A convolution is the case up = 1. Exchanging the roles of x and y gives the transposed
convolution, which is again such an equation.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """The coefficients of ``up*x = stride*y + dilation*t - pad`` (all integers).

    >>> Relation(stride=2, pad=1).source(3, 0)
    5
    >>> Relation(stride=2, pad=1).adjoint()
    Relation(up=2, stride=1, dilation=-1, pad=-1)
    """

    up: int = 1
    stride: int = 1
    dilation: int = 1
    pad: int = 0

    def source(self, y: int, t: int) -> int | None:
        """The input position that tap ``t`` of output ``y`` meets; None between positions."""
        x, remainder = divmod(self.stride * y + self.dilation * t - self.pad, self.up)
        return None if remainder else x

    def taps(self, y: int, n_tap: int) -> range:
        """The taps of output ``y`` that meet an input position at all.

        dilation*t = pad - stride*y (mod up): one residue of t, or none.

        >>> list(Relation(up=3, dilation=2, pad=1).taps(0, 9))
        [2, 5, 8]
        """
        common = gcd(self.dilation, self.up)
        rest, remainder = divmod(self.pad - self.stride * y, common)
        if remainder:
            return range(0)
        step = self.up // common
        return range(rest * pow(self.dilation // common, -1, step) % step, n_tap, step)

    def adjoint(self) -> Relation:
        """The same triples with x and y exchanged: ``stride*y = up*x - dilation*t + pad``."""
        return Relation(up=self.stride, stride=self.up, dilation=-self.dilation, pad=-self.pad)
