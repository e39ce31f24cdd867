"""Rows as Markdown, and the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.report import left_out
from benchmarks.row import OURS, Row
from benchmarks.store import Store
from benchmarks.table import table
from codegen.models import Report

from .contest import EAGER

GOAL = 1.5
GOALS = ("U-Net decoder", "VAE decoder")  # these reach it, or the page says that they do not
TITLE = "# Measured by `make bench ARGS=models`"
HEAD = (
    "network",
    "torch, ms",
    "torch.compile",
    "ours, ms",
    "over torch",
    "of medians",
    "over the fastest of torch",
    "% of peak",
    "error",
    "torch's error",
    "ms of all of ours",
)
NOTES = """Each network runs as torch has it, under torch.compile (for inference with its weights
frozen), and as `codegen.convert` makes it of each algorithm, as it is and under torch.compile, in
one process and in turns; times are the best of all rounds. Forward is in eval mode and without
gradients; forward and backward is in training mode, with the gradients of all parameters and of the
inputs. `convert` keeps a layer on torch where it measured torch to be faster: the list below the
table says which. Results are first compared with float64; the error is the norm of the difference
over that of the tensor, of the worst tensor; in a gradient it is mostly that of a ReLU that a
rounding switched. "over torch" is eager torch's time over that of the fastest of ours, above 1 we
are ahead; "% of peak" counts the multiply-adds of the exact kernels. The layers of ResNet-50 are
its 53 convolutions side by side, and nothing of what is between them.""".replace("\n", " ")


def measurements(rows: Sequence[Row]) -> str:
    """The table, and who was left out."""
    lines = [_line(row) for row in rows if row.ours()]
    return "\n\n".join(filter(None, [table(HEAD, lines), "\n".join(left_out(rows))]))


def kept(reports: Mapping[str, Report]) -> str:
    """For each algorithm how many layers were swapped, and why the others were not."""
    return "; ".join(f"{algorithm}: {_kept(report)}" for algorithm, report in reports.items())


def verdict(rows: Sequence[Row]) -> str:
    """Whether the goal is reached, by the rows that have one."""
    found = [row for row in rows if row.name.startswith(GOALS) and EAGER in row.seconds]
    if not found:
        return ""
    behind = [f"{row.name} ({_over(row):.2f})" for row in found if _over(row) < GOAL]
    words = f"Goal: {GOAL} times eager torch for the {' and the '.join(GOALS)}"
    return f"{words}; {'missed by ' + ', '.join(behind) if behind else 'reached by all rows'}."


def page(store: Store) -> str:
    """The whole page, of everything that is known."""
    parts = [TITLE, store.machine + ".", NOTES]
    for section, rows in store.rows.items():
        of = list(rows.values())
        said = [
            f"* {row.name}: {store.texts[key]}" for row in of if (key := f"{section}, {row.name}")
        ]
        parts += [f"## {section}", measurements(of), verdict(of), "\n".join(said)]
    return "\n\n".join(filter(None, parts)) + "\n"


def _kept(report: Report) -> str:
    words = f"{len(report.taken)} of {len(report.layers)} layers swapped"
    reasons: dict[str, list[str]] = {}
    for layer in report.layers:
        if not layer.swapped:
            reasons.setdefault(layer.reason, []).append(layer.name)
    parts = [f"{', '.join(names)}: {reason}" for reason, names in reasons.items()]
    return f"{words} (kept {'; '.join(parts)})" if parts else words


def _over(row: Row, which: int = 0) -> float:
    """Eager torch's time over ours."""
    return row.seconds[EAGER][which] / row.seconds[row.fastest(row.ours(), which)][which]


def _line(row: Row) -> list[str]:
    mine = row.fastest(row.ours())
    own = f"{_ms(row, mine)} ({mine.removeprefix(OURS)})"
    peers = [_ms(row, name) for name in (EAGER, "torch.compile")]
    if EAGER not in row.seconds:
        ratios = ["—"] * 3
    else:
        ratios = [f"**{_over(row):.2f}**", f"{_over(row, 1):.2f}", f"{row.ratio():.2f}"]
    errors = [f"{row.errors[name]:.0e}" if name in row.errors else "—" for name in (mine, EAGER)]
    every = ", ".join(f"{name.removeprefix(OURS)} {_ms(row, name)}" for name in row.ours())
    return [row.name, *peers, own, *ratios, f"{100 * row.share(mine):.0f}", *errors, every]


def _ms(row: Row, name: str) -> str:
    return f"{1000 * row.seconds[name][0]:.1f}" if name in row.seconds else "—"
