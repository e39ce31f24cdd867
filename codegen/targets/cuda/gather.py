"""The gather by tables: any forward or input gradient, one thread an output."""

from __future__ import annotations

from math import prod
from typing import Any

from codegen._runtime.cuda.program import Step
from codegen.cuda.tables import Rows, learned_rows
from codegen.places import channel_places
from codegen.render import render
from derive.core.form import TrilinearForm

from .part import CudaFunction, CudaPart
from .tables import backwards, found, table_page

THREADS = 128
RESIDENT = 8  # blocks on a multiprocessor: with 64 registers a thread none is spilled to fit more


def gather_part(form: TrilinearForm, function: CudaFunction) -> CudaPart:
    """A function of a folded form whose every output is computed by tables."""
    outputs = prod(form.output_shape)
    text = gather_text(form, function) + render(
        "cuda/gather_kernel.cu.j2",
        **function.page,
        kernel=function.plain,
        threads=THREADS,
        resident=RESIDENT,
        outputs=outputs,
        bias_parameter=", const scalar *__restrict__ bias" if function.bias else "",
        bias="bias" if function.bias else "0",
    )
    arguments = (function.x, function.weight, *(["bias"] if function.bias else []), function.y)
    step = blocks_of(function.plain, arguments, outputs)
    return CudaPart(function.direction, text, (step,))


def blocks_of(
    kernel: str, arguments: tuple[str, ...], outputs: int, *, sampled: bool = True
) -> Step:
    """The launch of one thread an output, of each sample or of what has none."""
    samples = max(1, THREADS // outputs)  # small ones share a block
    blocks = -(-outputs * samples // THREADS)
    return Step(kernel, arguments, THREADS, blocks, samples if sampled else 0)


def gather_text(form: TrilinearForm, function: CudaFunction) -> str:
    """The device function ``{prefix}_gather``, which computes one output by its place."""
    rows = _rows(form)
    _, x, w = (dict(place.terms) for place in channel_places(form))
    return render(
        "cuda/gather.cu.j2",
        **function.page,
        tables=table_page(rows),
        outputs=prod(form.output_shape),
        inputs=prod(form.input_shape),
        places=backwards(form.output_shape[1:]),
        channels_in=form.channels_in,
        channels_out=form.channels_out,
        x_group=x.get("g", 0),
        x_input=x.get("i", 0),
        w_group=w.get("g", 0),
        w_output=w.get("o", 0),
        w_input=w.get("i", 0),
        axes=[_axis(function.prefix, d, each) for d, each in enumerate(rows)],
        last=len(rows) - 1,
    )


def _rows(form: TrilinearForm) -> list[Rows]:
    sizes, taps = form.input_shape[1:], form.weight_shape[2:]
    return [
        learned_rows(axis, prod(sizes[d + 1 :]), prod(taps[d + 1 :]))
        for d, axis in enumerate(form.axes)
    ]


def _axis(prefix: str, d: int, rows: Rows) -> dict[str, Any]:
    before = {"w_before": f"w{d - 1} + " if d else "", "x_before": f"x{d - 1} + " if d else ""}
    return {"axis": d, **before, **found(prefix, d, rows)}
