"""A page of paper: shapes and words placed in millimetres, and saved to the same bytes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from io import StringIO
from math import prod
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import style
from matplotlib.collections import LineCollection, PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from derive.arguments import refuse
from derive.linear_map import LinearMap

COLUMN = 85  # mm, the width of a column of print
MARGIN = 2
FONT = 7  # pt, and no word is smaller
LINE = 4  # mm from one line of words to the next
CHARACTER = FONT * 254 / 720 * 3 / 4  # mm, the width of one on average
LARGEST = 4_096  # cells of one grid, or entries of one matrix
FULL, BORDER = 9 / 10, 1 / 2  # of a cell, the side of what is in it; of what is at the border
LONGEST = 64  # positions along an axis of a grid

# M. Okabe and K. Ito, Color Universal Design (2008): apart for every kind of colour vision
OKABE_ITO = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#D55E00",
    "#56B4E9",
    "#000000",
    "#F0E442",
)
INK, FAINT, LINES = "#000000", "#E6E6E6", "#808080"

_STYLE: list[str | Path | dict[str, Any]] = [
    "default",
    {"font.size": FONT, "svg.hashsalt": "exactconv"},
]
_METADATA: dict[str, dict[str, None]] = {
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
FORMATS = tuple(_METADATA)

styled = style.context(_STYLE)  # whatever the caller's settings are


def colours(number: int) -> list[Any]:
    """So many colours that are told apart, or follow each other where there are more than 8.

    >>> colours(2), len(colours(9))
    (['#0072B2', '#E69F00'], 9)
    """
    if number <= len(OKABE_ITO):
        return list(OKABE_ITO[:number])
    return [mpl.colormaps["cividis"](i / (number - 1)) for i in range(number)]


def fits(words: str, width: float, height: float = LINE) -> bool:
    """Whether words in the smallest print fit into a cell of so many millimetres.

    >>> fits("w00", 6), fits("w00", 4)
    (True, False)
    """
    lines = words.split("\n")
    return max(map(len, lines)) * CHARACTER <= width and len(lines) * LINE * 3 / 4 <= height


class Drawing(Figure):
    """A page of ``height`` mm and the width of a column; x goes right, y goes down."""

    def __init__(self, height: float) -> None:
        super().__init__(figsize=(COLUMN * 10 / 254, height * 10 / 254), dpi=300)
        self.page = self.add_axes((0, 0, 1, 1))
        self.page.set(xlim=(0, COLUMN), ylim=(height, 0))
        self.page.set_axis_off()

    def squares(
        self, centres: Iterable[tuple[float, float]], side: float, colour: Any, label: str
    ) -> None:
        """Squares of one colour around their centres."""
        self.boxes([(x - side / 2, y - side / 2, side, side) for x, y in centres], colour, label)

    def boxes(
        self, boxes: Sequence[tuple[float, float, float, float]], colour: Any, label: str
    ) -> None:
        """Boxes (left, top, width, height) of one colour, without outlines."""
        patches = [Rectangle((x, y), width, height) for x, y, width, height in boxes]
        found = PatchCollection(patches, facecolor=colour, edgecolor="none", antialiased=False)
        found.set_label(label)
        self.page.add_collection(found, autolim=False)

    def strokes(
        self,
        lines: Sequence[Sequence[tuple[float, float]]],
        colour: Any,
        label: str,
        width: float = 1 / 2,
    ) -> None:
        """Straight lines, ``width`` in pt."""
        found = LineCollection(lines, colors=[colour], linewidths=width, capstyle="butt")
        found.set_label(label)
        self.page.add_collection(found, autolim=False)

    def grid(
        self, left: float, top: float, rows: int, columns: int, width: float, height: float
    ) -> None:
        """The lines around and between cells of ``width`` and ``height``."""
        right, bottom = left + columns * width, top + rows * height
        ys = [top + row * height for row in range(rows + 1)]
        xs = [left + column * width for column in range(columns + 1)]
        across = [[(left, y), (right, y)] for y in ys]
        down = [[(x, top), (x, bottom)] for x in xs]
        self.strokes(across + down, LINES, "grid", width=1 / 3)

    def places(
        self,
        places: Iterable[tuple[int, int, int, bool]],
        shades: Sequence[Any],
        left: float,
        top: float,
        cell: float,
    ) -> None:
        """A square at each (row, column, number of its phase, whole); smaller where not whole."""
        kinds: dict[tuple[int, bool], list[tuple[float, float]]] = defaultdict(list)
        for row, column, number, whole in places:
            centre = left + (column + 1 / 2) * cell, top + (row + 1 / 2) * cell
            kinds[number, whole].append(centre)
        for (number, whole), centres in sorted(kinds.items()):
            label = f"phase {number}" if whole else f"border of phase {number}"
            self.squares(centres, cell * (FULL if whole else BORDER), shades[number], label)

    def words(self, x: float, y: float, words: str, label: str, **settings: Any) -> None:
        """Words around a centre, or from the left with ``ha="left"``."""
        settings = {"ha": "center", "va": "center", "linespacing": 1, **settings}
        self.page.text(x, y, words, label=label, **settings)

    def paths_of(self, label: str) -> int:
        """How many shapes or lines carry the label."""
        found = [c for c in self.page.collections if c.get_label() == label]
        return sum(len(c.get_paths()) for c in found)

    def texts_of(self, label: str) -> list[Text]:
        """The words that carry the label, in the order of drawing."""
        return [text for text in self.page.texts if text.get_label() == label]

    def savefig(self, fname: Any, **settings: Any) -> None:
        """Write an SVG, PNG or PDF, by the suffix or ``format``: equal figures give equal bytes."""
        suffix = settings.get("format") or Path(str(fname)).suffix.lstrip(".").lower()
        if suffix not in FORMATS:
            refuse("format", suffix, f"one of {', '.join(FORMATS)}")
        with style.context(_STYLE):
            super().savefig(
                fname, **{"format": suffix, "metadata": _METADATA[suffix], "dpi": 300, **settings}
            )

    def _repr_svg_(self) -> str:
        file = StringIO()
        self.savefig(file, format="svg")
        return file.getvalue()


def times(sizes: Iterable[int]) -> str:
    """Sizes in words.

    >>> times((4, 16))
    '4 x 16'
    """
    return " x ".join(map(str, sizes))


def plane(op: LinearMap, size: Sequence[int]) -> tuple[int, int]:
    """Rows and columns of a grid of positions; GeometryError where no page holds it."""
    if len(size) > 2:
        refuse("input_size", op.input_size, "1 or 2 axes in this figure")
    if max(size) > LONGEST:
        refuse("input_size", op.input_size, f"at most {LONGEST} positions along an axis of a grid")
    return (1, *size)[-2], size[-1]


def check_entries(op: LinearMap) -> None:
    """GeometryError where the matrix has more entries than can be seen."""
    if op.nnz > LARGEST or prod(op.output_shape) + prod(op.input_shape) > LARGEST:
        refuse(
            "input_size",
            op.input_size,
            f"a matrix of at most {LARGEST} nonzeros, rows and columns in this figure; "
            f"here are {op.nnz}",
        )
