"""A picture of a matrix in SVG and in TikZ; the same cells, frame, seams and dots."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from html import escape

from .structure import Cell, Colour, Picture

LARGEST_CELL = 10  # pixels in SVG, tenths of a millimetre times four in TikZ
WIDEST, HIGHEST = 640, 480  # pixels
WIDEST_TIKZ, HIGHEST_TIKZ, LARGEST_TIKZ = 1100, 700, 40  # tenths of a millimetre


def svg(picture: Picture) -> str:
    """The picture as an ``svg`` element that needs no style sheet and names no file.

    >>> from derive import Conv1d
    >>> from derive.show.structure import structure
    >>> svg(structure(Conv1d(1, 1, 2, input_size=3))).splitlines()[-2]
    '<path fill="none" stroke="#888" stroke-width="1" d="M0 0H30V20H0Z"/>'
    """
    cell = max(1, min(LARGEST_CELL, WIDEST // picture.columns, HIGHEST // picture.rows))
    width, height = picture.columns * cell, picture.rows * cell
    box = f"-1 -1 {width + 2} {height + 2}"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}" width="{width + 2}" '
        f'height="{height + 2}" role="img">',
        f"<title>{escape(picture.words)}</title>",
    ]
    for (red, green, blue), cells in _by_colour(picture):
        squares = "".join(
            f"M{c.column * cell} {c.row * cell}h{cell}v{cell}h-{cell}z" for c in cells
        )
        lines.append(f'<path fill="#{red:02x}{green:02x}{blue:02x}" d="{squares}"/>')
    seams = "".join(f"M{column * cell} 0V{height}" for column in picture.seams)
    if seams:
        lines.append(f'<path fill="none" stroke="#bbb" stroke-width="1" d="{seams}"/>')
    dots = "".join(
        f'<circle cx="{x * cell + cell // 2}" cy="{y * cell + cell // 2}" r="1"/>'
        for x, y in _dots(picture)
    )
    if dots:
        lines.append(f'<g fill="#888">{dots}</g>')
    frame = f"M0 0H{width}V{height}H0Z"
    lines.append(f'<path fill="none" stroke="#888" stroke-width="1" d="{frame}"/>')
    return "\n".join([*lines, "</svg>"])


def tikz(picture: Picture) -> str:
    r"""The picture as a ``tikzpicture``, no wider than the text of an article.

    >>> from derive import Conv1d
    >>> from derive.show.structure import structure
    >>> print(tikz(structure(Conv1d(1, 1, 1, input_size=1))))
    \begin{tikzpicture}[x=4.0mm,y=-4.0mm]
    \fill[fill={rgb,255:red,216;green,38;blue,38}] (0,0) rectangle +(1,1);
    \draw[gray] (0,0) rectangle (1,1);
    \end{tikzpicture}
    """
    size = min(LARGEST_TIKZ, WIDEST_TIKZ // picture.columns, HIGHEST_TIKZ // picture.rows)
    unit = f"{max(1, size) // 10}.{max(1, size) % 10}mm"
    lines = [f"\\begin{{tikzpicture}}[x={unit},y=-{unit}]"]
    for (red, green, blue), cells in _by_colour(picture):
        squares = " ".join(f"({cell.column},{cell.row}) rectangle +(1,1)" for cell in cells)
        colour = f"{{rgb,255:red,{red};green,{green};blue,{blue}}}"
        lines.append(f"\\fill[fill={colour}] {squares};")
    seams = " ".join(f"({column},0) -- ({column},{picture.rows})" for column in picture.seams)
    if seams:
        lines.append(f"\\draw[lightgray,very thin] {seams};")
    dots = " ".join(f"({x}.5,{y}.5) circle[radius=0.3pt]" for x, y in _dots(picture))
    if dots:
        lines.append(f"\\fill[gray] {dots};")
    lines.append(f"\\draw[gray] (0,0) rectangle ({picture.columns},{picture.rows});")
    return "\n".join([*lines, "\\end{tikzpicture}"])


def _by_colour(picture: Picture) -> list[tuple[Colour, list[Cell]]]:
    cells: dict[Colour, list[Cell]] = defaultdict(list)
    for cell in picture.cells:
        cells[cell.colour].append(cell)
    return list(cells.items())


def _dots(picture: Picture) -> Iterator[tuple[int, int]]:
    """Columns and rows of the dots in the gaps."""
    if picture.column_gap is not None:
        yield from ((picture.column_gap, row) for row in range(0, picture.rows, 2))
    if picture.row_gap is not None:
        yield from ((column, picture.row_gap) for column in range(0, picture.columns, 2))
