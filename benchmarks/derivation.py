"""The normal form of a long axis, and emission of kernels, after import."""

from __future__ import annotations

from statistics import median
from time import perf_counter

import codegen
from codegen.builder import c_sources
from derive.catalogue import read_catalogue
from derive.core.rules import AdjointRule, AxisRule, ConvolutionRule, TransposedRule

from . import CATALOGUE
from .table import table
from .timing import best

LONG = 10**6
AXES: dict[str, AxisRule] = {
    "k = 3, padding 1": ConvolutionRule(kernel=3, before=1, after=1),
    "k = 7, s = 2, reflect 3": ConvolutionRule(
        kernel=7, stride=2, before=3, after=3, mode="reflect"
    ),
    "k = 9, s = 4, d = 3, circular 12": ConvolutionRule(
        kernel=9, stride=4, dilation=3, before=12, after=12, mode="circular"
    ),
    "transposed k = 16, s = 8": TransposedRule(kernel=16, stride=8, before=4, after=4),
    "adjoint of reflect 15, k = 31": AdjointRule(
        ConvolutionRule(kernel=31, before=15, after=15, mode="reflect")
    ),
}


def normal_forms() -> str:
    """Milliseconds for the runs of an axis of a million positions, and of one of a thousand."""
    rows = []
    for name, rule in AXES.items():
        long, short = best([lambda r=rule: r.at(LONG).runs, lambda r=rule: r.at(1000).runs])
        rows.append([name, f"{1000 * long:.2f}", f"{1000 * short:.2f}", "under 10"])
    return table(["axis", "n = 10^6, ms", "n = 10^3, ms", "goal, ms"], rows)


def emission() -> str:
    """Milliseconds to make a kernel of the catalogue, the C compiler's time left out.

    One kernel is made before, so that templates are parsed and modules imported.
    """
    first = read_catalogue(CATALOGUE)[0]
    c_sources(first.op, first.name)
    codegen.build(first.op, "numpy", name=first.name)
    seconds: dict[str, list[float]] = {}
    for target in ("c", "numpy"):
        for entry in read_catalogue(CATALOGUE):  # fresh operators: nothing derived before
            start = perf_counter()
            if target == "c":
                c_sources(entry.op, entry.name)
            else:
                codegen.build(entry.op, "numpy", name=entry.name)
            seconds.setdefault(target, []).append(perf_counter() - start)
    rows = [
        [
            f"{target}, {len(times)} kernels",
            f"{1000 * median(times):.1f}",
            f"{1000 * max(times):.1f}",
            "under 50",
        ]
        for target, times in seconds.items()
    ]
    return table(["derive, lower and emit", "median, ms", "worst, ms", "goal, ms"], rows)
