"""One run: which layers, against whom; and the page that is written of all that is known."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from derive.files import write_whole

from . import derivation, fused, picture, report, sparse
from .layers import SECTIONS
from .machine import described
from .measure import measured
from .row import Row
from .store import Store

COSTS: Mapping[str, Callable[[], str]] = {
    "matrix": sparse.measure,
    "normal-form": derivation.normal_forms,
    "emission": derivation.emission,
    "fused": fused.measure,
}
TITLES = {
    "layers": "Layers of known networks",
    "others": "Layers that no schedule was tuned on",
    "float64": "float64",
    "gradients": "Gradients",
    "growth": "As inputs and batches grow",
    "matrix": "The matrix",
    "normal-form": "The normal form",
    "emission": "Emission",
    "fused": "Resize then convolve as one kernel of exact sums, beside torch's two calls",
}
NOTES = """Everybody computes the same layer in one process and takes turns; times are the best of
all rounds, of process CPU time where there is one thread. Weights are packed beforehand by all who
can (not by torch, nor for gradients), inputs and outputs are theirs to bind, everything is float32
(ncnn without half floats, OpenVINO with the f32 hint) unless the table says float64. Each result is
first compared with float64; the error is the largest one over the largest output. "% of peak" is of
the multiply-adds that registers alone can do, measured in the same rounds, and counts those of the
direct sum: an algorithm with fewer may pass 100. "ratio" is the fastest peer's best time over ours,
"of medians" the fastest median over ours; above 1 we are ahead. A dash: not installed, or no such
layer.""".replace("\n", " ")
FORWARD = ("layers", "others")


@dataclass
class Run:
    """What is asked for, and what is known so far."""

    only: re.Pattern[str]
    rounds: int
    threads: int
    algorithms: tuple[str, ...]
    who: tuple[str, ...]
    store: Store

    def section(self, name: str) -> str:
        """Measure the layers of a section that are asked for; its table."""
        cases = SECTIONS[name]
        found = []
        for case in cases:
            if self.only.search(case.name):
                sys.stderr.write(f"{case.name}\n")
                row = measured(case, self.who, self.algorithms, self.rounds, self.threads)
                found.append(row)
        self.store.add(self._key(name), found, [case.name for case in cases])
        return report.measurements(found) if found else "no such layer"

    def cost(self, name: str) -> str:
        """Measure something other than layers; its table."""
        self.store.texts[name] = COSTS[name]()
        return self.store.texts[name]

    def _key(self, name: str) -> str:
        return name if self.threads == 1 else f"{name}, {self.threads} threads"


def page(store: Store, image: str) -> str:
    """The whole page, of everything that is known."""
    single = [row for name in SECTIONS for row in store.rows.get(name, {}).values()]
    parts = ["# Measured by `make bench`", store.machine + ".", NOTES]
    judged = [row for row in single if row.name not in store.rows.get("growth", {})]
    if judged:
        parts += ["## Families", report.families(judged), f"![Ratio of each layer]({image})"]
    for key, rows in store.rows.items():
        name, _, threads = key.partition(", ")
        title = TITLES[name] + (f", {threads}" if threads else "")
        parts += [f"## {title}", report.measurements(list(rows.values()))]
    for name, text in store.texts.items():
        parts += [f"## {TITLES[name]}", text]
    return "\n\n".join(parts) + "\n"


def write(store: Store, kept: Path, results: Path, image: Path) -> None:
    """Keep the numbers, write the page and draw the picture."""
    store.write(kept)
    write_whole(results, page(store, image.name).encode())
    rows: list[Row] = [row for name in FORWARD for row in store.rows.get(name, {}).values()]
    picture.draw(rows, image)


def known(path: Path) -> Store:
    """What was measured on this machine before."""
    return Store.read(path, described())
