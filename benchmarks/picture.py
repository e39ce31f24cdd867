"""A picture of the ratios: one bar for each layer, longer where we are faster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .families import GOALS
from .row import Row

AHEAD, BEHIND, GOAL = "#2a6f97", "#c1121f", "#f4a259"
HEIGHT, WIDTH = 0.22, 9.0  # inches: of a bar, of all
TICKS = (0.1, 0.2, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10, 20)
LABEL = "time of the fastest peer, which is named, over ours; the mark is the family's goal"
STYLE = {"svg.hashsalt": "exactconv", "svg.fonttype": "none", "font.size": 8}
Bar = tuple[Row, float]  # its ratio


def draw(rows: Sequence[Row], path: Path, goals: Mapping[str, float] = GOALS) -> None:
    """Bars on a logarithmic axis, a mark at the goal of the family; nothing without peers."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    bars = [(row, ratio) for row in rows if (ratio := row.ratio()) is not None]
    if not bars:
        return
    with mpl.rc_context(STYLE):
        figure = Figure((WIDTH, 1 + HEIGHT * len(bars)), layout="constrained")
        axes = figure.subplots()
        _bars(axes, bars, goals)
        _scales(axes, bars)
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def _bars(axes: Any, bars: Sequence[Bar], goals: Mapping[str, float]) -> None:
    for place, (row, ratio) in zip(range(len(bars), 0, -1), bars, strict=True):
        ahead, goal = ratio >= 1, goals.get(row.family, 1.0)
        axes.barh(place, ratio - 1, left=1, color=AHEAD if ahead else BEHIND, height=0.7)
        axes.plot(goal, place, "|", color=GOAL, markersize=9, markeredgewidth=2)
        axes.annotate(
            f"{ratio:.2f} {row.fastest(row.peers())}",
            (max(ratio, goal) if ahead else ratio, place),
            (4 if ahead else -4, 0),
            textcoords="offset points",
            ha="left" if ahead else "right",
            va="center",
            fontsize=6.5,
        )


def _scales(axes: Any, bars: Sequence[Bar]) -> None:
    from matplotlib.ticker import FuncFormatter, NullFormatter

    ratios = [ratio for _, ratio in bars]
    ends = min([0.8, *ratios]) / 1.6, max([2.0, *ratios]) * 1.8  # room for the words
    axes.set_yticks(range(len(bars), 0, -1), [row.name for row, _ in bars])
    axes.set_ylim(0.2, len(bars) + 0.8)
    axes.set_xscale("log")
    axes.set_xlim(*ends)
    axes.set_xticks([tick for tick in TICKS if ends[0] <= tick <= ends[1]])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xlabel(LABEL)
