"""Pages in Markdown as GitHub and Jupyter read it, formulas between dollar signs."""

from __future__ import annotations

import re
from collections.abc import Iterable

from derive.core.notation import latex
from derive.linear_map import LinearMap

from .latex import matrix_latex
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

FENCE = "```"


def operator_markdown(op: LinearMap, *, steps: bool = False) -> str:
    """Name, relation, sizes, shapes, counts and matrix of an operator.

    >>> from derive import Conv1d
    >>> print(operator_markdown(Conv1d(1, 1, 3, bias=False)).splitlines()[0])
    # Conv1d(1, 1, 3, bias=False)
    """
    return page_markdown(operator_page(op, steps=steps))


def page_markdown(page: Page) -> str:
    """A page; pictures, which Markdown cannot hold, are left out."""
    return "\n\n".join(_block(block) for block in page if not isinstance(block, Figure)) + "\n"


def escaped(words: str) -> str:
    r"""Words as Markdown shows them, whatever they hold.

    >>> escaped("a_b <i> *c* | d")
    'a\\_b \\<i\\> \\*c\\* \\| d'
    """
    return re.sub(r"([\\`*_{}\[\]<>#|$~&!])", r"\\\1", words)


def _block(block: Block) -> str:
    match block:
        case Heading(words, level):
            return f"{'#' * level} {escaped(words)}"
        case Paragraph(item):
            return _item(item)
        case Listing(lines):
            return "\n".join(f"- {escaped(line)}" for line in lines)
        case Rows(title, rows):
            facts = ((escaped(row.label), ", ".join(map(_item, row.items))) for row in rows)
            return _table((escaped(title), ""), facts)
        case Derived(derivation):
            steps = (
                f"{number}. {escaped(step.reason)}: {_formula(step.statement)}"
                for number, step in enumerate(derivation.steps, 1)
            )
            where = " where " if derivation.conditions else ""
            where += ", ".join(map(_formula, derivation.conditions))
            result = f"⇒ {_formula(derivation.formula)}{where}"
            listed = "\n".join(steps)
            return f"**{escaped(derivation.title)}**\n\n{listed}\n\n{result}"
        case Matrix(title, op):
            return f"**{escaped(title)}**\n\n{FENCE}math\n{matrix_latex(op)}\n{FENCE}"
        case Table(header, rows):
            return _table(map(escaped, header), (tuple(map(escaped, row)) for row in rows))
        case Figure():
            return ""


def _formula(expression: object) -> str:
    """A formula that neither a table nor emphasis cuts in two."""
    return f"${latex(expression).replace('|', chr(92) + 'vert ')}$"


def _item(item: Item) -> str:
    return "".join(escaped(each) if isinstance(each, str) else _formula(each) for each in item)


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    columns = list(header)
    lines = [columns, ["---"] * len(columns), *map(list, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
