"""Tables of axes as the words of their page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

from codegen.cuda.tables import Rows


def table_page(axes: Sequence[Rows]) -> list[dict[str, Any]]:
    """The tables of the axes, each with those that it has."""
    return [
        {
            "axis": d,
            "runs": listed(rows.runs),
            "width": len(rows.terms[0]) if rows.terms else 1,
            "terms": listed(rows.terms) or "{0}",
            "coefficients": [", ".join(map(ratio, rows.coefficients))] if rows.coefficients else [],
            "places": [", ".join(map(str, rows.places))] if rows.places else [],
        }
        for d, rows in enumerate(axes)
    ]


def found(prefix: str, d: int, rows: Rows) -> dict[str, Any]:
    """How the run of an output is found: looked up, or searched."""
    searched = not rows.places and len(rows.runs) > 1
    looked_up = f"{prefix}_places_{d}[y{d}]"
    return {"found": looked_up if rows.places else "0", "scanned": [d] if searched else []}


def listed(rows: Iterable[Sequence[int]]) -> str:
    """Rows of numbers as an initializer."""
    return ", ".join("{" + ", ".join(map(str, row)) + "}" for row in rows)


def ratio(value: Fraction) -> str:
    """A constant of the text."""
    if value.denominator == 1:
        return str(value.numerator)
    return f"RATIO({value.numerator}, {value.denominator})"


def backwards(sizes: Sequence[int]) -> list[dict[str, int]]:
    """The axes with their sizes, the last first, as a flat place is taken apart."""
    return [{"axis": d, "n": sizes[d]} for d in reversed(range(len(sizes)))]
