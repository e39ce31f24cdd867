"""Pages in HTML that need nothing else: MathML Core, inline SVG and style, no script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from html import escape

from derive.core.mathml import mathml
from derive.linear_map import LinearMap

from .entries import Entry, Term, one_pair, parts_of
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
from .picture import svg
from .style import STYLE
from .table import Marks, table

MOST_ROWS, MOST_COLUMNS, LINE = 16, 20, 150
MARKS = Marks(zero="<mn>0</mn>", across="<mo>⋯</mo>", down="<mo>⋮</mo>", corner="<mo>⋱</mo>")
MINUS = "<mo>\N{MINUS SIGN}</mo>"


def operator_html(op: LinearMap, *, steps: bool = False) -> str:
    """An operator as a document of its own."""
    return document(operator_page(op, steps=steps, picture=op.input_size is not None))


def fragment(page: Page) -> str:
    """A page as elements for the body of some document.

    >>> fragment((Heading("a < b"), Paragraph(("50 & more",))))
    '<h1 id="s0">a &lt; b</h1>\\n<p>50 &amp; more</p>'
    """
    return "\n".join(_block(block, number) for number, block in enumerate(page))


def document(page: Page, *, contents: bool = False) -> str:
    """A page as a document; its first heading is the title, ``contents`` lists the others.

    >>> document((Heading("Sizes"),)).splitlines()[:5]
    ['<!DOCTYPE html>', '<html lang="en">', '<head>', '<meta charset="utf-8">', \
'<meta name="viewport" content="width=device-width, initial-scale=1">']
    """
    title = next((block.words for block in page if isinstance(block, Heading)), "exactconv")
    body = fragment(page)
    if contents:
        first, newline, rest = body.partition("\n")
        body = f"{first}\n{_contents(page)}{newline}{rest}"
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)}</title>
<link rel="icon" href="data:,">
<style>
{STYLE}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""


def _contents(page: Page) -> str:
    """Links to the headings below the title, those of the third level left out."""
    lines, level = [], 1
    for number, block in enumerate(page):
        if isinstance(block, Heading) and number and block.level < 3:
            lines += ["<ul>"] * (block.level - level) + ["</ul>"] * (level - block.level)
            lines.append(f'<li><a href="#s{number}">{escape(block.words)}</a></li>')
            level = block.level
    lines += ["</ul>"] * (level - 1)
    return "\n".join(["<nav>", "<ul>", *lines, "</ul>", "</nav>"])


def _block(block: Block, number: int) -> str:
    match block:
        case Heading(words, level):
            return f'<h{level} id="s{number}">{escape(words)}</h{level}>'
        case Paragraph(item):
            return f"<p>{_item(item)}</p>"
        case Listing(lines):
            items = "\n".join(f"<li>{escape(line)}</li>" for line in lines)
            return f"<ul>\n{items}\n</ul>"
        case Rows(title, rows):
            facts = "\n".join(
                f'<tr><th scope="row">{escape(row.label)}</th>'
                f"<td>{', '.join(map(_item, row.items))}</td></tr>"
                for row in rows
            )
            return f"{_title(title)}\n<table>\n{facts}\n</table>"
        case Derived(derivation):
            return f"{_title(derivation.title)}\n{derivation.html()}"
        case Matrix(title, op):
            return f'{_title(title)}\n<div class="wide">{matrix_html(op)}</div>'
        case Figure(caption, picture):
            drawn = f'<div class="wide">{svg(picture)}</div>'
            return f"<figure>{drawn}<figcaption>{escape(caption)}</figcaption></figure>"
        case Table(header, rows):
            return _table(header, rows)


def _title(words: str) -> str:
    return f'<p class="title">{escape(words)}</p>'


def _item(item: Item) -> str:
    return "".join(escape(each) if isinstance(each, str) else mathml(each) for each in item)


def _table(header: tuple[str, ...], rows: tuple[tuple[str, ...], ...]) -> str:
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in header)
    body = "\n".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    table = f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"
    return f'<div class="wide">{table}</div>'


def matrix_html(op: LinearMap) -> str:
    """The matrix of an operator in MathML Core, elided to what a window holds.

    >>> from derive import Conv1d
    >>> matrix_html(Conv1d(1, 1, 1, input_size=1))
    '<math display="block"><mrow><mo>[</mo><mtable><mtr><mtd><msub><mi>w</mi><mn>0</mn></msub>\
</mtd></mtr></mtable><mo>]</mo></mrow></math>'
    """
    parts = parts_of(op)
    chain = len(parts) > 1
    skipped = [2 if one_pair(part) else 0 for part in parts]

    def spell(term: Term) -> Iterator[str]:
        learned = [part.learned for part in parts]
        if abs(term.coefficient) != 1 or not any(learned):
            yield _number(abs(term.coefficient))
        for number, index in enumerate(term.weights):
            if learned[number]:
                places = "<mo>,</mo>".join(f"<mn>{i}</mn>" for i in index[skipped[number] :])
                yield _weight(places, str(number) if chain else "")

    def write(entry: Entry, most: int) -> str:
        written: list[str] = []
        for term in entry.shown(most):
            minus = term is not None and term.coefficient < 0
            sign = MINUS if minus else "<mo>+</mo>" if written else ""
            written.append(sign + (MARKS.across if term is None else "".join(spell(term))))
        return "".join(written)

    cells = table(
        op,
        write,
        MARKS,
        most_rows=MOST_ROWS,
        most_columns=MOST_COLUMNS,
        width=LINE,
        length=lambda cell: len(re.sub("<[^>]*>", "", cell)),
    )
    rows = (f"<mtr>{''.join(f'<mtd>{cell}</mtd>' for cell in row)}</mtr>" for row in cells)
    body = f"<mo>[</mo><mtable>{''.join(rows)}</mtable><mo>]</mo>"
    return f'<math display="block"><mrow>{body}</mrow></math>'


def _weight(places: str, part: str) -> str:
    sub = f"<mrow>{places}</mrow>" if "<mo>" in places else places
    if not part:
        return f"<msub><mi>w</mi>{sub}</msub>"
    above = f"<mrow><mo>(</mo><mn>{part}</mn><mo>)</mo></mrow>"
    return f"<msubsup><mi>w</mi>{sub}{above}</msubsup>"


def _number(value: Fraction) -> str:
    if value.denominator == 1:
        return f"<mn>{value}</mn>"
    return f"<mfrac><mn>{value.numerator}</mn><mn>{value.denominator}</mn></mfrac>"
