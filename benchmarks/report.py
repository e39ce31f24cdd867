"""Rows as Markdown: one table of a section, and what the families of all of them come to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import geometric_mean

from .families import APART, GOALS, LEAST, MEAN
from .peers import WHERE
from .row import OURS, Row
from .table import table

HEAD = (
    "layer",
    "fastest peer",
    "its ms",
    "its % of peak",
    "ours, ms",
    "GFLOP/s",
    "% of peak",
    "ratio",
    "of medians",
    "error",
    "its error",
)
SHORT = {name: name.replace("torch channels-last", "channels-last") for name in WHERE}


def measurements(rows: Sequence[Row]) -> str:
    """The table of a section, everybody's time in the last column, and who was left out."""
    several = len({name for row in rows for name in row.ours()}) > 1
    head = [*HEAD, "ms of all"]
    lines = [_line(row, several=several) for row in rows if row.ours()]
    return "\n\n".join(filter(None, [table(head, lines), "\n".join(left_out(rows))]))


def _line(row: Row, *, several: bool) -> list[str]:
    mine = row.fastest(row.ours())
    best, error = row.seconds[mine][0], row.errors[mine]
    own = f"{1000 * best:.3f}" + (f" ({mine.removeprefix(OURS)})" if several else "")
    cells = [own, f"{row.flops / best / 10**9:.0f}", f"{100 * row.share(mine):.0f}"]
    if not row.peers():
        return [row.name, "—", "—", "—", *cells, "—", "—", f"{error:.0e}", "—", _all(row)]
    peer = row.fastest(row.peers())
    theirs = [peer, f"{1000 * row.seconds[peer][0]:.3f}", f"{100 * row.share(peer):.0f}"]
    ratios = [f"**{row.ratio(0):.2f}**", f"{row.ratio(1):.2f}"]
    errors = [f"{error:.0e}", f"{row.errors[peer]:.0e}"]
    return [row.name, *theirs, *cells, *ratios, *errors, _all(row)]


def _all(row: Row) -> str:
    return ", ".join(
        f"{SHORT[name]} {1000 * row.seconds[name][0]:.3f}" if name in row.seconds else f"{short} —"
        for name, short in SHORT.items()
    )


def left_out(rows: Iterable[Row]) -> list[str]:
    """Who did not take part and why, each reason once."""
    reasons: dict[str, dict[str, int]] = {}
    for row in rows:
        for name, reason in row.left_out.items():
            of = reasons.setdefault(name, {})
            of[reason] = of.get(reason, 0) + 1
    return [
        f"* {name}: " + "; ".join(f"{reason} ({count})" for reason, count in of.items()) + "."
        for name, of in reasons.items()
    ]


def families(rows: Sequence[Row]) -> str:
    """The goal of each family beside what was seen, and the mean and least of all."""
    found = [row for row in rows if row.ratio() is not None]
    lines = []
    for family, goal in GOALS.items():
        of = [row for row in found if row.family == family]
        if of:
            lines.append([family, str(len(of)), *_cells([_ratio(row) for row in of], goal)])
    text = table(["family", "layers", "goal", "mean", "least", "most", "met"], lines)
    forward = [_ratio(row) for row in found if row.family not in APART]
    return f"{text}\n\n{_sentence(found, forward)}" if forward else text


def _sentence(rows: Sequence[Row], ratios: Sequence[float]) -> str:
    worst = min(rows, key=_ratio)
    behind = sum(_ratio(row) < LEAST for row in rows)
    mean = f"**{geometric_mean(ratios):.2f}** (goal {MEAN})"
    return (
        f"Geometric mean of {len(ratios)} float32 layers forward: {mean}. Least: "
        f"{_ratio(worst):.2f}, {worst.name} (goal {LEAST}); {behind} of {len(rows)} behind."
    )


def _cells(ratios: Sequence[float], goal: float) -> list[str]:
    mean = geometric_mean(ratios)
    met = "yes" if round(mean, 2) >= goal else "no"
    return [str(goal), f"{mean:.2f}", f"{min(ratios):.2f}", f"{max(ratios):.2f}", met]


def _ratio(row: Row) -> float:
    found = row.ratio()
    assert found is not None
    return found
