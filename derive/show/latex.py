r"""Operators in LaTeX: formulas and matrices that a document with amsmath can ``\input``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction

from derive.core import notation
from derive.core.sizes import N_IN
from derive.linear_map import LinearMap
from derive.operator import Operator

from .entries import Term, one_pair, parts_of
from .facts import axes_alike, multiply_adds, named, overlap_words, size_formula, size_words
from .table import Marks, Table, places, table

AMSMATH_COLUMNS = 10  # a bmatrix holds no more of them, an array does
MOST_ROWS, MOST_COLUMNS = 16, 20
MOST_OVERLAPS = 6  # lines of them
LINE = 84  # characters of indices that a line of an article holds
SMALL_PRINT = "{\\footnotesize\\setlength{\\arraycolsep}{2pt}%%\n%s}"
MARKS = Marks(zero="0", across=r"\cdots", down=r"\vdots", corner=r"\ddots")
_SPECIAL = {c: f"\\{c}" for c in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


def escaped(words: str) -> str:
    r"""Words as LaTeX's text mode takes them.

    >>> escaped("input_size = 4 & 100%")
    'input\\_size = 4 \\& 100\\%'
    """
    return "".join(_SPECIAL.get(c, c) for c in words)


def operator_latex(op: LinearMap, *, steps: bool = False) -> str:
    r"""Name, relation, size, shapes, multiply-adds and matrix, each axis by itself.

    With ``steps`` also how the sizes follow from the relation. Without an input size there is no
    matrix.

    >>> from derive import Conv1d
    >>> print(operator_latex(Conv1d(1, 1, 3, padding=2)))
    % Conv1d(1, 1, 3, padding=2)
    \begin{align*}
    & \text{relation, axis 0} && x = y + t - 2 \\
    & \text{output size, axis 0} && n_{\mathrm{out}} = n_{\mathrm{in}} + 2 \\
    & \text{shape of the weight} && (1, 1, 3)
    \end{align*}
    """
    parts, fixed = parts_of(op), op.input_size is not None
    blocks, rows = [f"% {op!r}"], []
    for number, part in enumerate(parts):
        of_part = f" of part {number}" if len(parts) > 1 else ""
        if of_part:
            blocks.append(f"% part {number}: {part!r}")
        if steps:
            blocks += [part.size_derivation(alike[0]).latex() for alike in axes_alike(part)]
        rows += list(_part_rows(part, of_part))
    if fixed:
        rows += list(_whole_rows(op))
    body = " \\\\\n".join(f"& {words and _text(words)} && {formula}" for words, formula in rows)
    blocks.append(f"\\begin{{align*}}\n{body}\n\\end{{align*}}")
    if fixed:
        cells = _cells(op)
        display = f"\\begin{{equation*}}\n{_matrix(cells)}\n\\end{{equation*}}"
        blocks.append(display if _width(cells) <= LINE else SMALL_PRINT % display)
    return "\n".join(blocks)


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


Row = tuple[str, str]  # what it is, and a formula


def _part_rows(part: Operator, of_part: str) -> Iterator[Row]:
    for alike in axes_alike(part):
        where = f", {named(alike)}{of_part}"
        yield f"relation{where}", _equation(part.rules[alike[0]].equation)
        size = size_words(part, alike[0], notation.latex)
        if part.sizes is not None:
            size += rf" \text{{ for }} {notation.latex(N_IN)} = {part.axes[alike[0]].n_in}"
        yield f"output size{where}", size
    if part.learned:
        yield f"shape of the weight{of_part}", str(part.weight_shape)


def _equation(words: str) -> str:
    """The equation of a rule, which may be a chain of them, each with a note behind it."""
    equations = []
    for each in words.split(", then "):
        equation, _, note = each.partition("  ")
        equation = re.sub(r"(\d)\*([txy])", r"\1 \2", equation).replace("*", r" \cdot ")
        equation = equation.replace(" near ", r" \approx ")
        equation = re.sub(r"\bn_(in|out)\b", r"n_{\\mathrm{\1}}", equation)
        equations.append(equation + (note and _text(f" {note}")))
    return r"\text{, then }".join(equations)


def _whole_rows(op: LinearMap) -> Iterator[Row]:
    yield "shapes of input and output", rf"{op.input_shape} \to {op.output_shape}"
    macs, naive = multiply_adds(op)
    yield "multiply-adds", rf"{macs} \text{{, naively {naive}}}"
    words = overlap_words(op)
    for place in places(len(words), MOST_OVERLAPS):
        formula = r"\vdots" if place is None else _text(words[place])
        yield "overlap for one pair of channels" if place == 0 else "", formula


def _text(words: str) -> str:
    return f"\\text{{{escaped(words)}}}"


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
) -> Table:
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
        spell,
        MARKS,
        most_rows=most_rows,
        most_columns=most_columns,
        width=width,
        length=_printed,
    )


def _matrix(cells: Table) -> str:
    body = " \\\\\n".join(" & ".join(row) for row in cells)
    if len(cells[0]) <= AMSMATH_COLUMNS:
        return f"\\begin{{bmatrix}}\n{body}\n\\end{{bmatrix}}"
    columns = "c" * len(cells[0])
    return f"\\left[\\begin{{array}}{{{columns}}}\n{body}\n\\end{{array}}\\right]"


def _width(cells: Table) -> int:
    """Of a line in normal print, whose gaps are as wide as three characters."""
    return sum(max(map(_printed, column)) + 3 for column in zip(*cells, strict=True))


def _printed(cell: str) -> int:
    r"""Characters of a cell that are seen on paper.

    >>> _printed(r"w^{(0)}_{1,2}+\cdots")
    9
    """
    return len(re.sub(r"[{}^_]", "", re.sub(r"\\[a-z]+", ".", cell)))


def _coefficient(value: Fraction, *, alone: bool) -> str:
    sign, size = "-" if value < 0 else "", abs(value)
    if size == 1 and not alone:
        return sign
    if size.denominator == 1:
        return f"{sign}{size}"
    return f"{sign}\\tfrac{{{size.numerator}}}{{{size.denominator}}}"
