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
    elsewhere = dict(window.elsewhere)
    low, high = min(0, *elsewhere), max(window.n_in - 1, *elsewhere)
    beyond = [*range(low, 0), *range(window.n_in, high + 1)]
    table = choices.table(f"elsewhere_{d}", [elsewhere.get(v, -1) for v in beyond])
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
