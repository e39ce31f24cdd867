"""A tile of a whole operator: one tile per axis, never multiplied out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod

from derive.arguments import refuse
from derive.core.axis import Axis
from derive.core.rules import AxisRule
from derive.errors import GeometryError
from derive.operator import Operator

from .cook_toom import POINTS
from .fast_axis import fast_axis
from .growth import growth, transform_roundings
from .interior import Interior
from .phases import phase_tile
from .tile import Tile


@dataclass(frozen=True)
class TensorTile:
    """The tensor product of its axes' tiles: each transforms its axis, the products multiply.

    >>> from derive import Conv2d
    >>> tile = fast_tile(Conv2d(1, 1, 3, padding=1, input_size=(56, 56)), (6, 6))
    >>> tile.products, tile.outputs, tile.products_per_output
    (64, 36, Fraction(16, 9))
    """

    axes: tuple[Tile, ...]

    @property
    def products(self) -> int:
        """Of one pair of channels and one tile."""
        return prod(tile.products for tile in self.axes)

    @property
    def outputs(self) -> int:
        """Output positions of a tile."""
        return prod(len(tile.outputs) for tile in self.axes)

    @property
    def products_per_output(self) -> Fraction:
        return Fraction(self.products, self.outputs)

    @property
    def input_rows(self) -> int:
        """Numbers that the input transform makes of a window, of one channel."""
        return prod(len(tile.algorithm.input_rows) for tile in self.axes)

    @property
    def growth(self) -> Fraction:
        """At most by how much rounding grows against a direct sum of equal length."""
        return prod((growth(tile.algorithm) for tile in self.axes), start=Fraction(1))

    def roundings(self, terms: int) -> int:
        """The n of gamma_n, where ``terms`` products are added up before the output transform.

        These are the channels, times the taps of the axes that are summed among them. See
        derive.winograd.growth for what gamma_n is multiplied with.

        >>> from derive import Conv2d
        >>> fast_tile(Conv2d(8, 8, 3, input_size=(56, 56)), (2, 2)).roundings(8)
        18
        """
        return terms + sum(transform_roundings(tile.algorithm).count for tile in self.axes)


def fast_tile(
    op: Operator, m: int | Sequence[int | None], points: Sequence[int | Fraction] = POINTS
) -> TensorTile:
    """The tile of an operator with m[i] outputs along axis i, or with that axis summed directly.

    An int means every axis. None leaves an axis untransformed: one output of each phase, its taps
    added up in the products, as with depth in three dimensions or rows where channels are few.
    GeometryError where ``m`` has not one entry per axis, or for what ``fast_axis`` refuses.

    >>> from derive import Conv3d
    >>> fast_tile(Conv3d(1, 1, 3, padding=1, input_size=(32,) * 3), (None, 4, 4)).products
    108
    """
    counts = (m,) * len(op.rules) if isinstance(m, int) else tuple(m)
    if len(counts) != len(op.rules):
        refuse("m", m, f"an int, or {len(op.rules)} of ints or None, one per axis")
    chosen = []
    for i, count in enumerate(counts):
        axis = _settled_or_sized(op, i)
        chosen.append(summed(axis) if count is None else fast_axis(axis, count, points))
    return TensorTile(tuple(chosen))


def summed(axis: Axis | AxisRule) -> Tile:
    """One output of each phase, a product for each input that it reads.

    >>> from derive.core.rules import TransposedRule
    >>> summed(TransposedRule(kernel=5, stride=2)).products
    5
    """
    interior = Interior.of(axis)
    return phase_tile(interior, interior.step, ())


def _settled_or_sized(op: Operator, i: int) -> Axis | AxisRule:
    """The rule, which no size is too small for, or the axis where the rule has no settled one."""
    try:
        Interior.of(op.rules[i])
    except GeometryError:
        return op.axes[i]
    return op.rules[i]
