"""Where the matrix of an operator has entries, as plain data that SVG and TikZ can draw.

Of a large matrix the corners are shown, with a gap in between, as the matrix in print is elided.
The colour of an entry is its tap: the hue by its place along the leading axes, the lightness by
that along the last one. Entries of a resize, where nothing is learned, are shaded by their value.
"""

from __future__ import annotations

from colorsys import hls_to_rgb
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import prod

from derive.linear_map import LinearMap

from .entries import Entries, Entry, parts_of
from .table import Place, places

MOST_ROWS, MOST_COLUMNS = 48, 64
SEVERAL = (128, 128, 128)  # the colour of an entry that adds up several weights
NEGATIVE = (178, 34, 34)
Colour = tuple[int, int, int]  # red, green, blue up to 255


@dataclass(frozen=True, slots=True)
class Cell:
    """An entry at a row and a column of the picture."""

    row: int
    column: int
    colour: Colour


@dataclass(frozen=True, slots=True)
class Picture:
    """Cells on ``rows`` x ``columns``, with a gap at one of either where some are left out.

    ``seams`` are the columns before which the next row of positions begins.
    """

    words: str
    rows: int
    columns: int
    cells: tuple[Cell, ...]
    row_gap: int | None = None
    column_gap: int | None = None
    seams: tuple[int, ...] = ()


def structure(op: LinearMap) -> Picture:
    """The picture of a matrix; GeometryError while the input size is free.

    >>> from derive import Conv1d
    >>> picture = structure(Conv1d(1, 1, 2, input_size=3))
    >>> [(cell.row, cell.column) for cell in picture.cells]
    [(0, 0), (0, 1), (1, 1), (1, 2)]
    >>> len({cell.colour for cell in picture.cells})
    2
    """
    n_rows, n_columns = prod(op.output_shape), prod(op.input_shape)
    rows, columns = places(n_rows, MOST_ROWS), places(n_columns, MOST_COLUMNS)
    entry, shades = cache(Entries(op)), Shades(op)
    cells = (
        Cell(r, c, shades(entry(row, column)))
        for r, row in enumerate(rows)
        for c, column in enumerate(columns)
        if row is not None and column is not None and entry(row, column).terms
    )
    line = op.input_shape[-1]
    seams = tuple(c for c, at in enumerate(columns) if at and at % line == 0)
    words = f"Where the matrix, {n_rows} x {n_columns}, has entries; a colour is a tap."
    if not any(part.learned for part in parts_of(op)):
        words = f"Where the matrix, {n_rows} x {n_columns}, has entries; the darker, the larger."
    return Picture(words, len(rows), len(columns), tuple(cells), _gap(rows), _gap(columns), seams)


def _gap(shown: tuple[Place, ...]) -> int | None:
    return shown.index(None) if None in shown else None


class Shades:
    """The colour of an entry."""

    def __init__(self, op: LinearMap) -> None:
        learned = [part for part in parts_of(op) if part.learned]
        self.taps = tuple(rule.n_tap for rule in learned[0].rules) if len(learned) == 1 else ()
        self.at = next((i for i, part in enumerate(parts_of(op)) if part.learned), 0)
        self.hues = prod(self.taps[:-1])

    def __call__(self, entry: Entry) -> Colour:
        first = entry.terms[0]
        if not self.taps and not any(first.weights):
            return SEVERAL
        if not self.taps:
            return _valued(sum((term.coefficient for term in entry.terms), start=Fraction(0)))
        if len(entry.terms) > 1 or entry.last is not None:
            return SEVERAL
        hue = 0
        *leading, last = first.weights[self.at][2:]
        for tap, size in zip(leading, self.taps, strict=False):
            hue = hue * size + tap
        return _tone(Fraction(hue, self.hues), Fraction(2 * last + 1, 2 * self.taps[-1]))


def _valued(value: Fraction) -> Colour:
    if value < 0:
        return NEGATIVE
    grey = 230 - int(200 * min(value, Fraction(1)))
    return grey, grey, grey


def _tone(hue: Fraction, lightness: Fraction) -> Colour:
    """A colour of the circle, neither too light nor too dark to be told from the paper."""
    tone = hue, Fraction(1, 4) + lightness / 2, Fraction(7, 10)
    rgb = hls_to_rgb(*map(float, tone))
    red, green, blue = (int(255 * part) for part in rgb)
    return red, green, blue
