"""Pad maps: where a position beyond the border reads from, as an axis of its own.

A pad map is a 0/1 selection matrix from the n positions of the input to the
``before + n + after`` positions of the padded input. A negative amount crops, after the other
side has grown.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from .axis import Axis, disjoint
from .polyphase import Strand

# z is outside 0 <= z < n; the value is where the padded input repeats the input
OUTSIDE: dict[str, Callable[[int, int], int | None]] = {
    "zeros": lambda z, n: None,
    "reflect": lambda z, n: -z if z < 0 else 2 * (n - 1) - z,
    "replicate": lambda z, n: 0 if z < 0 else n - 1,
    "circular": lambda z, n: z + n if z < 0 else z - n,
}

# the widest border that each mode can fill from n positions
WIDEST: dict[str, Callable[[int], int] | None] = {
    "zeros": None,
    "reflect": lambda n: n - 1,
    "replicate": None,
    "circular": lambda n: n,
}


def pad_map(n: int, before: int, after: int, mode: str) -> Axis:
    """The selection that pads n positions by (before, after).

    >>> [x for row in map(pad_map(3, 2, 1, "reflect").row, range(6)) for x, _, _ in row]
    [2, 1, 0, 1, 2, 1]
    """
    n_out = max(0, before + n + after)
    one = Fraction(1)
    inside = min(n_out, n + before) - max(0, before)
    strands = []
    if inside > 0:
        strands.append(Strand(max(0, before), 0, max(0, -before), inside, one))
    outside = [*range(min(before, n_out)), *range(max(0, n + before), n_out)]
    for y in outside:
        x = OUTSIDE[mode](y - before, n)
        if x is not None:
            strands.append(Strand(y, 0, x, 1, one))
    return Axis(n, n_out, 1, 1, 1, disjoint(strands, 1, 1))
