"""A picture of the ratios: one bar for each layer, longer where we are faster."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .families import GOALS
from .row import Row

AHEAD, BEHIND, GOAL = "#2a6f97", "#c1121f", "#333333"
TICKS = (0.1, 0.2, 0.5, 1, 1.5, 2, 3, 5, 10, 20)
HEIGHT, WIDTH = 0.22, 9.0  # inches: of a bar, of all


def draw(rows: Sequence[Row], path: Path) -> None:
    """Bars on a logarithmic axis, a mark at the goal of the family."""
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, NullFormatter

    shown = [(row, ratio) for row in rows if (ratio := row.ratio()) is not None]
    if not shown:
        return
    with mpl.rc_context({"svg.hashsalt": "exactconv", "svg.fonttype": "none", "font.size": 8}):
        figure = Figure((WIDTH, 1 + HEIGHT * len(shown)), layout="constrained")
        axes = figure.subplots()
        places = range(len(shown), 0, -1)
        ratios = [ratio for _, ratio in shown]
        colours = [AHEAD if ratio >= 1 else BEHIND for ratio in ratios]
        axes.barh(places, [r - 1 for r in ratios], left=1, color=colours, height=0.7)
        goals = [GOALS.get(row.family, 1.0) for row, _ in shown]
        axes.plot(goals, places, "|", color=GOAL, markersize=8, label="goal of the family")
        for place, (row, ratio) in zip(places, shown, strict=True):
            side = ("left", 3) if ratio >= 1 else ("right", -3)
            words = f"{ratio:.2f} {row.fastest(row.peers())}"
            axes.annotate(
                words,
                (ratio, place),
                (side[1], 0),
                textcoords="offset points",
                ha=side[0],
                va="center",
                fontsize=6.5,
            )
        axes.set_yticks(list(places), [row.name for row, _ in shown])
        axes.set_xscale("log")
        least, most = min([0.5, *ratios]), max([2.0, *ratios])
        axes.set_xlim(least / 1.6, most * 1.8)
        axes.set_ylim(0.2, len(shown) + 0.8)
        ticks = [
            t for t in (0.1, 0.2, 0.5, 1, 1.5, 2, 3, 5, 10, 20) if least / 1.6 <= t <= most * 1.8
        ]
        axes.set_xticks(ticks)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.axvline(1, color="black", linewidth=0.8)
        axes.set_xlabel("time of the fastest peer, named beside the bar, over ours")
        axes.legend(loc="lower right", frameon=False)
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
