"""The C header: the parameters of each function, and what it promises."""

from __future__ import annotations

from codegen._runtime import Takes
from codegen.describe import header
from codegen.folds import folded_numbers
from codegen.render import render
from derive import Operator

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


def through_weight(x: str, y: str) -> str:
    """The parameters of a function of the weight that makes ``y`` of ``x``."""
    return f"ptrdiff_t batch, {READ} {x}, {READ} weight,\n    {WRITE} {y}"


def without_weight(x: str, y: str) -> str:
    """The same where nothing is learned."""
    return f"ptrdiff_t batch, {READ} {x}, {WRITE} {y}"


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
            ("forward", without_weight("x", "y"), "y = A x"),
            ("input_gradient", without_weight("grad_y", "grad_x"), "grad_x = transpose(A) grad_y"),
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
        ("input_gradient", through_weight("grad_y", "grad_x"), "grad_x = transpose(W) grad_y"),
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
