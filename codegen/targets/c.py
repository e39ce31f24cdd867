"""C: the texts of the .c and the .h file, and of the Python face beside them."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

from codegen._runtime.machine import Machine
from codegen.describe import header
from codegen.lane_gradient import lane_gradient, suits_gradient
from codegen.lanes import lanes_of, suits
from codegen.lower import lower
from codegen.nests import AxisFold, Loop, Nests
from codegen.render import render
from codegen.resample import resample
from codegen.trials import trial
from derive import Operator
from derive.core.folding import fold

from . import kernel_object
from .lanes import gradient_page, lane_page, vector_page

SERIAL_WORK = 1 << 17  # multiply-adds below which a parallel region costs more than it saves

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
ITEM = {"float32": 4, "float64": 8, "int64": 8}  # bytes
FOLD, UNFOLD = f"{READ} weight, {WRITE} folded", f"{READ} folded, {WRITE} weight"


def _through_weight(x: str, y: str) -> str:
    return f"ptrdiff_t batch, {READ} {x}, {READ} weight,\n    {WRITE} {y}"


def _without_weight(x: str, y: str) -> str:
    return f"ptrdiff_t batch, {READ} {x}, {WRITE} {y}"


@dataclass(frozen=True, slots=True)
class CText:
    """The files of a kernel, and the numbers of the weights that it takes prepared."""

    files: dict[str, str]
    folded: int
    packed: dict[str, int]
    packed_sample: int  # numbers of a packed gradient of the output, for each sample


def emit(op: Operator, name: str, machine: Machine | None = None, dtype: str = "float32") -> CText:
    """The C file and its header: portable, or for a machine and a dtype.

    For a machine, the directions that suit it are in channel lanes.
    """
    comment = comment_of([*header(op, name), "", *ROLES])
    files = {f"{name}.h": emit_header(op, name)}
    if not op.learned:
        return CText({f"{name}.c": _resample(op, name, comment), **files}, 0, {}, 0)
    nests = lower(op.form)
    pages = _gathers(op, nests, machine, ITEM[dtype])
    pages |= _weight_gradient(op, nests, machine, ITEM[dtype])
    in_lanes = (*pages["lanes"], *pages["gradients"])
    packed = {page["direction"]: page["packed"] for page in in_lanes}
    text = render(
        "kernel.c.j2",
        comment=comment,
        name=name,
        folds=_folds(nests),
        vectors=[vector_page(machine, ITEM[dtype])] if machine is not None and packed else [],
        **pages,
        bias_parameters=BIAS_GRADIENT,
        output_channels=op.output_shape[0],
        output_positions=prod(op.output_shape[1:]),
    )
    sample = sum(page["packed_sample"] for page in pages["gradients"])
    return CText({f"{name}.c": text, **files}, folded_numbers(op), packed, sample)


Pages = dict[str, list[dict[str, Any]]]


def _gathers(op: Operator, nests: Nests, machine: Machine | None, item: int) -> Pages:
    """Forward and input gradient, each in rows (``gathers``) or in channel lanes (``lanes``)."""
    pages: Pages = {"gathers": [], "lanes": []}
    by_x = _through_weight("x", "y")
    for direction, nest, form, parameters, start in (
        ("forward", nests.forward, nests.form, FORWARD, BIAS),
        ("input_gradient", nests.input_gradient, nests.form.adjoint, by_x, "0"),
    ):
        page: dict[str, Any] = {"direction": direction, "parameters": parameters}
        if machine is not None and suits(form, machine, item):
            schedule = lanes_of(form, machine, item)
            page |= {"pragma": _parallel(op, schedule.channels)}
            pages["lanes"].append(page | lane_page(schedule, form, start))
        else:
            page |= {"pragma": _parallel(op, nest.channels)}
            pages["gathers"].append(page | {"nest": nest, "start": start.format(nest.bias)})
    return pages


def _weight_gradient(op: Operator, nests: Nests, machine: Machine | None, item: int) -> Pages:
    """The weight gradient, in rows (``correlations``) or in channel lanes (``gradients``)."""
    page: dict[str, Any] = {"direction": "weight_gradient", "parameters": WEIGHT_GRADIENT}
    if machine is not None and suits_gradient(nests.form, machine, item):
        schedule = lane_gradient(nests.form, machine, item)
        page |= {"pragma": _parallel(op, schedule.channels)}
        return {"correlations": [], "gradients": [page | gradient_page(schedule, nests.form)]}
    nest = nests.weight_gradient
    page |= {"pragma": _parallel(op, nest.channels), "nest": nest}
    return {"correlations": [page], "gradients": []}


def emit_c(op: Operator, name: str) -> str:
    """The portable C text."""
    return emit(op, name).files[f"{name}.c"]


def _resample(op: Operator, name: str, comment: str) -> str:
    gathers = []
    for direction, form in (("forward", op.form), ("input_gradient", op.form.adjoint)):
        nest = resample(form)
        gathers.append(
            {
                "direction": direction,
                "nest": nest,
                "parameters": _without_weight("x", "y"),
                "pragma": _parallel(op, nest.channels),
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


def _parallel(op: Operator, loops: tuple[Loop, ...]) -> str:
    """The OpenMP line over the channel loops, for batches with work enough to share."""
    if not loops:
        return "    /* one pair of channels: nothing to share between threads */"
    worth_it = SERIAL_WORK // max(1, op.macs)
    return (
        f"#pragma omp parallel for collapse({len(loops)}) schedule(static) if (batch > {worth_it})"
    )


def emit_header(op: Operator, name: str) -> str:
    """The C header: the contract of the entry points."""
    return render(
        "kernel.h.j2",
        comment=comment_of([*header(op, name), "", *CONTRACT]),
        guard=f"EXACTCONV_{name.upper()}_H",
        name=name,
        functions=[
            {"direction": direction, "parameters": parameters, "comment": comment}
            for direction, parameters, comment in _entry_points(op)
        ],
    )


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
        arguments.append("learned=False")
    elif folded_numbers(op):
        arguments.append(f"folded={folded_numbers(op)}")
    arguments.append("test=lambda *made: trial.wrong(kernel, *made)")
    lines = "".join(f"        {each},\n" for each in arguments)
    return render(
        "face.py.j2",
        docstring="\n".join(header(op, name)),
        trial=trial(op),
        **kernel_object(op, name, f"c_functions(\n{lines}    )"),
    )
