"""How many taps reach each output: the heat map of the overlap."""

from __future__ import annotations

import matplotlib as mpl

from derive.linear_map import LinearMap
from derive.show.facts import counted, overlap_counts
from derive.show.table import places

from .drawing import COLUMN, FAINT, INK, LINE, MARGIN, Drawing, fits, plane, styled

LARGEST_CELL = 8  # mm
MOST_COUNTS = 9  # in the key
KEY = 26  # mm, its width


@styled
def overlap(op: LinearMap) -> Drawing:
    """The heat map of ``op.overlap()``, the counts written in where they fit.

    >>> from derive import ConvTranspose2d
    >>> figure = overlap(ConvTranspose2d(1, 1, 3, stride=2, input_size=(3, 3)))
    >>> figure.paths_of("4 taps"), len(figure.texts_of("count"))
    (4, 49)
    """
    rows, columns = plane(op, op.output_shape[1:])
    counts = op.overlap().reshape(rows, columns)
    found = overlap_counts(op.axes)
    cell = min(LARGEST_CELL, (COLUMN - 3 * MARGIN - KEY) / columns)
    top = MARGIN + LINE
    keys = places(len(found), MOST_COUNTS)
    drawing = Drawing(top + max(rows * cell, len(keys) * LINE) + MARGIN)
    drawing.words(MARGIN, MARGIN + 1, "taps that reach each output", "title", ha="left")

    legible = fits(str(max(found)), cell, cell)
    shades = {count: _shade(count, max(found)) for count in found}
    for count, shade in shades.items():
        centres = [
            (MARGIN + (x + 1 / 2) * cell, top + (y + 1 / 2) * cell)
            for y in range(rows)
            for x in range(columns)
            if counts[y, x] == count
        ]
        drawing.squares(centres, cell, shade, counted(count, "tap"))
        for x, y in centres if legible else ():
            drawing.words(x, y, str(count), "count", color=_ink(count, max(found)))
    if legible:
        drawing.grid(MARGIN, top, rows, columns, cell, cell)

    left = MARGIN + columns * cell + MARGIN
    counts_found = list(found.items())
    for line, key in enumerate(keys):
        y = top + (line + 1 / 2) * LINE
        if key is None:
            drawing.words(left + 5, y, "...", "key", ha="left")
            continue
        taps, positions = counts_found[key]
        drawing.squares([(left + 2, y)], 3, shades[taps], "swatch")
        drawing.words(left + 5, y, f"{taps} at {counted(positions, 'output')}", "key", ha="left")
    return drawing


def _shade(count: int, most: int) -> object:
    """Dark for few, bright for many, and hardly any ink for none."""
    return mpl.colormaps["cividis"](count / max(1, most)) if count else FAINT


def _ink(count: int, most: int) -> str:
    return INK if not count or 2 * count > most else "#FFFFFF"
