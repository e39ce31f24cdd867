"""The phases of an operator: the small dense kernel of each, and the outputs that it makes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any

from derive.core.axis import ONE
from derive.errors import GeometryError
from derive.linear_map import LinearMap
from derive.operator import Operator

from .by_phase import Phase, SmallKernel, classified, small_kernels
from .drawing import COLUMN, LINE, MARGIN, Drawing, colours, plane, styled, times
from .names import spelled

CELL = 8  # mm at most
SUM_CELL = 17  # mm wide, where weights are added up
SMALLEST_CELL = 3
GAP = 3  # mm between panels
FRAME = 1 / 2  # mm of colour around what belongs to a phase
MOST_TAPS = 12  # along an axis, of a kernel that is drawn
PAPER = "#FFFFFF"


@styled
def phases(op: LinearMap) -> Drawing:
    """The kernel, the outputs, and for each phase the small kernel that makes it.

    A tap is in the colours of the phases that use it; an output in that of its phase, smaller
    where it reads fewer inputs because the border is near.

    >>> from derive import ConvTranspose2d
    >>> figure = phases(ConvTranspose2d(1, 1, 3, stride=2, input_size=(3, 3)))
    >>> [text.get_text() for text in figure.texts_of("weight of (0, 1)")]
    ['w21', 'w01']
    """
    rows, columns = plane(op, op.output_shape[1:])
    kernels = small_kernels(op.axes)
    shades = dict(zip((k.phase for k in kernels), colours(len(kernels)), strict=True))
    down, across = plane(op, [min(axis.step, axis.n_out) for axis in op.axes])

    block = (COLUMN - 2 * MARGIN - GAP * (across - 1)) / across
    folds = any(len(weights) > 1 for k in kernels for cell in k.cells for weights in cell)
    widest = max(1, *(k.shape[1] for k in kernels))
    width = min(SUM_CELL if folds else CELL, (block - 2 * FRAME) / widest)
    height = min(CELL, width)
    if width < SMALLEST_CELL:
        raise GeometryError(
            f"{op!r} has {across * widest} cells of small kernels side by side: allowed are so "
            f"many that each has {SMALLEST_CELL} mm of a column"
        )

    taps = _taps(op)
    tap = min(CELL, COLUMN * 2 / 5 / taps[1])
    left = MARGIN + (taps[1] * tap + 2 * GAP if taps[0] else 0)
    cell = min(CELL, (COLUMN - MARGIN - left) / columns)
    top = MARGIN + LINE
    middle = top + max(taps[0] * tap, rows * cell) + GAP
    heights = [
        LINE
        + max(1, *(k.shape[0] for k in kernels[r * across : (r + 1) * across])) * height
        + 2 * FRAME
        + GAP / 2
        for r in range(down)
    ]
    drawing = Drawing(middle + LINE + sum(heights) + MARGIN)

    if taps[0]:
        words = f"kernel {times(axis.n_tap for axis in op.axes)}"
        drawing.words(MARGIN, MARGIN + 1, words, "title", ha="left")
        _draw_taps(drawing, op, kernels, shades, (MARGIN, top), tap)
    words = f"output {times(op.output_shape[1:])}"
    words += "" if classified(op.axes)[1].all() else ", small at the border"
    drawing.words(left, MARGIN + 1, words, "title", ha="left")
    _draw_outputs(drawing, op, shades, (left, top), cell)
    modulus = times(axis.step for axis in op.axes)
    words = f"{len(kernels)} phases, by the position of the output modulo {modulus}"
    if len(kernels) == 1:
        words = "1 phase: what makes every output"
    drawing.words(MARGIN, middle + LINE / 2, words, "title", ha="left")
    for number, kernel in enumerate(kernels):
        r, c = divmod(number, across)
        corner = MARGIN + c * (block + GAP), middle + LINE + sum(heights[:r])
        _draw_kernel(drawing, op, kernel, shades[kernel.phase], corner, width, height)
    return drawing


def _taps(op: LinearMap) -> tuple[int, int]:
    """Rows and columns of the kernel that is drawn, none where it is fixed or of several parts."""
    shape = plane(op, [axis.n_tap for axis in op.axes])
    return shape if isinstance(op, Operator) and op.learned and max(shape) <= MOST_TAPS else (0, 1)


def _draw_taps(
    drawing: Drawing,
    op: LinearMap,
    kernels: Iterable[SmallKernel],
    shades: dict[Phase, Any],
    corner: tuple[float, float],
    cell: float,
) -> None:
    users: dict[tuple[int, ...], list[Phase]] = defaultdict(list)
    for kernel in kernels:
        used = {tuple(t for t, _ in each) for ws in kernel.cells for each in product(*ws)}
        for taps in used:
            users[taps].append(kernel.phase)
    left, top = corner
    for taps in product(*(range(axis.n_tap) for axis in op.axes)):
        row, column = (0, *taps)[-2:]
        x, y = left + column * cell, top + row * cell
        for i, phase in enumerate(users[taps]):
            strip = cell / len(users[taps])
            drawing.boxes([(x + i * strip, y, strip, cell)], shades[phase], f"tap of {phase}")
        words = spelled(op, [[(tap, ONE)] for tap in taps], cell - 2 * FRAME, cell)
        if words:
            inner = cell - 2 * FRAME
            drawing.boxes([(x + FRAME, y + FRAME, inner, inner)], PAPER, "paper")
            drawing.words(x + cell / 2, y + cell / 2, words, "tap")
    drawing.grid(left, top, *_taps(op), cell, cell)


def _draw_outputs(
    drawing: Drawing,
    op: LinearMap,
    shades: dict[Phase, Any],
    corner: tuple[float, float],
    cell: float,
) -> None:
    rows, columns = plane(op, op.output_shape[1:])
    numbers, whole = classified(op.axes)
    cells = product(range(rows), range(columns))
    places = [
        (y, x, int(n), bool(w))
        for (y, x), n, w in zip(cells, numbers.flat, whole.flat, strict=True)
    ]
    drawing.places(places, list(shades.values()), *corner, cell)
    drawing.grid(*corner, rows, columns, cell, cell)


def _draw_kernel(
    drawing: Drawing,
    op: LinearMap,
    kernel: SmallKernel,
    shade: Any,
    corner: Sequence[float],
    width: float,
    height: float,
) -> None:
    left, top = corner[0], corner[1] + LINE
    rows, columns = kernel.shape
    drawing.squares([(left + 3 / 2, top - LINE / 2)], 3, shade, "swatch")
    drawing.words(left + 4, top - LINE / 2, kernel.name, "phase", ha="left")
    if not kernel.cells:
        drawing.words(left, top + height / 2, "no tap,\nalways 0", "dead", ha="left")
        return
    outer = columns * width + 2 * FRAME, rows * height + 2 * FRAME
    drawing.boxes([(left, top, *outer)], shade, "frame")
    left, top = left + FRAME, top + FRAME
    drawing.boxes([(left, top, columns * width, rows * height)], PAPER, "paper")
    drawing.grid(left, top, rows, columns, width, height)
    for number, weights in enumerate(kernel.cells):
        y, x = divmod(number, columns)
        words = spelled(op, weights, width, height)
        place = left + (x + 1 / 2) * width, top + (y + 1 / 2) * height
        drawing.words(*place, words, f"weight of {kernel.name}")
