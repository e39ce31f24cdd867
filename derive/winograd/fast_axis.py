"""The fast algorithm of any axis, chosen by the number of products."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from derive.arguments import integer, refuse
from derive.core.axis import Axis
from derive.core.rules import AxisRule

from . import phases
from .cook_toom import POINTS, distinct
from .factored import factored_tiles
from .growth import growth
from .interior import Interior
from .tile import Tile


def fast_axis(axis: Axis | AxisRule, m: int, points: Sequence[int | Fraction] = POINTS) -> Tile:
    """A tile of m outputs by the fewest products, verified against the tensor of the interior.

    ``axis`` is a rule (``op.rules[i]``), or one of its axes (``op.axes[i]``) where it has one size
    only. m is a multiple of the phases (``axis.step``); the tile holds m/step of each, shifted so
    that they read one window. ``points`` are taken from the front, infinity besides. Of equal
    counts the tile with the least error growth is taken. GeometryError for another m or points.

    >>> from derive import Conv1d, ConvTranspose1d, Interpolate
    >>> fast_axis(Conv1d(1, 1, 7, stride=2).rules[0], 4).products
    13
    >>> tile = fast_axis(ConvTranspose1d(1, 1, 4, stride=2, padding=1).rules[0], 6)
    >>> tile.outputs, tile.inputs, tile.products, len(tile.algorithm.input_rows)
    ((1, 2, 3, 4, 5, 6), (0, 1, 2, 3), 8, 4)
    >>> up = Interpolate(1, 8, scale_factor=2, mode="nearest")
    >>> tile = fast_axis((Conv1d(1, 1, 3, padding=1, input_size=16) @ up).axes[0], 6)
    >>> tile.outputs, tile.inputs, tile.products
    ((0, 1, 2, 3, 4, 5), (-1, 0, 1, 2, 3), 7)
    """
    interior = Interior.of(axis)
    m = integer("m", m, 1)
    if m % interior.step:
        refuse("m", m, f"a multiple of the {interior.step} phases")
    chosen = distinct(points, len(points))
    plain = phases.phase_tile(interior, m, chosen)
    tiles = [plain, *factored_tiles(interior, m, chosen, 2 * plain.products)]
    best = min(tiles, key=lambda tile: (tile.products, growth(tile.algorithm)))
    best.algorithm.verify(interior.tensor(best.outputs, best.inputs))
    return best
