"""An operator in one of the formats of the command line."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

from derive.errors import GeometryError
from derive.operator import Operator


def exported(op: Operator, format: str, *, standalone: bool = False) -> bytes:
    """A file of the operator, with the steps of its sizes; text ends with a newline.

    ``standalone`` makes LaTeX a document of its own. GeometryError for a picture of an operator
    whose size is free, ExportError or ImportError where a program or package is missing.

    >>> from derive import Conv1d
    >>> exported(Conv1d(1, 1, 3), "markdown").splitlines()[0]
    b'# Conv1d(1, 1, 3)'
    """
    if format == "latex" and standalone:
        return _document(op).encode()
    return _WRITERS[format](op)


def _text(op: Operator) -> bytes:
    from .text import operator_text

    return f"{operator_text(op, steps=True)}\n".encode()


def _latex(op: Operator) -> bytes:
    from .latex import operator_latex

    return f"{operator_latex(op, steps=True)}\n".encode()


def _document(op: Operator) -> str:
    from .latex import document
    from .page import operator_page

    return document(operator_page(op, steps=True, picture=op.input_size is not None))


def _markdown(op: Operator) -> bytes:
    from .markdown import operator_markdown

    return operator_markdown(op, steps=True).encode()


def _json(op: Operator) -> bytes:
    from .record import record_json

    return f"{record_json(op)}\n".encode()


def _html(op: Operator) -> bytes:
    from .html import operator_html

    return operator_html(op, steps=True).encode()


def _pdf(op: Operator) -> bytes:
    from .pdf import compiled

    return compiled(_document(op))


def _svg(op: Operator) -> bytes:
    from .picture import svg
    from .structure import structure

    return f"{svg(structure(_sized(op, 'svg')))}\n".encode()


def _png(op: Operator) -> bytes:
    from . import figures

    image = BytesIO()
    figures.structure(_sized(op, "png")).savefig(image, format="png")
    return image.getvalue()


def _sized(op: Operator, format: str) -> Operator:
    if op.input_size is None:
        raise GeometryError(
            f"input_size = None in {op!r}: {format} draws the matrix, which needs a fixed size"
        )
    return op


_WRITERS: dict[str, Callable[[Operator], bytes]] = {
    "text": _text,
    "latex": _latex,
    "markdown": _markdown,
    "json": _json,
    "html": _html,
    "pdf": _pdf,
    "png": _png,
    "svg": _svg,
}
