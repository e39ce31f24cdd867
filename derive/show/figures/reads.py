"""Which inputs an output reads, and which outputs an input reaches: lines between two grids."""

from __future__ import annotations

from collections.abc import Sequence

from derive.core.axis import Axis
from derive.linear_map import LinearMap, Position

from .by_phase import Weights
from .drawing import COLUMN, LINE, MARGIN, OKABE_ITO, Drawing, plane, styled, times
from .names import spelled

LARGEST_CELL = 8  # mm
HIGHEST = 180
BETWEEN = 14  # mm at least between the grids
APART = 6  # mm, a cell from which words and the end of a line stand apart
TINT = {"read": "#CFE5F5", "one": "#F9DFA8"}  # of the first two colours


@styled
def many_to_one(op: LinearMap, position: Position | int | None = None) -> Drawing:
    """The inputs that one output reads, each with its weight; by default the output in the middle.

    >>> from derive import Conv2d
    >>> figure = many_to_one(Conv2d(1, 1, 3, input_size=(4, 4)), (0, 0))
    >>> [text.get_text() for text in figure.texts_of("weight")][:4], figure.paths_of("way")
    (['w00', 'w01', 'w02', 'w10'], 9)
    """
    return _reads(op, op.output_shape[1:], position, from_output=True)


@styled
def one_to_many(op: LinearMap, position: Position | int | None = None) -> Drawing:
    """The outputs that one input reaches, each with its weight; by default the input in the middle.

    >>> from derive import ConvTranspose2d
    >>> one_to_many(ConvTranspose2d(1, 1, 3, input_size=(2, 2)), (0, 0)).paths_of("way")
    9
    """
    return _reads(op, op.input_shape[1:], position, from_output=False)


def _reads(
    op: LinearMap, size: Sequence[int], position: Position | int | None, *, from_output: bool
) -> Drawing:
    if position is None:
        position = tuple((n - 1) // 2 for n in size)
    side = op if from_output else op.T
    many = side.receptive_field(position)
    one = (position,) if isinstance(position, int) else tuple(position)
    grids = [plane(op, shape[1:]) for shape in (op.input_shape, op.output_shape)]
    upright = len(size) == 1  # so that no way lies on another
    if upright:
        grids = [(n, 1) for _, n in grids]
    columns, rows = sum(width for _, width in grids), max(height for height, _ in grids)
    cell = min(LARGEST_CELL, (COLUMN - 2 * MARGIN - BETWEEN) / columns, HIGHEST / rows)
    between = min(COLUMN - 2 * MARGIN - columns * cell, 3 * BETWEEN)
    top = MARGIN + LINE
    drawing = Drawing(top + rows * cell + MARGIN)

    corners = []
    left = (COLUMN - columns * cell - between) / 2
    named = ("input", op.input_shape), ("output", op.output_shape)
    for (name, shape), (height, width) in zip(named, grids, strict=True):
        corner = left, top + (rows - height) * cell / 2
        corners.append(corner)
        drawing.words(left, corner[1] - LINE / 2, f"{name} {times(shape[1:])}", "title", ha="left")
        left += width * cell + between

    def centre(grid: int, place: Sequence[int]) -> tuple[float, float]:
        row, column = (*place, 0) if upright else place
        x, y = corners[grid]
        return x + (column + 1 / 2) * cell, y + (row + 1 / 2) * cell

    to_many, to_one = (0, 1) if from_output else (1, 0)
    drawing.squares([centre(to_many, place) for place in many], cell, TINT["read"], "many")
    drawing.squares([centre(to_one, one)], cell, TINT["one"], "one")
    for corner, (height, width) in zip(corners, grids, strict=True):
        drawing.grid(*corner, height, width, cell, cell)
    target = centre(to_one, one)
    for place in many:
        x, y = centre(to_many, place)
        shift = cell / 5 if cell > APART else 0
        shift *= 1 if y <= target[1] else -1  # the way leaves its cell between words and target
        drawing.strokes([[(x, y + shift), target]], OKABE_ITO[0], "way", width=1 / 2)
        weights = [_weights(axis, *ends) for axis, *ends in zip(side.axes, one, place, strict=True)]
        words = spelled(op, weights, cell, cell)
        if words:
            drawing.words(x, y - shift, words, "weight")
    return drawing


def _weights(axis: Axis, y: int, x: int) -> Weights:
    """What leads from input position x to output position y."""
    return [(tap, coefficient) for at, tap, coefficient in axis.row(y) if at == x]
