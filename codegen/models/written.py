"""A report as a table: in plain text, and as a page that Markdown and HTML are made of."""

from __future__ import annotations

from collections.abc import Sequence

from derive.show.page import Heading, Listing, Page, Paragraph, Table

from .layer import LayerReport
from .report import Report

NUMBERS = {"multiply-adds", "naive", "before", "after"}  # columns that are set to the right


def report_page(report: Report) -> Page:
    """Totals, then the table.

    >>> report_page(Report(source="model", layers=()))[0]
    Heading(words='model', level=1)
    """
    header, *rows = _rows(report)
    blocks = (Heading(report.source), Paragraph((report.words(),)), Table(header, tuple(rows)))
    return (*blocks, Listing(report.notes)) if report.notes else blocks


def report_text(report: Report) -> str:
    """One line for each layer, then the totals.

    >>> from derive import Conv1d
    >>> op = Conv1d(1, 2, 3, input_size=8)
    >>> layer = LayerReport(name="a", kind="Conv1d", ops=(op,), swapped=True, reason="by a kernel")
    >>> print(report_text(Report(source="model", layers=(layer,))))
    layer  kind    sizes       checkerboard  multiply-adds  naive  verdict
    a      Conv1d  1x8 -> 2x6  none                     36     36  can be swapped: by a kernel
    model: 1 of 1 layers can be swapped; 36 multiply-adds a sample of 36 (100 %)
    """
    rows = _rows(report)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    right = [name in NUMBERS for name in rows[0]]
    table = (_line(row, widths, right) for row in rows)
    return "\n".join([*(table if len(rows) > 1 else ()), *report.notes, report.words()])


def _line(row: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    cells = (
        word.rjust(width) if to_right else word.ljust(width)
        for word, width, to_right in zip(row, widths, right, strict=True)
    )
    return "  ".join(cells).rstrip()


def _rows(report: Report) -> list[tuple[str, ...]]:
    """The header and a row for each layer; times only where something was timed."""
    timed = bool(report.measured)
    times = ("before", "after") if timed else ()
    header = ("layer", "kind", "sizes", "checkerboard", "multiply-adds", "naive", *times, "verdict")
    rows: list[tuple[str, ...]] = [header]
    for layer in report.layers:
        numbers = tuple("" if n is None else f"{n:,}" for n in (layer.macs, layer.naive_macs))
        numbers += _times(layer) if timed else ()
        words = (layer.name, layer.kind, layer.sizes, layer.checkerboard, *numbers)
        rows.append((*words, _verdict(report, layer)))
    return rows


def _times(layer: LayerReport) -> tuple[str, str]:
    if layer.times is None:
        return "", ""
    return f"{1000 * layer.times.before:.2f} ms", f"{1000 * layer.times.after:.2f} ms"


def _verdict(report: Report, layer: LayerReport) -> str:
    verdict = report.swapped if layer.swapped else "kept"
    rounded = layer.checked if "within" in layer.checked else ""
    words = "; ".join(filter(None, [layer.reason, rounded]))
    return f"{verdict}: {words}" if words else verdict
