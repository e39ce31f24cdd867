"""The schedule of rows: portable loops over columns, which compilers vectorise."""

from __future__ import annotations

from codegen.nests import Correlation, Gather
from codegen.render import render

from .part import Function, Part


def row_part(nest: Gather, function: Function) -> Part:
    """A forward or input gradient, row by row."""
    text = render(
        "rows.c.j2",
        **function.page,
        nest=nest,
        pragma=function.parallel(nest.channels),
        start=function.start.format(nest.bias),
    )
    return Part(function.direction, text)


def correlation_part(nest: Correlation, function: Function) -> Part:
    """A weight gradient, row by row."""
    text = render(
        "row_gradient.c.j2", **function.page, nest=nest, pragma=function.parallel(nest.channels)
    )
    return Part(function.direction, text)
