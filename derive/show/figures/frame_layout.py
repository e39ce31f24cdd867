"""Where the grids and the matrix of an animated operator stand on the page, in millimetres."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .drawing import COLUMN, LINE, MARGIN

CELL = 7  # of a grid at most
LABEL = 5  # left of the matrix, the names of its rows
ROW = LINE + 1 / 2  # of the matrix at most
BELOW, BESIDE = 64, 72  # of the matrix in all, at most
TOP = MARGIN + LINE + 1
ROOM = COLUMN - 2 * MARGIN
Point = tuple[float, float]
Shape = tuple[int, int]  # rows and columns


@dataclass(frozen=True, slots=True)
class Layout:
    """The grids of input, output and kernel, of no rows where there is none, and the matrix.

    ``cell`` is the side of a position; ``matrix`` the corner of the matrix, ``width`` and
    ``height`` those of its entries, ``shape`` its rows and columns.
    """

    grids: tuple[Shape, Shape, Shape]
    corners: tuple[Point, Point, Point]
    cell: float
    shape: Shape
    matrix: Point
    width: float
    height: float

    @property
    def bottom(self) -> float:
        """Below everything."""
        grids = zip(self.corners, self.grids, strict=True)
        ends = [top + rows * self.cell for (_, top), (rows, _) in grids]
        return max(*ends, self.matrix[1] + self.shape[0] * self.height) + 2

    def box(self, grid: int, flat: int) -> tuple[float, float, float, float]:
        """(left, top, width, height) of a position, by its flat index."""
        row, column = divmod(flat, self.grids[grid][1])
        left, top = self.corners[grid]
        return left + column * self.cell, top + row * self.cell, self.cell, self.cell


def layout(grids: tuple[Shape, Shape, Shape], shape: Shape) -> Layout:
    """The matrix below the grids where it is wide, beside them where it is not.

    >>> layout(((4, 4), (2, 2), (3, 3)), (4, 16)).corners[0][1]
    7
    """
    return _below(grids, shape) if shape[1] > shape[0] else _beside(grids, shape)


def _below(grids: tuple[Shape, Shape, Shape], shape: Shape) -> Layout:
    cells = sum(columns for _, columns in grids)
    cell = min(CELL, (ROOM - 4 * LINE) / cells)
    gap = (ROOM - cells * cell) / 4
    starts = _starts(MARGIN + gap, [columns * cell for _, columns in grids], gap)
    top = TOP + max(rows for rows, _ in grids) * cell + 2 * LINE + 2
    width = min(CELL, (ROOM - LABEL) / shape[1])
    first, second, third = ((x, TOP) for x in starts)
    matrix, height = (MARGIN + LABEL, top), min(ROW, BELOW / shape[0])
    return Layout(grids, (first, second, third), cell, shape, matrix, width, height)


def _beside(grids: tuple[Shape, Shape, Shape], shape: Shape) -> Layout:
    height = min(ROW, BESIDE / shape[0])
    widest = 2 * ROOM / 5 / max(columns for _, columns in grids)  # of a cell
    highest = (shape[0] * height - 4 * LINE) / sum(rows for rows, _ in grids)
    cell = max(min(CELL, widest, highest), min(5, widest))
    starts = _starts(TOP, [rows * cell for rows, _ in grids], 2 * LINE)
    side = MARGIN + 2 + max(columns for _, columns in grids) * cell + 2 * LINE + LABEL
    width = min(2 * CELL, (COLUMN - MARGIN - side) / shape[1])
    first, second, third = ((MARGIN + 2, y) for y in starts)
    return Layout(grids, (first, second, third), cell, shape, (side, TOP + LINE), width, height)


def _starts(first: float, lengths: Sequence[float], gap: float) -> tuple[float, float, float]:
    """Where input, output and kernel begin, the kernel standing in the middle."""
    given, _, kernel = lengths
    second = first + given + gap
    third = second + kernel + (gap if kernel else 0)
    return first, third, second
