"""The run: which networks, their rows, and what is written of them."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path

from benchmarks.machine import described
from benchmarks.store import Store
from derive.files import write_whole

from . import report
from .contest import Task, measured
from .networks import MEASURED

HERE = Path(__file__).parent
KEPT, RESULTS = "results.json", "RESULTS.md"
BATCHES = (1, 8)
TASKS = [Task(*each) for each in product(MEASURED, BATCHES, (False, True))]


def run(
    only: re.Pattern[str],
    algorithms: Sequence[str],
    rounds: int,
    threads: int,
    *,
    keep: bool,
    folder: Path = HERE,
    tasks: Sequence[Task] = TASKS,
) -> None:
    """Measure what is asked for, print the tables, and write the page after each row."""
    section = "1 thread" if threads == 1 else f"{threads} threads"
    store = Store.read(folder / KEPT, described()) if keep else Store(described())
    found = []
    for task in tasks:
        if not only.search(task.name):
            continue
        sys.stderr.write(f"{task.name}\n")
        row, reports = measured(task, algorithms, rounds, threads)
        found.append(row)
        store.texts[f"{section}, {row.name}"] = report.kept(reports)
        store.add(section, [row], [each.name for each in tasks])
        if keep:
            store.write(folder / KEPT)
            write_whole(folder / RESULTS, report.page(store).encode())
    sys.stdout.write(f"## models, {section}\n\n{report.measurements(found)}\n\n")
