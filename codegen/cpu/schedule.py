"""Which schedule computes a function: chosen by rule from its form, the machine and the class.

A schedule is data, made from the form alone; ``codegen.targets`` prints it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf, isfinite

from codegen._runtime.machine import Machine
from codegen.nests import Correlation, Gather, Nests
from codegen.transforms import Transform, chosen, distinct
from derive import Operator
from derive.core.form import TrilinearForm

from .column_lanes import ColumnLanes, column_cycles, columns_of
from .depthwise import Depthwise, depthwise, depthwise_cycles
from .lane_gradient import LaneGradient, fits, gradient_cycles, lane_gradient
from .lanes import Lanes, lane_cycles, lanes_of
from .position_gradient import PositionGradient, position_gradient

ITEM = {"float32": 4, "float64": 8, "int64": 8}  # bytes
NEAR = 1.3  # times the least count of cycles: what may still be the fastest
TRIED = 3  # fast algorithms that are timed against the exact sum

Exact = Gather | Lanes | ColumnLanes | Depthwise
ByWeight = Correlation | LaneGradient | PositionGradient


@dataclass(frozen=True)
class Plan:
    """The schedule of each function through the weight."""

    forward: Exact | Transform
    input_gradient: Exact | Transform
    weight_gradient: ByWeight

    @property
    def fast(self) -> Mapping[str, Transform]:
        """The functions by fast algorithms, by direction."""
        gathers = {"forward": self.forward, "input_gradient": self.input_gradient}
        return {d: each for d, each in gathers.items() if isinstance(each, Transform)}


def plan(
    op: Operator, nests: Nests, machine: Machine | None, dtype: str, algorithm: str = "exact"
) -> Plan:
    """By rule: exact sums, or fast algorithms where they are sooner done ("fast").

    The weight is taken to be prepared for forward; gradients are asked for where it changes.
    """
    form = nests.form
    forward: Exact | Transform = gather_schedule(form, nests.forward, machine, dtype)
    by_input: Exact | Transform = gather_schedule(
        form.adjoint, nests.input_gradient, machine, dtype
    )
    if machine is not None and algorithm == "fast":
        forward = chosen(op.form, machine, ITEM[dtype]) or forward
        by_input = chosen(op.form.adjoint, machine, ITEM[dtype], prepared=False) or by_input
    by_weight = gradient_schedule(form, nests.weight_gradient, machine, dtype)
    return Plan(forward, by_input, by_weight)


def alternatives(op: Operator, nests: Nests, machine: Machine | None, dtype: str) -> list[Plan]:
    """Plans that hold, between them, each schedule that is worth a measurement."""
    exact = plan(op, nests, machine, dtype)
    if machine is None:
        return [exact]
    form, item = nests.form, ITEM[dtype]
    forward = [
        *gather_schedules(form, nests.forward, machine, dtype),
        *distinct(op.form, machine, item, TRIED),
    ]
    by_input = [
        *gather_schedules(form.adjoint, nests.input_gradient, machine, dtype),
        *distinct(op.form.adjoint, machine, item, TRIED, prepared=False),
    ]
    return [
        Plan(
            forward[min(i, len(forward) - 1)],
            by_input[min(i, len(by_input) - 1)],
            exact.weight_gradient,
        )
        for i in range(max(len(forward), len(by_input)))
    ]


def gather_schedule(
    form: TrilinearForm, rows: Gather, machine: Machine | None, dtype: str
) -> Exact:
    """Of forward or input gradient; ``rows`` is what fits every machine."""
    return gather_schedules(form, rows, machine, dtype)[0]


def gather_schedules(
    form: TrilinearForm, rows: Gather, machine: Machine | None, dtype: str
) -> list[Exact]:
    """The same and what may take as long, by a count of cycles: the first is the least."""
    if machine is None:
        return [rows]
    item = ITEM[dtype]
    columns = column_cycles(form, machine, item)
    if columns is None:
        few = 4 * form.channels_out * item < machine.vector_bytes
        return [rows if few else lanes_of(form, machine, item)]
    counted: list[tuple[float, Callable[..., Exact | None]]] = [
        (columns, columns_of),
        (lane_cycles(form, machine, item), lanes_of),
    ]
    if depthwise(form, machine, item):
        counted.insert(0, (depthwise_cycles(form, machine, item), depthwise))
    counted.sort(key=lambda each: each[0])
    made = [of(form, machine, item) for cycles, of in counted if cycles < NEAR * counted[0][0]]
    return [each for each in made if each is not None]


def gradient_schedule(
    form: TrilinearForm, rows: Correlation, machine: Machine | None, dtype: str
) -> ByWeight:
    """Of the weight gradient."""
    if machine is None or not all(axis.strands for axis in form.axes):
        return rows
    item, sides = ITEM[dtype], ((form, False), (form.adjoint, True))
    along = [position_gradient(side, machine, item, exchanged=other) for side, other in sides]
    best = min(along, key=lambda each: each.cycles)
    across = [
        (gradient_cycles(side, machine, item), other, side)
        for side, other in sides
        if fits(side, machine)
    ]
    cycles, other, side = min(across, key=lambda each: each[0], default=(inf, False, form))
    if cycles < best.cycles:
        return lane_gradient(side, machine, item, exchanged=other)
    return best if isfinite(best.cycles) else rows
