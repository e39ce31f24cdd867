"""Where a direct schedule writes, and the outputs that its tiles leave to the gather, as words."""

from __future__ import annotations

from itertools import product
from math import gcd, prod
from typing import Any

from codegen._runtime.cuda.program import ITEMSIZE
from codegen.cuda.direct import Direct
from derive.core.form import TrilinearForm

from .border import border_page
from .direct_places import NAMES, group_of
from .part import CudaFunction

STORED = 16  # bytes at once


def store_words(schedule: Direct, dtype: str) -> dict[str, Any]:
    """The outputs of a thread: the phases and columns of a row lie side by side."""
    z, y, x = schedule.slides
    thread = schedule.thread
    step, together = x.window.step, x.phases
    count = thread.columns * together
    width = 1
    if together == step:
        whole = (x.window.n_out, step * x.window.first, step * schedule.width)
        width = gcd(count, STORED // ITEMSIZE[dtype], *whole)
    place = "i"
    if together < step:
        place = f"{step} * i" if together == 1 else f"({step} * (i / {together}) + i % {together})"
    ends = {name: _end(schedule, d) for d, name in enumerate(NAMES)}
    written = ["part == 0"] if schedule.parts > 1 else []
    if schedule.batched and schedule.depth > 1:
        written.append("sample + own_z < batch")
    phases = product(range(z.phases), range(y.phases), range(thread.rows))
    return {
        "stored": {
            "numbers": count,
            "width": width,
            "bytes": width * ITEMSIZE[dtype],
            "vectors": [width] if width > 1 else [],
            "place": place,
        },
        "written": " && ".join(written) or "true",
        "own_sample": "(sample + own_z)" if schedule.batched and schedule.depth > 1 else "sample",
        "phases": [_phase(schedule, *each, ends) for each in phases],
        "y_sizes": {"y": y.window.n_out, "x": x.window.n_out},
        "last_x": ends["x"],
    }


def _end(schedule: Direct, d: int) -> int:
    """The outputs that tiles hold end here along an axis."""
    window = schedule.slides[d].window
    return min(window.n_out, window.step * (window.first + window.count))


def _phase(schedule: Direct, z: int, y: int, row: int, ends: dict[str, int]) -> dict[str, Any]:
    """One row of outputs of a thread: its phases along z and y, and where it goes."""
    thread = schedule.thread
    _, phases_y, phases_x = (slide.phases for slide in schedule.slides)
    own = (
        "" if schedule.batched else " + own_z",
        f" + own_y * {thread.rows}{_plus(row)}" if thread.rows > 1 else " + own_y",
        f" + own_x * {thread.columns}",
    )
    axes = []
    for d, (name, phase) in enumerate(zip(NAMES, (z, y, 0), strict=True)):
        step, group = schedule.slides[d].window.step, group_of(schedule, d)
        q = f"q_{name}{own[d]}"
        place = f"{step} * ({q})" if step > 1 else q
        if group:
            of = schedule.slides[d].phases
            place += f" + {group}" if of == 1 else f" + {of} * ({group})"
        axes.append({"name": name, "place": place + _plus(phase)})
    first = (z * phases_y + y) * phases_x
    sums = f"{first * thread.rows + row}"
    if phases_x > 1:
        sums = f"i % {phases_x} * {thread.rows}{_plus(first * thread.rows + row)}"
    return {
        "axes": axes,
        "sums": f"{sums}][o][i / {phases_x}" if phases_x > 1 else f"{sums}][o][i",
        "inside": f"y_z < {ends['z']} && y_y < {ends['y']}",
    }


def border_words(
    schedule: Direct, form: TrilinearForm, function: CudaFunction
) -> dict[str, str | list[str]]:
    """The places of outputs that tiles do not hold, and the lines of the blocks for them."""
    sizes = [slide.window.n_out for slide in schedule.slides]
    of_channel = sum(box.count for box in schedule.border)
    bias = "bias" if function.bias else "0"
    prefix, threads = function.prefix, schedule.threads
    lines = [
        f"if (rest >= {schedule.tile_blocks}) {{",
        f"    const int at = (rest - {schedule.tile_blocks}) * {threads} + (int)threadIdx.x;",
        f"    for (long long s = sample; s < min(sample + {schedule.samples}, batch); s++)",
        f"        if (at < {schedule.border_outputs})",
        f"            {prefix}_gather(s * {prod(form.output_shape)} + at / {max(1, of_channel)}"
        f" * {prod(sizes)}ll + {prefix}_border(at % {max(1, of_channel)}),",
        f"                x, weight, {bias}, y);",
        "    continue;",
        "}",
    ]
    return {
        "border_page": border_page(schedule.border, sizes, function),
        "border": lines if schedule.border_outputs else [],
    }


def _plus(place: int) -> str:
    return f" + {place}" if place else ""
