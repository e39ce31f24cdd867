"""Folding as the words of its page."""

from __future__ import annotations

from typing import Any

from codegen.nests import AxisFold, Nests

from .header import FOLD, UNFOLD


def fold_page(nests: Nests) -> dict[str, Any]:
    """The steps of folding, and the two entry points that chain them."""
    steps = nests.folds
    entries = []
    if steps:
        whole, folded = (
            f"weight + {steps[0].entries}*p",
            f"folded + {steps[-1].folded}*p",
        )
        between = [step.folded for step in steps[:-1]]
        entries = [
            _entry("fold", FOLD, steps, whole, folded, between),
            _entry("unfold", UNFOLD, steps[::-1], folded, whole, between[::-1]),
        ]
    return {"steps": steps, "entries": entries, "pairs": nests.pairs}


def _entry(
    direction: str,
    parameters: str,
    steps: tuple[AxisFold, ...],
    source: str,
    target: str,
    between: list[int],
) -> dict[str, Any]:
    buffers = [{"name": f"part_{i}", "size": size} for i, size in enumerate(between)]
    places = [source, *(str(buffer["name"]) for buffer in buffers), target]
    calls = [
        {"axis": step.axis, "source": places[i], "target": places[i + 1]}
        for i, step in enumerate(steps)
    ]
    return {"direction": direction, "parameters": parameters, "buffers": buffers, "calls": calls}
