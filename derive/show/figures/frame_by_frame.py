"""An operator at work, output by output: what it reads, and the row of the matrix that says so."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod

from derive.arguments import refuse
from derive.core.axis import ONE
from derive.linear_map import LinearMap
from derive.operator import Operator

from .animation import Animation
from .by_phase import Weights
from .drawing import (
    CHARACTER,
    COLUMN,
    FONT,
    INK,
    LINE,
    MARGIN,
    Drawing,
    plane,
    styled,
    times,
)
from .frame_layout import LABEL, layout
from .names import spelled
from .shades import PAPER, Shade, ink_on, lighter, tap_shade

LONGEST = 40  # rows or columns of the matrix
MOST_CELLS = 640
MOST_TAPS = 8  # along an axis of a kernel that is drawn
DONE, QUIET = "#E0E0E0", "#707070"
SMALL = 4  # pt, of the smallest words: 13 pixels
MOST_CHARACTERS = 56  # of a line of the sum
Cell = tuple[float, float, float, float]  # left, top, width, height
Reads = dict[int, list[Weights]]  # flat input position -> the weights on it along each axis


@styled
def sliding(op: LinearMap) -> Animation:
    """One frame for each output of an operator of one channel and one or two axes.

    A tap has its colour wherever it is used: on the inputs that are read, and in the row of the
    matrix. The sum that makes the output stands below.

    >>> from derive import Conv2d
    >>> film = sliding(Conv2d(1, 1, 3, bias=False, input_size=(4, 4)))
    >>> len(film.frames), [t.get_text() for t in film.frames[1].texts_of("sum")][0][:21]
    (4, 'y01 = w00·x01 + w01·x')
    """
    if op.channels != (1, 1):
        refuse("channels", op.channels, "1 input and 1 output channel in this figure")
    rows, columns = prod(op.output_shape), prod(op.input_shape)
    if max(rows, columns) > LONGEST or rows * columns > MOST_CELLS:
        refuse(
            "input_size",
            op.input_size,
            f"a matrix of at most {LONGEST} rows and columns and {MOST_CELLS} entries in this "
            f"figure; here it is {times((rows, columns))}",
        )
    page = _Page(op)
    return Animation([page.frame(y) for y in range(rows)])


class _Page:
    """What stays in place from frame to frame."""

    def __init__(self, op: LinearMap) -> None:
        self.op = op
        self.sizes = op.input_shape[1:], op.output_shape[1:]
        given, made = (plane(op, size) for size in self.sizes)
        shape = prod(self.sizes[1]), prod(self.sizes[0])
        self.at = layout((given, made, _kernel(op)), shape)
        self.rows = [self._row(place) for place in _places(self.sizes[1])]
        self.sums = [self._sum(y) for y in range(shape[0])]
        self.height = self.at.bottom + max(map(len, self.sums)) * LINE + MARGIN

    def _row(self, place: Sequence[int]) -> Reads:
        """What an output reads, by flat input position."""
        of_axes = []
        for axis, y in zip(self.op.axes, place, strict=True):
            reads: dict[int, Weights] = {}
            for x, tap, coefficient in axis.row(y):
                reads[x] = [*reads.get(x, ()), (tap, coefficient)]
            of_axes.append(reads)
        found: Reads = {}
        for xs in product(*of_axes):
            flat = 0
            for x, n in zip(xs, self.sizes[0], strict=True):
                flat = flat * n + x
            found[flat] = [reads[x] for x, reads in zip(xs, of_axes, strict=True)]
        return found

    def _words(self, weights: Sequence[Weights]) -> str:
        return spelled(self.op, weights, COLUMN, LINE)

    def _sum(self, y: int) -> list[str]:
        """The sum that makes an output, in lines that are broken between terms."""
        reads = sorted(self.rows[y].items())
        terms = [f"{self._words(weights)}·{self._name('x', 0, x)}" for x, weights in reads]
        words = [f"{self._name('y', 1, y)} = {terms[0] if terms else 0}"]
        words += [f"+ {term}" for term in terms[1:]]
        lines = [""]
        for word in words:
            if lines[-1] and len(lines[-1]) + 1 + len(word) > MOST_CHARACTERS:
                lines.append(" " * 4)
            lines[-1] += f" {word}" if lines[-1].strip() else word
        return lines

    def _name(self, letter: str, side: int, flat: int) -> str:
        place = list(_places(self.sizes[side]))[flat]
        return letter + ("" if max(self.sizes[side]) <= 10 else ",").join(map(str, place))

    def frame(self, y: int) -> Drawing:
        """The page while output ``y`` is written."""
        drawing = Drawing(self.height)
        drawing.set_facecolor(PAPER)
        titles = f"input {times(self.sizes[0])}", f"output {times(self.sizes[1])}"
        for (left, top), words in zip(self.at.corners[:2], titles, strict=True):
            drawing.words(left, top - LINE / 2, words, "title", ha="left")
        self._draw_input(drawing, y)
        self._draw_kernel(drawing, y)
        self._draw_output(drawing, y)
        self._draw_matrix(drawing, y)
        for line, words in enumerate(self.sums[y]):
            at = self.at.bottom + (line + 1 / 2) * LINE
            drawing.words(MARGIN, at, words, "sum", ha="left")
        return drawing

    def _draw_input(self, drawing: Drawing, y: int) -> None:
        reads = self.rows[y]
        for x in range(prod(self.sizes[0])):
            box, name = self.at.box(0, x), self._name("x", 0, x)
            if x not in reads:
                _written(drawing, box, name, "input", colour=QUIET)
                continue
            shade = self._shade(reads[x])
            drawing.boxes([box], shade, "read")
            left, top, width, height = box
            half = width, height / 2
            words = self._words(reads[x])
            _written(drawing, (left, top, *half), words, "weight", colour=ink_on(shade), bold=True)
            _written(drawing, (left, top + height / 2, *half), name, "input", colour=ink_on(shade))
        self._draw_grid(drawing, 0)

    def _draw_grid(self, drawing: Drawing, grid: int) -> None:
        at = self.at
        drawing.grid(*at.corners[grid], *at.grids[grid], at.cell, at.cell)

    def _draw_kernel(self, drawing: Drawing, y: int) -> None:
        """Every weight in its colour, pale where this output does not use it."""
        if not self.at.grids[2][0]:
            return
        left, top = self.at.corners[2]
        sizes = [axis.n_tap for axis in self.op.axes]
        drawing.words(left, top - LINE / 2, f"kernel {times(sizes)}", "title", ha="left")
        reads = self.rows[y].values()
        used = {taps for each in reads for taps in product(*([t for t, _ in w] for w in each))}
        for flat, taps in enumerate(_places(sizes)):
            weights = [[(tap, ONE)] for tap in taps]
            shade, now = self._shade(weights), taps in used
            shade = shade if now else lighter(shade, 3, 4)
            drawing.boxes([self.at.box(2, flat)], shade, "tap" if now else "other tap")
            colour = ink_on(shade) if now else QUIET
            _written(drawing, self.at.box(2, flat), self._words(weights), "tap", colour=colour)
        self._draw_grid(drawing, 2)

    def _draw_output(self, drawing: Drawing, y: int) -> None:
        for at in range(len(self.rows)):
            box, name = self.at.box(1, at), self._name("y", 1, at)
            colour = QUIET
            if at <= y:
                drawing.boxes([box], INK if at == y else DONE, "written" if at == y else "done")
                colour = PAPER if at == y else INK
            _written(drawing, box, name, "output", colour=colour, bold=at == y)
        self._draw_grid(drawing, 1)

    def _draw_matrix(self, drawing: Drawing, y: int) -> None:
        left, top = self.at.matrix
        (n_rows, n_columns), width, height = self.at.shape, self.at.width, self.at.height
        words = f"matrix {times(self.at.shape)}"
        drawing.words(left, top - LINE * 3 / 2 - 1 / 2, words, "title", ha="left")
        for x in range(n_columns):
            read = x in self.rows[y]
            above = left + x * width, top - LINE, width, LINE
            colour = INK if read else QUIET
            _written(drawing, above, self._name("x", 0, x), "column", colour=colour, bold=read)
        for row, reads in enumerate(self.rows):
            down = top + row * height
            now = row == y
            box: Cell = left - LABEL, down, LABEL, height
            colour = INK if now else QUIET
            _written(drawing, box, self._name("y", 1, row), "row", colour=colour, bold=now)
            for x in range(n_columns):
                cell = left + x * width, down, width, height
                if x not in reads:
                    if now:
                        _written(drawing, cell, "0", "zero", colour=QUIET)
                    continue
                shade = self._shade(reads[x])
                shade = shade if now else lighter(shade, 3, 4)
                drawing.boxes([cell], shade, "entry" if now else "other entry")
                colour = ink_on(shade) if now else QUIET
                _written(drawing, cell, self._words(reads[x]), "entry", colour=colour, bold=now)
        drawing.grid(left, top, n_rows, n_columns, width, height)
        frame = left, top + y * height, left + n_columns * width, top + (y + 1) * height
        _framed(drawing, frame)

    def _shade(self, weights: Sequence[Weights]) -> Shade:
        row, column = (0, *(each[0][0] for each in weights))[-2:]
        return tap_shade(row, column, self.op.axes[-1].n_tap)


def _kernel(op: LinearMap) -> tuple[int, int]:
    """Rows and columns of the kernel that is drawn: none where there are none, or several."""
    if not isinstance(op, Operator) or not op.learned or max(a.n_tap for a in op.axes) > MOST_TAPS:
        return 0, 0
    return plane(op, [axis.n_tap for axis in op.axes])


def _places(size: Sequence[int]) -> product[tuple[int, ...]]:
    return product(*map(range, size))


def _written(
    drawing: Drawing, box: Cell, words: str, label: str, *, colour: str, bold: bool = False
) -> None:
    """Words in the middle of a box, as large as it allows."""
    left, top, width, height = box
    fit = width * FONT / CHARACTER / max(1, len(words))
    if bold:
        fit *= 6 / 7
    if fit >= SMALL:
        weight = "bold" if bold else "normal"
        size = min(FONT, fit)
        place = left + width / 2, top + height / 2
        drawing.words(*place, words, label, color=colour, fontsize=size, fontweight=weight)


def _framed(drawing: Drawing, frame: Cell) -> None:
    left, top, right, bottom = frame
    corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
    drawing.strokes([corners], INK, "row", width=3 / 2)
