"""A matrix as a table of words that fits on a page: its corners, and dots in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from math import prod

from derive.linear_map import LinearMap

from .entries import MOST_TERMS, Entries, Entry

FEWEST_COLUMNS = 5  # that are shown before entries lose their terms
Place = int | None  # a row or a column; None where some are left out
Cells = list[list[str]]


@dataclass(frozen=True, slots=True)
class Marks:
    """What stands in a table besides entries."""

    zero: str
    across: str  # in place of columns, and of terms
    down: str
    corner: str


def places(length: int, most: int) -> tuple[Place, ...]:
    """All of ``length`` places, or head and tail of them around a gap: ``most`` in all.

    >>> places(4, 5), places(100, 5)
    ((0, 1, 2, 3), (0, 1, None, 98, 99))
    """
    if length <= most:
        return tuple(range(length))
    tail = (most - 1) // 2
    return (*range(most - 1 - tail), None, *range(length - tail, length))


def table(
    op: LinearMap,
    write: Callable[[Entry, int], str],
    marks: Marks,
    *,
    most_rows: int,
    most_columns: int,
    width: int,
    length: Callable[[str], int] = len,
) -> Cells:
    """The matrix of ``op`` with at most so many rows and columns, the dots included.

    ``write`` gives an entry in at most so many terms, nothing for a zero.
    Columns, and then terms of the entries, are left out until a line is no longer than
    ``width``, with ``length`` of every cell and one more between two.

    >>> from derive import Conv1d
    >>> marks = Marks(zero=".", across="...", down=":", corner=":")
    >>> op = Conv1d(1, 1, 2, input_size=10**9)
    >>> write = lambda entry, terms: "".join(f"w{term.weights[0][2]}" for term in entry.terms)
    >>> for row in table(op, write, marks, most_rows=4, most_columns=5, width=80):
    ...     print(*row)
    w0 w1 ... . .
    . w0 ... . .
    : : : : :
    . . ... w0 w1
    """
    entry = cache(Entries(op))
    n_rows, n_columns = prod(op.output_shape), prod(op.input_shape)
    rows = places(n_rows, most_rows)

    def cell(row: Place, column: Place, terms: int) -> str:
        if row is None:
            return marks.corner if column is None else marks.down
        if column is None:
            return marks.across
        return write(entry(row, column), terms) or marks.zero

    found: Cells = []
    for columns, terms in _shapes(min(most_columns, n_columns)):
        at = places(n_columns, columns)
        found = [[cell(row, column, terms) for column in at] for row in rows]
        if sum(max(map(length, column)) + 1 for column in zip(*found, strict=True)) <= width + 1:
            break
    return found


def _shapes(most: int) -> Iterator[tuple[int, int]]:
    """(columns, terms to an entry) to try, the best first."""
    for columns in range(most, min(most, FEWEST_COLUMNS) - 1, -1):
        yield columns, MOST_TERMS
    for columns in range(min(most, FEWEST_COLUMNS), min(most, 3) - 1, -1):
        yield columns, 2
