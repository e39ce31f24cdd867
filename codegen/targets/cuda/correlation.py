"""Weight and bias gradient as plain sums: one block a number."""

from __future__ import annotations

from math import prod

from codegen._runtime.cuda.program import Step
from codegen.cuda.tables import taps_of
from codegen.places import channel_places
from codegen.render import render
from derive.core.form import TrilinearForm

from .part import CudaFunction, CudaPart
from .tables import backwards, listed

THREADS = 128


def correlation_part(
    form: TrilinearForm, function: CudaFunction, item: int, result: str
) -> CudaPart:
    """The weight gradient of any folded form, written to the array or room ``result``."""
    x_sizes, y_sizes = form.input_shape[1:], form.output_shape[1:]
    taps = [
        taps_of(axis, prod(y_sizes[d + 1 :]), prod(x_sizes[d + 1 :]))
        for d, axis in enumerate(form.axes)
    ]
    y, x, _ = (dict(place.terms) for place in channel_places(form))
    roles = ("leading", "other") if form.output_leads else ("other", "leading")
    text = render(
        "cuda/correlation.cu.j2",
        **function.page,
        kernel=function.plain,
        threads=THREADS,
        numbers=prod(form.weight_shape),
        leading=form.weight_shape[0] // form.groups,
        other=form.weight_shape[1],
        output=roles[0],
        input=roles[1],
        x_sample=prod(form.input_shape),
        y_sample=prod(form.output_shape),
        x_group=x.get("g", 0),
        y_group=y.get("g", 0),
        x_channel=x.get("i", 0),
        y_channel=y.get("o", 0),
        tables=[
            {"axis": d, "bounds": listed(each.bounds), "lines": listed(each.lines) or "{0}"}
            for d, each in enumerate(taps)
        ],
        places=[
            {**place, "y_step": taps[place["axis"]].y_step, "x_step": taps[place["axis"]].x_step}
            for place in backwards(form.weight_shape[2:])
        ],
        axes=[{"axis": d} for d in range(len(taps))],
        count=" * ".join(f"l{d}[2]" for d in range(len(taps))),
        result="narrow(total)" if result == "weight" else "total",
    )
    blocks, shared = prod(form.weight_shape), THREADS * item
    step = Step(function.plain, ("x", "y", result), THREADS, blocks, 0, shared)
    return CudaPart(function.direction, text, (step,))


def bias_part(shape: tuple[int, ...], function: CudaFunction, item: int) -> CudaPart:
    """The bias gradient, of outputs (channels, *positions)."""
    text = render(
        "cuda/bias_gradient.cu.j2",
        kernel=function.plain,
        threads=THREADS,
        channels=shape[0],
        positions=prod(shape[1:]),
    )
    step = Step(function.plain, ("y", "bias"), THREADS, shape[0], 0, THREADS * item)
    return CudaPart(function.direction, text, (step,))
