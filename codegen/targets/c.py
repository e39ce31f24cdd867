"""C: the texts of the .c and the .h file, and of the Python face beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

from codegen._runtime import Takes
from codegen._runtime.machine import Machine
from codegen.column_lanes import ColumnLanes
from codegen.depthwise import Depthwise
from codegen.describe import header
from codegen.lane_gradient import LaneGradient
from codegen.lanes import Lanes
from codegen.lower import lower
from codegen.nests import AxisFold, Correlation, Nests
from codegen.render import render
from codegen.resample import resample
from codegen.schedule import ITEM, Exact, Plan
from codegen.schedule import plan as planned
from codegen.transforms import Transform
from codegen.trials import trial
from derive import Operator
from derive.core.folding import fold
from derive.core.form import TrilinearForm

from . import kernel_object
from .column_lanes import column_part
from .depthwise import depthwise_part
from .lanes import lane_gradient_part, lane_part, vector_page
from .part import Function, Part
from .rows import correlation_part, row_part
from .transform import transform_part

ROLES = (
    "input_gradient is the same page as forward with the roles of x and y exchanged: there x is",
    "the gradient of the output and y that of the input.",
)
CONTRACT = (
    "Arrays are C-contiguous, the batch first. SCALAR is float unless defined otherwise, alike for",
    "header and kernel: any arithmetic type serves, float, double and int64_t are tested.",
    "No allocation, no globals: calls may run side by side. Outputs must not overlap inputs.",
)
READ, WRITE = "const SCALAR *restrict", "SCALAR *restrict"
FORWARD = f"ptrdiff_t batch, {READ} x, {READ} weight,\n    {READ} bias, {WRITE} y"
WEIGHT_GRADIENT = f"ptrdiff_t batch, {READ} x, {READ} y,\n    {WRITE} weight"
BIAS_GRADIENT = f"ptrdiff_t batch, {READ} y, {WRITE} bias"
BIAS = "bias ? bias[{}] : 0"  # of an output channel
SCRATCH = f",\n    {WRITE} scratch, ptrdiff_t threads"
FOLD, UNFOLD = f"{READ} weight, {WRITE} folded", f"{READ} folded, {WRITE} weight"


def _through_weight(x: str, y: str) -> str:
    return f"ptrdiff_t batch, {READ} {x}, {READ} weight,\n    {WRITE} {y}"


def _without_weight(x: str, y: str) -> str:
    return f"ptrdiff_t batch, {READ} {x}, {WRITE} {y}"


@dataclass(frozen=True, slots=True)
class CText:
    """The files of a kernel, what its functions take prepared, and which are fast, by direction."""

    files: dict[str, str]
    takes: Takes
    fast: Mapping[str, Transform] = field(default_factory=dict)


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
        return CText({f"{name}.c": text, f"{name}.h": emit_header(op, name)}, Takes(learned=False))
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
        folds=_folds(nests),
        vectors=[vector_page(name, machine, ITEM[dtype])] if machine and vectors else [],
        parts=parts,
        bias_parameters=BIAS_GRADIENT,
        output_channels=op.output_shape[0],
        output_positions=prod(op.output_shape[1:]),
    )
    return CText({f"{name}.c": text, f"{name}.h": emit_header(op, name, takes)}, takes, plan.fast)


def _parts(op: Operator, name: str, folded: TrilinearForm, plan: Plan) -> list[Part]:
    """The three functions through the weight, each by its schedule."""
    by_x = _through_weight("x", "y")
    forward = Function(name, "forward", FORWARD, BIAS, op.macs)
    by_input = Function(name, "input_gradient", by_x, "0", op.macs)
    by_weight = Function(name, "weight_gradient", WEIGHT_GRADIENT, "0", op.macs)
    return [
        _gather(plan.forward, folded, forward),
        _gather(plan.input_gradient, folded.adjoint, by_input),
        _gradient(plan.weight_gradient, folded, by_weight),
    ]


def _gather(schedule: Exact | Transform, form: TrilinearForm, function: Function) -> Part:
    if isinstance(schedule, Transform):
        return transform_part(schedule, replace(function, parameters=function.parameters + SCRATCH))
    if isinstance(schedule, Lanes):
        return lane_part(schedule, form, function)
    if isinstance(schedule, ColumnLanes):
        return column_part(schedule, function)
    if isinstance(schedule, Depthwise):
        return depthwise_part(schedule, function)
    return row_part(schedule, function)


def _gradient(
    schedule: Correlation | LaneGradient, form: TrilinearForm, function: Function
) -> Part:
    if isinstance(schedule, LaneGradient):
        return lane_gradient_part(schedule, form, function)
    return correlation_part(schedule, function)


def _takes(op: Operator, parts: Sequence[Part]) -> Takes:
    return Takes(
        folded=folded_numbers(op),
        unfolded=tuple(part.direction for part in parts if part.plain),
        packed={part.direction: part.packed for part in parts if part.packed},
        packed_sample=sum(part.packed_sample for part in parts),
        scratch={part.direction: part.scratch for part in parts if part.scratch},
    )


def emit_c(op: Operator, name: str) -> str:
    """The portable C text."""
    return emit(op, name).files[f"{name}.c"]


def _resample(op: Operator, name: str, comment: str) -> str:
    gathers = []
    for direction, form in (("forward", op.form), ("input_gradient", op.form.adjoint)):
        nest = resample(form)
        function = Function(name, direction, _without_weight("x", "y"), "0", op.macs)
        gathers.append(
            {
                "direction": direction,
                "nest": nest,
                "parameters": function.parameters,
                "pragma": function.parallel(nest.channels),
            }
        )
    return render("resample.c.j2", comment=comment, name=name, gathers=gathers)


def _folds(nests: Nests) -> dict[str, Any]:
    """The steps of folding, and the two entry points that chain them."""
    steps = nests.folds
    entries = []
    if steps:
        whole, folded = (
            f"weight + {steps[0].entries}*p",
            f"folded + {steps[-1].folded}*p",
        )
        between = [step.folded for step in steps[:-1]]
        entries = [
            _entry("fold", FOLD, steps, whole, folded, between),
            _entry("unfold", UNFOLD, steps[::-1], folded, whole, between[::-1]),
        ]
    return {"steps": steps, "entries": entries, "pairs": nests.pairs}


def _entry(
    direction: str,
    parameters: str,
    steps: tuple[AxisFold, ...],
    source: str,
    target: str,
    between: list[int],
) -> dict[str, Any]:
    buffers = [{"name": f"part_{i}", "size": size} for i, size in enumerate(between)]
    places = [source, *(str(buffer["name"]) for buffer in buffers), target]
    calls = [
        {"axis": step.axis, "source": places[i], "target": places[i + 1]}
        for i, step in enumerate(steps)
    ]
    return {"direction": direction, "parameters": parameters, "buffers": buffers, "calls": calls}


def comment_of(lines: list[str]) -> str:
    """A C comment of these lines."""
    return "\n".join(["/*", *(f" * {line}".rstrip() for line in lines), " */"])


def emit_header(op: Operator, name: str, takes: Takes | None = None) -> str:
    """The C header: the contract of the entry points."""
    scratch = {} if takes is None else takes.scratch
    return render(
        "kernel.h.j2",
        comment=comment_of([*header(op, name), "", *CONTRACT]),
        guard=f"EXACTCONV_{name.upper()}_H",
        name=name,
        functions=[
            {
                "direction": direction,
                "parameters": parameters + SCRATCH * (direction in scratch),
                "comment": comment + _scratch_comment(scratch.get(direction, 0)),
            }
            for direction, parameters, comment in _entry_points(op)
        ],
    )


def _scratch_comment(numbers: int) -> str:
    if not numbers:
        return ""
    return f"; scratch: {numbers} SCALARs for each of at most so many threads, on a cache line"


def _entry_points(op: Operator) -> list[tuple[str, str, str]]:
    """(name, parameters, what it computes) of each function that the header declares."""
    if not op.learned:
        return [
            ("forward", _without_weight("x", "y"), "y = A x"),
            ("input_gradient", _without_weight("grad_y", "grad_x"), "grad_x = transpose(A) grad_y"),
        ]
    numbers = folded_numbers(op)
    points = [
        (
            "fold",
            FOLD,
            f"folded: what the functions below take as weight, {numbers} numbers",
        ),
        ("unfold", UNFOLD, "weight: the gradient, from that of the folded weight"),
    ]
    return [
        *(points if numbers else []),
        ("forward", FORWARD, "y = W x + bias; bias may be NULL"),
        ("input_gradient", _through_weight("grad_y", "grad_x"), "grad_x = transpose(W) grad_y"),
        (
            "weight_gradient",
            WEIGHT_GRADIENT,
            "weight = sum over the batch of the products of y (a gradient) and x",
        ),
        (
            "bias_gradient",
            BIAS_GRADIENT,
            "bias = sum over the batch and all positions of y (a gradient)",
        ),
    ]


def folded_numbers(op: Operator) -> int:
    """Numbers of the folded weight, 0 where nothing is folded."""
    foldings = [fold(axis) for axis in op.form.axes]
    if all(folding.trivial for folding in foldings):
        return 0
    pairs = prod(op.form.weight_shape[:2])
    return pairs * prod(len(folding.combinations) for folding in foldings)


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
