"""torch's choice of the nearest position in float32, where rounding can pick another pixel."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from .axis import ONE, Axis, disjoint
from .polyphase import Strand


def picks(kind: str, n: int, n_out: int, factor: Fraction | None = None) -> list[int]:
    """The input position of each output as torch computes it on one axis or three.

    nearest: floor(j*scale), all in float32. nearest-exact: floor(((j + 1/2)*scale - 1/2) + 1/2),
    the inner bracket one fused multiply-add, rounded once. In 2-D torch's compiled loops fuse it or
    not, depending on the size, so there it picks otherwise for a few sizes.

    >>> picks("nearest", 2, 82)[41], 41 * 2 // 82
    (0, 1)
    """
    f = np.float32
    scale = f(n) / f(n_out) if factor is None else f(factor.denominator / factor.numerator)
    outputs = np.arange(n_out)
    if kind == "nearest-exact":
        half = np.float64(1) / 2
        moved = (outputs + half) * np.float64(scale) - half  # exact in float64: 48 bits
        places = moved.astype(f) + f(half)
    else:
        places = outputs.astype(f) * scale
    found = np.floor(places).astype(np.int64)
    return [int(x) for x in np.minimum(found, n - 1)]


def picked(kind: str, n: int, n_out: int, factor: Fraction | None) -> Axis:
    """The axis of those choices."""
    strands = (Strand(y, 0, x, 1, ONE) for y, x in enumerate(picks(kind, n, n_out, factor)))
    return Axis(n, n_out, 1, 1, 1, disjoint(strands, 1, 1))
