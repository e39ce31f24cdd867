"""Positions of an axis as places in x, with what is read beyond it."""

from __future__ import annotations

from typing import Any

from codegen.cuda.windows import Window

from .choices import Choices


def place_of(choices: Choices, d: int, window: Window) -> dict[str, Any]:
    """How a position of x is found, or what is read beyond x."""
    if not window.elsewhere:
        return {
            "axis": d,
            "lines": [f"return (unsigned)position < {window.n_in}u ? position : -1;"],
        }
    before, read = window.beyond
    low, high = -before, window.n_in + len(read) - before - 1
    table = choices.table(f"elsewhere_{d}", read)
    return {
        "axis": d,
        "lines": [
            f"if ((unsigned)position < {window.n_in}u)",
            "    return position;",
            f"if (position < {low} || position > {high})",
            "    return -1;",
            f"return {table}[position < 0 ? position - {low} : position - {window.n_in + low}];",
        ],
    }
