"""One schedule for all operators, also for those that another would suit better."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Any

from codegen._runtime.machine import Machine
from codegen.cpu.column_lanes import column_cycles, columns_of
from codegen.cpu.depthwise import depthwise
from codegen.cpu.lane_gradient import fits, lane_gradient
from codegen.cpu.lanes import lanes_of
from codegen.cpu.position_gradient import position_gradient
from codegen.cpu.schedule import ITEM
from codegen.nests import Correlation, Gather
from derive.core.form import TrilinearForm

Chosen = Callable[[TrilinearForm, Gather, Machine | None, str], Any]


def channel_lanes(form: TrilinearForm, rows: Gather, machine: Machine | None, dtype: str) -> Any:
    """Output channels in lanes, whatever their number."""
    return rows if machine is None else lanes_of(form, machine, ITEM[dtype])


def column_lanes(form: TrilinearForm, rows: Gather, machine: Machine | None, dtype: str) -> Any:
    """Columns in lanes wherever that fits."""
    if machine is None or column_cycles(form, machine, ITEM[dtype]) is None:
        return rows
    return columns_of(form, machine, ITEM[dtype])


def strips(form: TrilinearForm, rows: Gather, machine: Machine | None, dtype: str) -> Any:
    """The depthwise schedule wherever it fits, else columns in lanes."""
    found = None if machine is None else depthwise(form, machine, ITEM[dtype])
    return found or column_lanes(form, rows, machine, dtype)


def channel_gradient(
    form: TrilinearForm, rows: Correlation, machine: Machine | None, dtype: str
) -> Any:
    """The weight gradient in channel lanes, whatever their number; about half with x and y
    exchanged.
    """
    if machine is None or not fits(form, machine):
        return rows
    if sum(form.input_shape) % 2:
        return lane_gradient(form, machine, ITEM[dtype])
    return lane_gradient(form.adjoint, machine, ITEM[dtype], exchanged=True)


def position_lanes(
    form: TrilinearForm, rows: Correlation, machine: Machine | None, dtype: str
) -> Any:
    """The weight gradient in position lanes wherever they can be; every other weight's with x and
    y exchanged.
    """
    if machine is None or not all(axis.strands for axis in form.axes):
        return rows
    exchanged = sum(form.input_shape) % 2 == 0
    chosen = form.adjoint if exchanged else form
    nest = position_gradient(chosen, machine, ITEM[dtype], exchanged=exchanged)
    return nest if isfinite(nest.cycles) else rows
