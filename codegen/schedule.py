"""Which schedule computes a function: chosen by rule from its form, the machine and the class.

A schedule is data, made from the form alone; ``codegen.targets`` prints it.
"""

from __future__ import annotations

from derive.core.form import TrilinearForm

from ._runtime.machine import Machine
from .column_lanes import ColumnLanes, column_cycles, columns_of
from .depthwise import Depthwise, depthwise
from .lane_gradient import LaneGradient, lane_gradient, suits_gradient
from .lanes import Lanes, lane_cycles, lanes_of, suits
from .nests import Correlation, Gather
from .transforms import Transform, chosen

ITEM = {"float32": 4, "float64": 8, "int64": 8}  # bytes


def gather_schedule(
    form: TrilinearForm, rows: Gather, machine: Machine | None, dtype: str
) -> Gather | Lanes | ColumnLanes | Depthwise:
    """Of forward or input gradient; ``rows`` is what fits every machine."""
    if machine is None:
        return rows
    item = ITEM[dtype]
    columns = column_cycles(form, machine, item)
    if columns is None:
        return lanes_of(form, machine, item) if suits(form, machine, item) else rows
    if found := depthwise(form, machine, item):
        return found
    if lane_cycles(form, machine, item) < columns:
        return lanes_of(form, machine, item)
    return columns_of(form, machine, item)


def gradient_schedule(
    form: TrilinearForm, rows: Correlation, machine: Machine | None, dtype: str
) -> Correlation | LaneGradient:
    """Of the weight gradient."""
    if machine is not None and suits_gradient(form, machine, ITEM[dtype]):
        return lane_gradient(form, machine, ITEM[dtype])
    return rows


def fast_schedule(form: TrilinearForm, machine: Machine, dtype: str) -> Transform | None:
    """Of forward or input gradient by a fast algorithm; None where the exact sum is sooner done."""
    return chosen(form, machine, ITEM[dtype])
