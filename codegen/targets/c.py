"""C: the text of the .c file and of the Python face beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod

from codegen._runtime import Takes
from codegen._runtime.machine import Machine
from codegen.cpu.column_lanes import ColumnLanes
from codegen.cpu.depthwise import Depthwise
from codegen.cpu.lane_gradient import LaneGradient
from codegen.cpu.lanes import Lanes
from codegen.cpu.position_gradient import PositionGradient
from codegen.cpu.schedule import ITEM, ByWeight, Exact, Plan
from codegen.cpu.schedule import plan as planned
from codegen.describe import header
from codegen.folds import folded_numbers
from codegen.lower import lower
from codegen.render import render
from codegen.resample import resample
from codegen.transforms import Transform
from codegen.trials import trial
from derive import Operator
from derive.core.form import TrilinearForm

from . import kernel_object
from .column_lanes import column_part
from .depthwise import depthwise_part
from .folds import fold_page
from .header import (
    BIAS,
    BIAS_GRADIENT,
    FORWARD,
    SCRATCH,
    WEIGHT_GRADIENT,
    comment_of,
    emit_header,
    through_weight,
    without_weight,
)
from .lane_gradient import lane_gradient_part
from .lanes import lane_part, vector_page
from .part import Function, Part
from .position_gradient import position_gradient_part
from .rows import correlation_part, row_part
from .transform import transform_part

ROLES = (
    "input_gradient is the same page as forward with the roles of x and y exchanged: there x is",
    "the gradient of the output and y that of the input.",
)


@dataclass(frozen=True, slots=True)
class CText:
    """The files of a kernel, what its functions take prepared, and which are fast, by direction.

    A ``portable`` one is for every machine, with loops over single channels.
    """

    files: dict[str, str]
    takes: Takes
    fast: Mapping[str, Transform] = field(default_factory=dict)
    portable: bool = False


def emit(
    op: Operator,
    name: str,
    machine: Machine | None = None,
    dtype: str = "float32",
    algorithm: str = "exact",
    plan: Plan | None = None,
) -> CText:
    """The C file and its header: portable, or for a machine and a dtype.

    By a ``plan``, or the one that the rule finds for an ``algorithm``, exact or fast.
    """
    lines = [*header(op, name), "", *ROLES]
    if not op.learned:
        text = _resample(op, name, comment_of(lines))
        files = {f"{name}.c": text, f"{name}.h": emit_header(op, name)}
        return CText(files, Takes(learned=False), portable=True)
    nests = lower(op.form)
    if plan is None:
        plan = planned(op, nests, machine, dtype, algorithm)
    parts = _parts(op, name, nests.form, plan)
    notes = [line for part in parts for line in part.note]
    comment = comment_of([*lines, *([""] if notes else []), *notes])
    takes = _takes(op, parts)
    vectors = machine is not None and any(part.vectors for part in parts)
    text = render(
        "kernel.c.j2",
        comment=comment,
        name=name,
        folds=fold_page(nests),
        vectors=[vector_page(name, machine, ITEM[dtype])] if machine and vectors else [],
        parts=parts,
        bias_parameters=BIAS_GRADIENT,
        output_channels=op.output_shape[0],
        output_positions=prod(op.output_shape[1:]),
    )
    files = {f"{name}.c": text, f"{name}.h": emit_header(op, name, takes)}
    return CText(files, takes, plan.fast, portable=machine is None)


def _parts(op: Operator, name: str, folded: TrilinearForm, plan: Plan) -> list[Part]:
    """The three functions through the weight, each by its schedule."""
    by_x = through_weight("x", "y")
    forward = Function(name, "forward", FORWARD, BIAS, op.macs)
    by_input = Function(name, "input_gradient", by_x, "0", op.macs)
    by_weight = Function(name, "weight_gradient", WEIGHT_GRADIENT, "0", op.macs)
    return [
        _gather(plan.forward, folded, forward),
        _gather(plan.input_gradient, folded.adjoint, by_input),
        _gradient(plan.weight_gradient, by_weight),
    ]


def _gather(schedule: Exact | Transform, form: TrilinearForm, function: Function) -> Part:
    if isinstance(schedule, Transform):
        return transform_part(schedule, _with_scratch(function))
    if isinstance(schedule, Lanes):
        return lane_part(schedule, form, function)
    if isinstance(schedule, ColumnLanes):
        return column_part(schedule, function)
    if isinstance(schedule, Depthwise):
        return depthwise_part(schedule, function)
    return row_part(schedule, function)


def _with_scratch(function: Function) -> Function:
    return replace(function, parameters=function.parameters + SCRATCH)


def _gradient(schedule: ByWeight, function: Function) -> Part:
    if isinstance(schedule, PositionGradient):
        return position_gradient_part(schedule, _with_scratch(function))
    if isinstance(schedule, LaneGradient):
        return lane_gradient_part(schedule, function)
    return correlation_part(schedule, function)


def _takes(op: Operator, parts: Sequence[Part]) -> Takes:
    return Takes(
        folded=folded_numbers(op),
        unfolded=tuple(part.direction for part in parts if part.plain),
        packed={part.direction: part.packed for part in parts if part.packed},
        packed_sample=sum(part.packed_sample for part in parts),
        packs=next((part.packs for part in parts if part.packed_sample), "y"),
        scratch={part.direction: part.scratch for part in parts if part.scratch},
    )


def emit_c(op: Operator, name: str) -> str:
    """The portable C text."""
    return emit(op, name).files[f"{name}.c"]


def _resample(op: Operator, name: str, comment: str) -> str:
    gathers = []
    for direction, form in (("forward", op.form), ("input_gradient", op.form.adjoint)):
        nest = resample(form)
        function = Function(name, direction, without_weight("x", "y"), "0", op.macs)
        gathers.append(
            {
                "direction": direction,
                "nest": nest,
                "parameters": function.parameters,
                "pragma": function.parallel(nest.channels),
            }
        )
    return render("resample.c.j2", comment=comment, name=name, gathers=gathers)


def emit_face(op: Operator, name: str) -> str:
    """The Python module beside the C file."""
    arguments = [f'"{name}"', "read_sources(__file__)"]
    if not op.learned:
        arguments.append("takes=Takes(learned=False)")
    elif folded_numbers(op):
        arguments.append(f"takes=Takes(folded={folded_numbers(op)})")
    arguments.append("test=lambda *made: trial.wrong(kernel, *made)")
    lines = "".join(f"        {each},\n" for each in arguments)
    return render(
        "face.py.j2",
        docstring="\n".join(header(op, name)),
        trial=trial(op),
        takes=["Takes"] if any("Takes" in line for line in arguments) else [],
        **kernel_object(op, name, f"c_functions(\n{lines}    )"),
    )
