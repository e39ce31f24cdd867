"""The patch of a tile as the words of its pages: where positions are read, and where they go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from codegen.cuda.patch import Span
from codegen.cuda.windows import Window


def axes_of(spans: Sequence[Span]) -> list[dict[str, Any]]:
    """The axes of ``patch.cu.j2``, whose functions ``source_d`` say where a position is read."""
    return [
        {
            "axis": d,
            "size": span.window.n_in,
            "plain": [] if span.window.elsewhere else [span.window.n_in],
            "tables": [_beyond(span.window)] if span.window.elsewhere else [],
        }
        for d, span in enumerate(spans)
    ]


def _beyond(window: Window) -> dict[str, Any]:
    """What positions before x and then those after it read."""
    before, read = window.beyond
    return {
        "listed": ", ".join(map(str, read)),
        "before": before,
        "shift": window.n_in - before,
        "count": len(read),
    }


def position_of(span: Span, i: str) -> str:
    """The position that is ``i``-th in order, counted as ``Span.source`` does."""
    residues, least = span.residues, span.offsets[0]
    if len(residues) == span.window.advance:
        return f"{i} + {least}"
    if len(residues) == 1:
        return f"{i} * {span.window.advance} + {least}"
    rank = f"{i} % {len(residues)}"
    residue = str(residues[-1])
    for r, each in reversed([*enumerate(residues[:-1])]):
        residue = f"({rank} == {r} ? {each} : {residue})"
    return f"{i} / {len(residues)} * {span.window.advance} + {residue} + {least}"


def target_of(span: Span, i: str) -> str:
    """Where it goes in the patch, as ``Span.target`` says."""
    many = len(span.residues)
    return i if many == 1 else f"({i} % {many} * {span.reach} + {i} / {many})"
