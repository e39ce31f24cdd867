r"""Pages in LaTeX: fragments that a document with amsmath can ``\input``, and documents."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction

from derive.core import notation
from derive.core.notation import escaped
from derive.linear_map import LinearMap

from .entries import Term, one_pair, parts_of
from .facts import axes_alike, size_formula
from .page import (
    Block,
    Derived,
    Figure,
    Heading,
    Item,
    Listing,
    Matrix,
    Page,
    Paragraph,
    Rows,
    Table,
    operator_page,
)
from .picture import tikz
from .table import Cells, Marks, table

AMSMATH_COLUMNS = 10  # a bmatrix holds no more of them, an array does
MOST_ROWS, MOST_COLUMNS = 16, 20
LINE = 84  # characters of indices that a line of an article holds
LONGEST_CELL, TABLE_ROWS = 60, 6  # characters to a cell, rows without a break between pages
NORMAL_LINE = 76  # the same in normal print
SMALL_PRINT = "{\\footnotesize\\setlength{\\arraycolsep}{2pt}%%\n%s}"
MARKS = Marks(zero="0", across=r"\cdots", down=r"\vdots", corner=r"\ddots")
HEADINGS = {1: "section", 2: "subsection", 3: "subsubsection"}
PREAMBLE = r"""\documentclass[a4paper]{article}
\usepackage{amsmath}
"""
PICTURES = r"""\usepackage{tikz}
"""


def operator_latex(op: LinearMap, *, steps: bool = False) -> str:
    r"""Relation, size, shapes, multiply-adds and matrix of an operator, for amsmath.

    With ``steps`` also how the sizes follow from the relation. Without an input size there is no
    matrix. The name is a comment, so that a document can give it its own heading.

    >>> from derive import Conv1d
    >>> print(*operator_latex(Conv1d(1, 1, 3, padding=2)).splitlines()[:4], sep="\n")
    % Conv1d(1, 1, 3, padding=2)
    \par\medskip\noindent\textbf{axis 0}\par\nopagebreak
    \noindent\begin{tabular}{@{}p{0.2\linewidth}p{0.72\linewidth}@{}}
    relation & \raggedright $x = y + t - 2$ \tabularnewline
    """
    blocks = operator_page(op, steps=steps)[1:]
    return f"% {op!r}\n{page_latex(blocks)}"


def page_latex(page: Page) -> str:
    """A page as a fragment; figures need TikZ."""
    return "\n".join(map(_block, page))


def document(page: Page, *, contents: bool = False) -> str:
    r"""A page as a document of its own, with amsmath, and TikZ where there is a picture.

    >>> print(document((Heading("50 %"),)))
    \documentclass[a4paper]{article}
    \usepackage{amsmath}
    \begin{document}
    \section*{50 \%}
    \end{document}
    <BLANKLINE>
    """
    pictures = any(isinstance(block, Figure) for block in page)
    body = page_latex(page)
    if contents:
        body = "\\tableofcontents\n" + body.replace("section*{", "section{")
    lines = ["\\begin{document}", body, "\\end{document}\n"]
    return PREAMBLE + (PICTURES if pictures else "") + "\n".join(lines)


def inline_latex(op: LinearMap) -> str:
    """The matrix, or the size formulas of an operator whose size is free; without ``$``.

    >>> from derive import Conv1d
    >>> inline_latex(Conv1d(1, 1, 3))
    'n_{\\\\mathrm{out}} = n_{\\\\mathrm{in}} - 2'
    """
    if op.input_size is not None:
        return matrix_latex(op)
    formulas = [
        notation.latex(size_formula(part, alike[0]))
        for part in parts_of(op)
        for alike in axes_alike(part)
    ]
    return r",\quad ".join(formulas)


def _block(block: Block) -> str:
    match block:
        case Heading(words, level):
            return f"\\{HEADINGS[level]}*{{{escaped(words)}}}"
        case Paragraph(item):
            return f"\\par\\noindent{{\\raggedright {item_latex(item)}\\par}}"
        case Listing(lines):
            items = "\n".join(f"\\item {escaped(line)}" for line in lines)
            return f"\\begin{{itemize}}\\raggedright\n{items}\n\\end{{itemize}}"
        case Rows(title, rows):
            body = (
                f"{escaped(row.label)} & \\raggedright {', '.join(map(item_latex, row.items))}"
                " \\tabularnewline"
                for row in rows
            )
            columns = "@{}p{0.2\\linewidth}p{0.72\\linewidth}@{}"
            return f"{_title(title)}\n{_tabular(columns, body)}"
        case Derived(derivation):
            return f"{_title(derivation.title)}\n{derivation.latex()}"
        case Matrix(title, op):
            return f"{_title(title)}\n{_display(op)}"
        case Figure(caption, picture):
            return f"\\begin{{center}}\n{tikz(picture)}\\par\n{escaped(caption)}\n\\end{{center}}"
        case Table(header, rows):
            return _table(header, rows)


def _table(header: tuple[str, ...], rows: tuple[tuple[str, ...], ...]) -> str:
    """Words in columns as wide as they need, in parts between which a page may end."""
    columns = list(zip(header, *rows, strict=True))
    needs = [min(max(map(len, column)), LONGEST_CELL) + 6 for column in columns]
    room = f"\\dimexpr\\linewidth-{2 * len(needs)}\\tabcolsep"
    widths = (f"p{{\\dimexpr({room})*{need}/{sum(needs)}}}" for need in needs)
    lines = [
        " & ".join(f"\\raggedright {escaped(cell)}" for cell in row) + " \\tabularnewline"
        for row in (header, *rows)
    ]
    parts = (lines[i : i + TABLE_ROWS] for i in range(0, len(lines), TABLE_ROWS))
    layout = "".join(widths)
    return "\n".join(_tabular(layout, iter(part)) for part in parts)


def _title(words: str) -> str:
    return f"\\par\\medskip\\noindent\\textbf{{{escaped(words)}}}\\par\\nopagebreak"


def _tabular(columns: str, lines: Iterator[str]) -> str:
    body = "\n".join(lines)
    return f"\\noindent\\begin{{tabular}}{{{columns}}}\n{body}\n\\end{{tabular}}\\par"


def item_latex(item: Item) -> str:
    r"""Words and formulas in turn.

    >>> import sympy
    >>> item_latex(("kernel size ", sympy.Eq(sympy.Symbol("k"), 3)))
    'kernel size $k = 3$'
    """
    return "".join(
        escaped(each) if isinstance(each, str) else f"${notation.latex(each)}$" for each in item
    )


def _display(op: LinearMap) -> str:
    cells = _cells(op)
    display = f"\\begin{{equation*}}\n{_matrix(cells)}\n\\end{{equation*}}"
    return display if _width(cells) <= NORMAL_LINE else SMALL_PRINT % display


def matrix_latex(
    op: LinearMap, most_rows: int = MOST_ROWS, most_columns: int = MOST_COLUMNS, width: int = LINE
) -> str:
    r"""The matrix of an operator, for mathematics mode; dots where it is larger than asked for.

    An entry is a weight by its index in the weight array, kernel indices alone where there is
    one pair of channels; weights of a chain are numbered from the outermost part. Up to ten
    columns it is a bmatrix, which amsmath does not allow to be wider, and an array from there.
    ``width`` counts the printed characters of a line: by default what a page holds in small print.

    >>> from derive import Conv1d
    >>> print(matrix_latex(Conv1d(1, 1, 3, input_size=4)))
    \begin{bmatrix}
    w_{0} & w_{1} & w_{2} & 0 \\
    0 & w_{0} & w_{1} & w_{2}
    \end{bmatrix}
    """
    return _matrix(_cells(op, most_rows, most_columns, width))


def _cells(
    op: LinearMap, most_rows: int = MOST_ROWS, most_columns: int = MOST_COLUMNS, width: int = LINE
) -> Cells:
    parts = parts_of(op)
    names = ["w"] if len(parts) == 1 else [f"w^{{({k})}}" for k in range(len(parts))]
    skipped = [2 if one_pair(part) else 0 for part in parts]

    def spell(term: Term) -> str:
        factors = "".join(
            f"{name}_{{{','.join(map(str, index[skip:]))}}}"
            for part, name, index, skip in zip(parts, names, term.weights, skipped, strict=True)
            if part.learned
        )
        return _coefficient(term.coefficient, alone=not factors) + factors

    return table(
        op,
        lambda entry, terms: entry.spelled(spell, MARKS.across, terms),
        MARKS,
        most_rows=most_rows,
        most_columns=most_columns,
        width=width,
        length=_printed,
    )


def _matrix(cells: Cells) -> str:
    body = " \\\\\n".join(" & ".join(row) for row in cells)
    if len(cells[0]) <= AMSMATH_COLUMNS:
        return f"\\begin{{bmatrix}}\n{body}\n\\end{{bmatrix}}"
    columns = "c" * len(cells[0])
    return f"\\left[\\begin{{array}}{{{columns}}}\n{body}\n\\end{{array}}\\right]"


def _width(cells: Cells) -> int:
    """Of a line in normal print, whose gaps are as wide as three characters."""
    return sum(max(map(_printed, column)) + 3 for column in zip(*cells, strict=True))


def _printed(cell: str) -> int:
    r"""The width of a cell on paper in characters of an index, about: signs and dots take two.

    >>> _printed(r"w^{(0)}_{1,2}+\cdots")
    11
    """
    return len(
        re.sub(r"[{}^_]", "", re.sub(r"\\[a-z]*dots|[+-]", "..", cell.replace(r"\tfrac", "")))
    )


def _coefficient(value: Fraction, *, alone: bool) -> str:
    sign, size = "-" if value < 0 else "", abs(value)
    if size == 1 and not alone:
        return sign
    if size.denominator == 1:
        return f"{sign}{size}"
    return f"{sign}\\tfrac{{{size.numerator}}}{{{size.denominator}}}"
