"""Shades of colours, and what can be read on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.colors import to_rgb

from .drawing import INK, OKABE_ITO

PAPER = "#FFFFFF"
HUES = [OKABE_ITO[place] for place in (0, 4, 2, 3, 1, 5)]  # neighbours are told apart

Shade = tuple[Any, ...]  # red, green and blue, each from 0 to 1


def tap_shade(row: int, column: int, columns: int) -> Shade:
    """The colour of a tap: a hue for its row in the kernel, paler from column to column.

    >>> tap_shade(0, 0, 3) == to_rgb("#0072B2"), tap_shade(0, 1, 3) == tap_shade(1, 1, 3)
    (True, False)
    """
    return lighter(to_rgb(HUES[row % len(HUES)]), 2 * column, 3 * columns)


def lighter(colour: Sequence[Any], part: int, whole: int) -> Shade:
    """A colour so many parts of the way to white."""
    return tuple(c + (1 - c) * part / whole for c in colour)


def ink_on(shade: Sequence[Any]) -> str:
    """Black or white, whichever is read better on a colour (relative luminance, sRGB weights)."""
    red, green, blue = shade
    return INK if 2126 * red + 7152 * green + 722 * blue > 5000 else PAPER
