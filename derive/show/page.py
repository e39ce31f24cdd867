"""What there is to show of an operator, as blocks that every writer sets in its own way.

The page is built once; formulas in it stay SymPy objects until a writer prints them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import sympy

from derive.core.derivation import Derivation
from derive.core.sizes import MEANING, T, X, Y
from derive.linear_map import LinearMap
from derive.operator import Operator

from .entries import parts_of
from .facts import axes_alike, counted, multiply_adds, named, overlap_words, size_formulas
from .structure import Picture, structure

Item = tuple[str | sympy.Basic, ...]  # words and formulas in turn; not broken between


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of a level from 1, the title of the page, to 3."""

    words: str
    level: int = 1


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Words to be read, with formulas in between."""

    item: Item


@dataclass(frozen=True, slots=True)
class Listing:
    """Sentences of a list."""

    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A fact: what it is, and the items that say it, with commas in between."""

    label: str
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Rows:
    """Facts that belong together."""

    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Derived:
    """The steps of a derivation."""

    derivation: Derivation


@dataclass(frozen=True, slots=True)
class Matrix:
    """The matrix of an operator, elided to what the medium holds."""

    title: str
    op: LinearMap


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture with what it shows; text leaves it out."""

    caption: str
    picture: Picture


@dataclass(frozen=True, slots=True)
class Table:
    """Words in columns."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


Block = Heading | Paragraph | Listing | Rows | Derived | Matrix | Figure | Table
Page = tuple[Block, ...]


def operator_page(op: LinearMap, *, steps: bool = False, picture: bool = False) -> Page:
    """Name, relation, sizes, shapes, counts and matrix of an operator.

    With ``steps`` also how the sizes follow from the relation, with ``picture`` where the matrix
    has entries. Without an input size there is no matrix.

    >>> from derive import Conv1d
    >>> for block in operator_page(Conv1d(1, 1, 3)):
    ...     print(type(block).__name__, getattr(block, "title", getattr(block, "words", "")))
    Heading Conv1d(1, 1, 3)
    Rows axis 0
    Rows shapes
    """
    return (Heading(repr(op)), *operator_blocks(op, steps=steps, picture=picture))


def operator_blocks(op: LinearMap, *, steps: bool, picture: bool) -> Iterator[Block]:
    """The page of an operator without its heading."""
    parts = parts_of(op)
    for number, part in enumerate(parts):
        of_part = f" of part {number}, {part!r}" if len(parts) > 1 else ""
        for alike in axes_alike(part):
            yield Rows(named(alike) + of_part, tuple(_axis_rows(part, alike[0])))
            if steps:
                yield Derived(part.size_derivation(alike[0]))
    yield Rows("shapes", tuple(_shape_rows(op)))
    if op.input_size is None:
        return
    yield Rows("counts", tuple(_count_rows(op)))
    n_rows, n_columns = prod(op.output_shape), prod(op.input_shape)
    size = f"matrix, {n_rows} x {n_columns}, {counted(op.nnz, 'nonzero')}"
    yield Matrix(size, op)
    if picture:
        drawn = structure(op)
        yield Figure(drawn.words, drawn)


def _axis_rows(part: Operator, axis: int) -> Iterator[Row]:
    rule = part.rules[axis]
    relation: list[str | sympy.Basic] = []
    for statement in rule.statements():
        relation += [", then "] if relation else []
        relation += [statement.relation, *([f"  ({statement.note})"] if statement.note else [])]
    yield Row("relation", (tuple(relation),))
    if part.sizes is not None:
        fixed = part.axes[axis]
        ends = ((Y, fixed.n_out), (T, fixed.n_tap), (X, fixed.n_in))
        yield Row("ranges", tuple((_below(symbol, end),) for symbol, end in ends))
    known = [
        (f"{words} ", sympy.Eq(symbol, rule.values[symbol], evaluate=False))
        for symbol, words in MEANING.items()
        if symbol in rule.values
    ]
    if known:
        yield Row("symbols", tuple(known))
    yield Row("output size", (size_formulas(part, axis),))


def _below(symbol: sympy.Symbol, end: int) -> sympy.And:
    """0 <= symbol < end."""
    return sympy.And(sympy.Le(0, symbol), sympy.Lt(symbol, end), evaluate=False)


def _shape_rows(op: LinearMap) -> Iterator[Row]:
    if op.input_size is not None:
        yield Row("input", (_shape(op.input_shape),))
        yield Row("output", (_shape(op.output_shape),))
    parts = parts_of(op)
    for number, part in enumerate(parts):
        of_part = f" {number}" if len(parts) > 1 else ""
        yield Row(f"weight{of_part}", (_shape(part.weight_shape),))
        yield Row(f"bias{of_part}", (_shape(part.bias_shape),))


def _shape(shape: tuple[int, ...] | None) -> Item:
    return ("none",) if shape is None else (sympy.Tuple(*shape),)


def _count_rows(op: LinearMap) -> Iterator[Row]:
    macs, naive = multiply_adds(op)
    yield Row("multiply-adds", ((f"{macs} ({naive} when every output visits every tap)",),))
    yield Row("overlap", tuple((words,) for words in overlap_words(op)))
