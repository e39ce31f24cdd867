"""Pages in plain text, for a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from textwrap import fill, indent

from derive.core import notation
from derive.linear_map import LinearMap
from derive.operator import Operator

from .entries import Term, one_pair, parts_of
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
from .table import Marks, table

MARKS = Marks(zero=".", across="...", down=":", corner=":")
NO_BREAK = "\N{NO-BREAK SPACE}"
WIDTH = 88


def operator_text(op: LinearMap, *, steps: bool = False) -> str:
    """Name, relation, size, shapes, multiply-adds, overlap and matrix, section by section.

    With ``steps`` also how the sizes follow from the relation. Without an input size there is no
    matrix.

    >>> from derive import Conv1d
    >>> print(operator_text(Conv1d(1, 1, 3)))
    Conv1d(1, 1, 3)
    <BLANKLINE>
    axis 0
      relation       x = y + t
      symbols        kernel size k = 3, stride s = 1, dilation d = 1,
                     padding before p_0 = 0, padding after p_1 = 0, input dilation u = 1
      output size    n_out = n_in - 2
    <BLANKLINE>
    shapes
      weight         (1, 1, 3)
      bias           (1,)
    """
    return page_text(operator_page(op, steps=steps))


def page_text(page: Page) -> str:
    """A page, an empty line between its blocks; figures are left out."""
    return "\n\n".join(_block(block) for block in page if not isinstance(block, Figure))


def _block(block: Block) -> str:
    match block:
        case Heading(words):
            return words
        case Paragraph(item):
            return fill(_words(item), WIDTH)
        case Listing(lines):
            return "\n".join(fill(f"  - {line}", WIDTH, subsequent_indent="    ") for line in lines)
        case Rows(title, rows):
            facts = [
                fill(
                    f"  {row.label:<14} {', '.join(map(_item, row.items))}",
                    WIDTH,
                    subsequent_indent=" " * 17,
                    break_long_words=False,
                )
                for row in rows
            ]
            return "\n".join([title, *facts]).replace(NO_BREAK, " ")
        case Derived(derivation):
            return str(derivation)
        case Matrix(title, op):
            return f"{title}\n{indent(matrix_text(op), '  ')}"
        case Table(header, rows):
            return _columns([header, *rows])
        case Figure():
            return ""


def _item(item: Item) -> str:
    """An item on a line, which is not broken within."""
    return _words(item).replace(" ", NO_BREAK)


def _words(item: Item) -> str:
    return "".join(each if isinstance(each, str) else notation.text(each) for each in item)


def _columns(rows: Iterable[Iterable[str]], *, gap: str = "  ") -> str:
    cells = [list(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = (gap.join(f"{cell:<{n}}" for cell, n in zip(row, widths, strict=True)) for row in cells)
    return "\n".join(line.rstrip() for line in lines)


def matrix_text(op: LinearMap, most_rows: int = 16, most_columns: int = 20, width: int = 96) -> str:
    """The matrix of an operator in columns, a dot for zero; elided where it is larger.

    An entry is w and its index in the weight array: kernel indices alone where there is one pair
    of channels. Weights of a chain are numbered from the outermost part, as in ``op.matrix()``.

    >>> from derive import Conv2d
    >>> print(matrix_text(Conv2d(1, 1, (1, 2), input_size=(2, 3))))
    w00 w01 .   .   .   .
    .   w00 w01 .   .   .
    .   .   .   w00 w01 .
    .   .   .   .   w00 w01
    """
    parts = parts_of(op)
    names = [_Name("w" if len(parts) == 1 else f"w_{k}", part) for k, part in enumerate(parts)]

    def spell(term: Term) -> str:
        weights = zip(names, term.weights, strict=True)
        factors = [name(index) for name, index in weights if name.part.learned]
        if not factors or abs(term.coefficient) != 1:
            return "*".join([str(term.coefficient), *factors])
        return ("-" if term.coefficient < 0 else "") + "*".join(factors)

    cells = table(
        op,
        lambda entry, terms: entry.spelled(spell, MARKS.across, terms),
        MARKS,
        most_rows=most_rows,
        most_columns=most_columns,
        width=width,
    )
    return _columns(cells, gap=" ")


class _Name:
    """The name of a weight by its index: w01 where that is unmistakable, else w[0,1]."""

    def __init__(self, name: str, part: Operator) -> None:
        self.name, self.part, self.skipped = name, part, 2 if one_pair(part) else 0
        taps = [rule.n_tap for rule in part.rules]
        self.short = self.skipped > 0 and name == "w" and (len(taps) == 1 or max(taps) <= 10)

    def __call__(self, index: tuple[int, ...]) -> str:
        places = map(str, index[self.skipped :])
        return f"w{''.join(places)}" if self.short else f"{self.name}[{','.join(places)}]"
