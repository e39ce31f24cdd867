"""Where the matrix of an operator has entries, and its transpose beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from derive.composite import Composite
from derive.linear_map import LinearMap
from derive.operator import Operator
from derive.show.table import places

from .by_phase import classified, phase_words, phases_of
from .drawing import BORDER, COLUMN, LINE, MARGIN, Drawing, check_entries, colours, styled

LARGEST_CELL = 5  # mm
GAP = 4  # mm between the two
HIGHEST = 180  # mm
NARROWEST = 20  # mm, that a title takes
MOST_PHASES = 16  # in the key
KEY = 56  # mm, the width of the key
SEAM = "#B0B0B0"
TRANSPOSED = r"C$^\mathsf{T}$"
Indices = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Note:
    """An entry of the key: words after a square of a colour, or alone."""

    words: str
    phase: int | None = None
    size: float = 1


@styled
def structure(op: LinearMap) -> Drawing:
    """The nonzeros of the matrix C and of C^T, coloured by the phases of the one that has more.

    Entries at the border, in rows that read fewer inputs than others of their phase, are smaller.
    Grey lines part the columns of one row of positions from those of the next.

    >>> from derive import ConvTranspose1d
    >>> figure = structure(ConvTranspose1d(1, 1, 3, stride=2, input_size=4))
    >>> [figure.paths_of(kind) for kind in ("phase 0", "border of phase 0", "phase 1")]
    [12, 4, 8]
    """
    check_entries(op)
    height, width = prod(op.output_shape), prod(op.input_shape)
    rows, columns = _nonzeros(op)
    transposed = prod(a.step for a in op.axes) < prod(a.advance for a in op.axes)
    side, owner = (op.T, columns) if transposed else (op, rows)
    numbers, whole = (
        np.tile(each.ravel(), side.output_shape[0])[owner].tolist()
        for each in classified(side.axes)
    )
    shades = colours(len(phases_of(side.axes)))
    key = list(_key(side, TRANSPOSED if transposed else "C", all(whole)))

    room = COLUMN - 2 * MARGIN
    cell = min(LARGEST_CELL, HIGHEST / max(height, width), (room - GAP) / (height + width))
    if width * cell + GAP < NARROWEST:
        cell = min(cell, (room - NARROWEST) / height)
    if height * cell < NARROWEST:
        cell = min(cell, (room - NARROWEST - GAP) / width)
    top = MARGIN + LINE
    second = MARGIN + max(width * cell + GAP, NARROWEST)
    bottom = top + max(height, width) * cell
    left, below = MARGIN / 1, top + min(height, width) * cell  # of the key: under the lower one
    if len(key) * LINE + 2 > abs(height - width) * cell or max(height, width) * cell < KEY:
        below = bottom
    elif height > width:
        left = second
    below += 2
    drawing = Drawing(max(bottom, below + len(key) * LINE) + MARGIN)
    _draw(drawing, "C", MARGIN, cell, (height, width), op.input_shape[-1])
    _draw(drawing, TRANSPOSED, second, cell, (width, height), op.output_shape[-1])
    entries = list(zip(rows.tolist(), columns.tolist(), numbers, whole, strict=True))
    drawing.places(entries, shades, MARGIN, top, cell)
    drawing.places([(c, r, n, w) for r, c, n, w in entries], shades, second, top, cell)
    for line, notes in enumerate(key):
        for x, note in zip((left, left + KEY / 2), notes, strict=False):
            y = below + (line + 1 / 2) * LINE
            if note.phase is not None:
                drawing.squares([(x + 3 / 2, y)], 3 * note.size, shades[note.phase], "swatch")
                x += 4
            drawing.words(x, y, note.words, "key", ha="left")
    return drawing


def _nonzeros(op: LinearMap) -> tuple[Indices, Indices]:
    """Rows and columns of all entries."""

    def ones(part: LinearMap) -> NDArray[np.float64] | None:
        return (
            np.ones(part.weight_shape or ())
            if isinstance(part, Operator) and part.learned
            else None
        )

    weight = tuple(map(ones, op.parts)) if isinstance(op, Composite) else ones(op)
    entries = op.sparse(weight).tocoo()
    return entries.row, entries.col


def _draw(
    drawing: Drawing, name: str, left: float, cell: float, shape: tuple[int, int], seam: int
) -> None:
    """Title and frame of a matrix, its columns parted after every ``seam``."""
    top, (height, width) = MARGIN + LINE, shape
    drawing.words(left, MARGIN + 1, f"{name}  {height} x {width}", "title", ha="left")
    xs = [left + x * cell for x in range(seam, width, seam)]
    drawing.strokes([[(x, top), (x, top + height * cell)] for x in xs], SEAM, "seam", width=1 / 3)
    drawing.grid(left, top, 1, 1, width * cell, height * cell)


def _key(side: LinearMap, name: str, whole: bool) -> Iterator[list[Note]]:
    """The lines of the key."""
    phases = phases_of(side.axes)
    if len(phases) > 1:
        yield [Note(f"rows of {name} by their position:")]
        notes = [
            Note("...") if number is None else Note(phase_words(side.axes, phases[number]), number)
            for number in places(len(phases), MOST_PHASES)
        ]
        across = 2 if len(side.axes) < 3 else 1
        yield from (notes[i : i + across] for i in range(0, len(notes), across))
    if not whole:
        yield [Note(f"small: rows of {name} at the border", 0, BORDER)]
