"""NumPy: one table per axis, and loops over the product of their lines."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from math import prod
from typing import Any

from codegen.boxes import Box, boxes_of_strands
from codegen.describe import header
from codegen.render import render
from derive import Operator
from derive.core.axis import Axis
from derive.core.folding import Folding, fold

from . import kernel_object


def emit_numpy(op: Operator, name: str) -> str:
    """The NumPy module of an operator."""
    docstring = "\n".join(header(op, name))
    faces = kernel_object(op, name, "lambda dtype: _RAW")
    if not op.learned:
        axes = [_weighed_axis(axis) for axis in op.form.axes]
        return render("resample.py.j2", docstring=docstring, axes=axes, **faces)
    form = op.form
    foldings = [fold(axis) for axis in form.axes]
    channels = (form.groups, form.channels_out, form.channels_in)
    taps = [axis.n_tap for axis in form.axes]
    w_view = f"array.reshape({_comma((*channels, *taps))})"
    if not form.output_leads:
        exchanged = (form.groups, form.channels_in, form.channels_out)
        w_view = f"array.reshape({_comma((*exchanged, *taps))}).swapaxes(1, 2)"
    parameters, start = "x, weight, y", "0"
    if op.bias:
        ones = ", 1" * len(form.axes)
        parameters = "x, weight, bias, y"
        start = f"bias.reshape({form.groups}, {form.channels_out}{ones})"
    x_sizes = (form.groups, form.channels_in, *(axis.n_in for axis in form.axes))
    y_sizes = (form.groups, form.channels_out, *(axis.n_out for axis in form.axes))
    return render(
        "kernel.py.j2",
        docstring=docstring,
        axes=[[_line(box) for box in boxes_of_strands(each.axis)] for each in foldings],
        folds=[_combinations(axis, each) for axis, each in enumerate(foldings) if not each.trivial],
        folded_shape=(*channels, *(len(each.combinations) for each in foldings)),
        x_shape=f"len(array), {_comma(x_sizes)}",
        y_shape=f"len(array), {_comma(y_sizes)}",
        w_view=w_view,
        forward_parameters=parameters,
        start=start,
        output_positions=prod(op.output_shape[1:]),
        **faces,
    )


def _line(box: Box) -> dict[str, Any]:
    return {
        "y": _slice(box.y, box.y_step, box.count),
        "tap": box.t,
        "x": _slice(box.x, box.x_step, box.count),
    }


def _combinations(axis: int, folding: Folding) -> dict[str, Any]:
    lines = [
        "".join(f"({t}, {_number(c)}), " for t, c in combination)
        for combination in folding.combinations
    ]
    return {"axis": axis, "combinations": [line.rstrip() for line in lines]}


def _weighed_axis(axis: Axis) -> dict[str, Any]:
    lines = [
        {
            "y": _slice(s.y, axis.step, s.count),
            "x": _slice(s.x, axis.advance, s.count),
            "weight": _number(s.coefficient),
        }
        for s in axis.strands
    ]
    return {"n_in": axis.n_in, "n_out": axis.n_out, "lines": lines}


def _number(value: Fraction) -> str:
    """As Python writes it: an int, or a quotient that keeps float32 arrays in float32."""
    return str(value) if value.denominator == 1 else f"{value.numerator} / {value.denominator}"


def _slice(first: int, step: int, count: int) -> str:
    return f"slice({first}, {first + step * (count - 1) + 1}, {step})"


def _comma(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, numbers))
