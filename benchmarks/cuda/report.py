"""Rows as Markdown, and the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import geometric_mean

from benchmarks.report import left_out
from benchmarks.row import OURS, Row
from benchmarks.store import Store
from benchmarks.table import table

from .cases import TF32
from .ceilings import Ceilings
from .measure import MEDIAN

HEAD = (
    "layer",
    "fastest peer",
    "its ms",
    "ours, ms",
    "TFLOP/s",
    "% of ceiling",
    "ratio",
    "over TF32",
    "error",
    "its error",
    "ms of all",
)
TITLE = "# Measured by `make bench-cuda`"
NOTES = """Everybody computes the same layer on one GPU, in one process, and takes turns; times are
medians of all rounds, of graphs that hold many calls, replayed: nothing of Python and little of a
launch is in them, and small arrays stay in the cache. cuDNN is asked through torch with its
benchmark on, in both layouts, its input in that layout already; torch.compile may pack its weights
beforehand, ours are prepared, but for gradients. Each result is first compared with float64 of the
same rounded numbers; the error is the largest one over the largest output. "ratio" is the fastest
peer's time over ours, above 1 we are ahead; for float32 it counts those without TF32, which compute
as exactly as we do, and "over TF32" those with it. "% of ceiling" is of what a copy within the
device and multiply-adds of registers alone (fused ones, or mma.sync) allow, measured in the same
rounds: each array moved once, each product of the direct sum done. A dash: no such
contestant.""".replace("\n", " ")


def precise(row: Row) -> Row:
    """The row without those who use TF32."""
    kept = {name: each for name, each in row.seconds.items() if not name.endswith(TF32)}
    return replace(row, seconds=kept)


def coarse(row: Row) -> Row:
    """The row with ours, and of the others those who use TF32."""
    peers = {name for name in row.peers() if not name.endswith(TF32)}
    return replace(row, seconds={n: each for n, each in row.seconds.items() if n not in peers})


def measurements(rows: Sequence[Row]) -> str:
    """The table of a section, the mean of its ratios, and who was left out."""
    lines = [_line(row) for row in rows if row.ours()]
    parts = [table(HEAD, lines), _mean(rows), "\n".join(left_out(rows))]
    return "\n\n".join(filter(None, parts))


def sentence(ceilings: Ceilings, dtype: str) -> str:
    """What the device did at most."""
    speed, rate = ceilings.bandwidth / 10**9, ceilings.flops / 10**12
    return f"Ceilings: a copy moves {speed:.0f} GB/s, {dtype} registers do {rate:.1f} TFLOP/s."


def page(store: Store, image: str) -> str:
    """The whole page, of everything that is known; with a picture where one was drawn."""
    parts = [TITLE, store.machine + ".", NOTES]
    if image:
        parts.append(f"![Ratio of each layer]({image})")
    for section, rows in store.rows.items():
        said = store.texts.get(section, "")
        parts += [f"## {section}", *filter(None, [said]), measurements(list(rows.values()))]
    return "\n\n".join(parts) + "\n"


def _line(row: Row) -> list[str]:
    name = row.fastest(row.ours(), MEDIAN)
    seconds, error = row.seconds[name][MEDIAN], row.errors[name]
    rate = row.flops / seconds
    own = [f"{1000 * seconds:.4f}", f"{rate / 10**12:.2f}", f"{100 * rate / row.peak:.0f}"]
    peer, ms, theirs = _fastest(precise(row))
    ratios = [_ratio(precise(row), "**"), _ratio(coarse(row))]
    return [row.name, peer, ms, *own, *ratios, f"{error:.0e}", theirs, _all(row)]


def _fastest(row: Row) -> tuple[str, str, str]:
    """Name, milliseconds and error of the fastest peer."""
    if not row.peers():
        return "—", "—", "—"
    name = row.fastest(row.peers(), MEDIAN)
    return name, f"{1000 * row.seconds[name][MEDIAN]:.4f}", f"{row.errors[name]:.0e}"


def _ratio(row: Row, mark: str = "") -> str:
    ratio = row.ratio(MEDIAN)
    return "—" if ratio is None else f"{mark}{ratio:.2f}{mark}"


def _mean(rows: Sequence[Row]) -> str:
    found = [ratio for row in rows if (ratio := precise(row).ratio(MEDIAN)) is not None]
    if not found:
        return ""
    behind = sum(ratio < 1 for ratio in found)
    mean = f"**{geometric_mean(found):.2f}**"
    return f"Geometric mean of {len(found)} ratios: {mean}; {behind} of them behind."


def _all(row: Row) -> str:
    times = [f"{name} {1000 * each[MEDIAN]:.4f}" for name, each in row.seconds.items()]
    return ", ".join(time for time in times if not time.startswith(OURS))
