"""torch's choice of the nearest position in float32, where rounding can pick another pixel."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from .axis import ONE, Axis, disjoint
from .polyphase import Strand


def picks(kind: str, n: int, n_out: int, factor: Fraction | None = None) -> list[int]:
    """The input position of each output as torch computes it: floor of a float32 product.

    >>> picks("nearest", 2, 82)[41], 41 * 2 // 82
    (0, 1)
    """
    f = np.float32
    scale = f(n) / f(n_out) if factor is None else f(factor.denominator / factor.numerator)
    places = np.arange(n_out, dtype=f)
    if kind == "nearest-exact":
        places = places + f(1) / f(2)
    found = np.floor(places * scale).astype(np.int64)
    return [int(x) for x in np.minimum(found, n - 1)]


def picked(kind: str, n: int, n_out: int, factor: Fraction | None) -> Axis:
    """The axis of those choices."""
    strands = (Strand(y, 0, x, 1, ONE) for y, x in enumerate(picks(kind, n, n_out, factor)))
    return Axis(n, n_out, 1, 1, 1, disjoint(strands, 1, 1))
