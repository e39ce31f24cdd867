"""Operators in plain text, for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import prod
from textwrap import fill, indent

from derive.core import notation
from derive.core.sizes import MEANING
from derive.linear_map import LinearMap
from derive.operator import Operator

from .entries import Term, one_pair, parts_of
from .facts import axes_alike, counted, multiply_adds, named, overlap_words, size_words
from .table import Marks, table

MARKS = Marks(zero=".", across="...", down=":", corner=":")
NO_BREAK = "\N{NO-BREAK SPACE}"


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
    parts = parts_of(op)
    sections = [repr(op)]
    for number, part in enumerate(parts):
        of_part = f" of part {number}, {part!r}" if len(parts) > 1 else ""
        for alike in axes_alike(part):
            sections.append(_lines(named(alike) + of_part, _axis_lines(part, alike[0])))
            if steps:
                sections.append(str(part.size_derivation(alike[0])))
    sections.append(_lines("shapes", _shape_lines(op)))
    if op.input_size is not None:
        sections.append(_lines("counts", _count_lines(op)))
        n_rows, n_columns = prod(op.output_shape), prod(op.input_shape)
        size = f"matrix, {n_rows} x {n_columns}, {counted(op.nnz, 'nonzero')}"
        sections.append(f"{size}\n{indent(matrix_text(op), '  ')}")
    return "\n\n".join(sections)


def _lines(title: str, lines: Iterator[tuple[str, str]]) -> str:
    rows = [
        fill(f"  {label:<14} {words}", 88, subsequent_indent=" " * 17, break_long_words=False)
        for label, words in lines
    ]
    return "\n".join([title, *rows]).replace(NO_BREAK, " ")


def _joined(separator: str, items: Iterable[str]) -> str:
    """Items that lines may be broken between, and nowhere else."""
    return separator.join(item.replace(" ", NO_BREAK) for item in items)


def _axis_lines(part: Operator, axis: int) -> Iterator[tuple[str, str]]:
    rule = part.rules[axis]
    yield "relation", rule.equation
    if part.sizes is not None:
        fixed = part.axes[axis]
        yield "ranges", f"0 <= y < {fixed.n_out}, 0 <= t < {fixed.n_tap}, 0 <= x < {fixed.n_in}"
    known = (f"{words} {s} = {rule.values[s]}" for s, words in MEANING.items() if s in rule.values)
    if rule.values:
        yield "symbols", _joined(", ", known)
    size = size_words(part, axis, notation.text)
    yield "output size", size if part.sizes is None else f"{size} for n_in = {fixed.n_in}"


def _shape_lines(op: LinearMap) -> Iterator[tuple[str, str]]:
    if op.input_size is not None:
        yield "input", str(op.input_shape)
        yield "output", str(op.output_shape)
    parts = parts_of(op)
    for number, part in enumerate(parts):
        of_part = f" {number}" if len(parts) > 1 else ""
        yield f"weight{of_part}", str(part.weight_shape or "none")
        yield f"bias{of_part}", str(part.bias_shape or "none")


def _count_lines(op: LinearMap) -> Iterator[tuple[str, str]]:
    macs, naive = multiply_adds(op)
    yield "multiply-adds", f"{macs} ({naive} when every output visits every tap)"
    yield "overlap", _joined(", ", overlap_words(op))


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

    cells = table(op, spell, MARKS, most_rows=most_rows, most_columns=most_columns, width=width)
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = (" ".join(f"{cell:<{n}}" for cell, n in zip(row, widths, strict=True)) for row in cells)
    return "\n".join(line.rstrip() for line in lines)


class _Name:
    """The name of a weight by its index: w01 where that is unmistakable, else w[0,1]."""

    def __init__(self, name: str, part: Operator) -> None:
        self.name, self.part, self.skipped = name, part, 2 if one_pair(part) else 0
        taps = [rule.n_tap for rule in part.rules]
        self.short = self.skipped > 0 and name == "w" and (len(taps) == 1 or max(taps) <= 10)

    def __call__(self, index: tuple[int, ...]) -> str:
        places = map(str, index[self.skipped :])
        return f"w{''.join(places)}" if self.short else f"{self.name}[{','.join(places)}]"
