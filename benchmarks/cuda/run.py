"""The run: which layers, their rows, and what is written of them."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from benchmarks import picture
from benchmarks.row import Row
from benchmarks.store import Store
from derive.files import write_whole

from . import gpu, report
from .cases import SECTIONS
from .measure import Bench, measured

HERE = Path(__file__).parent
KEPT, RESULTS, PICTURE = "results.json", "RESULTS.md", "ratios.svg"


def run(only: re.Pattern[str], rounds: int, *, keep: bool) -> None:
    """Measure, print the tables and keep them; without a GPU, say why nothing is done."""
    reason = gpu.why_none()
    if reason:
        sys.stdout.write(f"cuda: nothing is measured here: {reason}\n")
        return
    from .bench import bench

    measure(only, rounds, bench(), gpu.described(), HERE if keep else None)


def measure(
    only: re.Pattern[str], rounds: int, bench: Bench, machine: str, folder: Path | None
) -> None:
    """Measure what is asked for, and write the page after each section."""
    store = Store.read(folder / KEPT, machine) if folder else Store(machine)
    for section, cases in SECTIONS.items():
        found: list[Row] = []
        for case in cases:
            if only.search(case.name):
                sys.stderr.write(f"{case.name}\n")
                row, ceilings = measured(case, rounds, bench)
                found.append(row)
                store.texts[section] = report.sentence(ceilings, case.dtype)
        if not found:
            continue
        store.add(section, found, [case.name for case in cases])
        sys.stdout.write(f"## {section}\n\n{report.measurements(found)}\n\n")
        sys.stdout.flush()
        if folder:
            _write(store, folder)


def _write(store: Store, folder: Path) -> None:
    """Keep the numbers, draw the picture and write the page."""
    store.write(folder / KEPT)
    rows = [report.precise(row) for of in store.rows.values() for row in of.values()]
    picture.draw([row for row in rows if row.ours()], folder / PICTURE, {})
    image = PICTURE if (folder / PICTURE).exists() else ""
    write_whole(folder / RESULTS, report.page(store, image).encode())
