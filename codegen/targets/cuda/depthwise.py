"""The depthwise schedule as the words of its page."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from math import prod
from typing import Any

from codegen.cuda.depthwise import THREADS, Depthwise
from codegen.cuda.windows import Window
from codegen.places import channel_places
from codegen.render import render

from .border import border_page
from .choices import Choices
from .gather import blocks_of
from .part import CudaFunction, CudaPart
from .places import place_of
from .thread_row import read_lines


def depthwise_part(schedule: Depthwise, function: CudaFunction) -> CudaPart:
    """A forward or input gradient of few channels in each group."""
    form, kernel = schedule.form, f"{function.prefix}_depthwise"
    choices = Choices(function.prefix)
    words = {
        **_places(schedule),
        **_planes(schedule, choices),
        **_tile(schedule, function.prefix),
        **_bias(function),
        **_border(schedule),
        "axes": [
            place_of(choices, d, each)
            for d, each in enumerate(schedule.windows)
            if d < 2 or schedule.row.places
        ],
    }
    text = border_page(schedule.border, form.output_shape[1:], function) + render(
        "cuda/depthwise.cu.j2",
        **function.page,
        kernel=kernel,
        threads=THREADS,
        resident=schedule.resident,
        tables=choices.tables,
        aligned=_aligned(schedule),
        comment=_comment(schedule),
        **words,
    )
    arguments = (function.x, function.weight, *(["bias"] if function.bias else []), function.y)
    step = blocks_of(kernel, arguments, schedule.threads + schedule.border_outputs)
    return CudaPart(function.direction, text, (step,), border=bool(schedule.border))


def _comment(schedule: Depthwise) -> str:
    rows, columns = schedule.sums
    return f"a thread computes {rows} x {columns} outputs from {len(schedule.reads)} rows of x"


def _aligned(schedule: Depthwise) -> str:
    """Whether arrays begin where vectors may."""
    x = max((load.numbers for load in schedule.row.loads), default=1)
    wide = [(name, n) for name, n in (("x", x), ("y", schedule.stored)) if n > 1]
    checks = [f"(unsigned long long){name} % {n * schedule.item} == 0" for name, n in wide]
    return " && ".join(checks) or "false"


def _places(schedule: Depthwise) -> dict[str, Any]:
    """The arrays and how tiles cut them."""
    form, windows = schedule.form, schedule.windows
    planes, rows, columns = windows
    _, x, w = (dict(place.terms) for place in channel_places(form))
    words: dict[str, Any] = {
        "x_sample": prod(form.input_shape),
        "x_group": x.get("g", 0),
        "x_input": x.get("i", 0),
        "x_plane": rows.n_in * columns.n_in,
        "x_columns": columns.n_in,
        "y_channels": form.output_shape[0],
        "y_channel": prod(form.output_shape[1:]),
        "y_plane": rows.n_out * columns.n_out,
        "y_rows": rows.n_out,
        "y_columns": columns.n_out,
        "w_group": w.get("g", 0),
        "w_output": w.get("o", 0),
        "w_input": w.get("i", 0),
        "channels_in": form.channels_in,
        "channels_out": form.channels_out,
        "first_0": planes.step * planes.first,
        "first_1": rows.first,
        "first_2": columns.first,
        "last_1": rows.first + rows.count,
        "tiles": schedule.threads,
    }
    for d, (window, tiles) in enumerate(zip(windows, schedule.tiles, strict=True)):
        words |= {
            f"step_{d}": window.step,
            f"advance_{d}": window.advance,
            f"tiles_{d}": tiles,
        }
    return words


def _planes(schedule: Depthwise, choices: Choices) -> dict[str, Any]:
    """The planes that a plane of y reads, one turn each."""
    planes, _, _ = schedule.windows
    area = prod((1, 1, *schedule.form.weight_shape[2:])[-2:])
    reads = [read for phase in planes.phases for read in phase] or [(0, 0)]
    ends = [*accumulate(len(phase) for phase in planes.phases)]
    phase, d = f"(plane % {planes.step})", f"(turn / {schedule.form.channels_in})"
    return {
        "turn_begin": choices.of("plane_begins", phase, [0, *ends[:-1]]),
        "turn_end": choices.of("plane_ends", phase, ends),
        "plane_offset": choices.of("plane_offsets", d, [offset for offset, _ in reads]),
        "plane_tap": choices.of("plane_taps", d, [tap * area for _, tap in reads]),
    }


def _tile(schedule: Depthwise, prefix: str) -> dict[str, Any]:
    """What a thread reads, sums and stores."""
    _, rows, columns = schedule.windows
    sum_rows, sum_columns = schedule.sums
    return {
        "rows": schedule.rows,
        "columns": schedule.columns,
        "sum_rows": sum_rows,
        "sum_columns": sum_columns,
        "phases_1": len(rows.phases),
        "row_numbers": max(1, schedule.row.count),
        "loads": [*read_lines(schedule.row, columns.n_in, prefix)],
        "products": [*_products(schedule, columns)],
        "taps": max(schedule.taps, default=0) + 1,
        "met": schedule.taps,
        "reads": [
            {
                "position": row.position,
                "uses": [
                    {"sums": place * sum_columns, "taps": tap * schedule.row_taps}
                    for place, tap in row.uses
                ],
            }
            for row in schedule.reads
        ],
        "stores": [*_stores(schedule, columns, prefix)],
    }


def _products(schedule: Depthwise, columns: Window) -> Iterator[str]:
    count = len(columns.phases)
    for phase, reads in enumerate(columns.phases):
        at = f"s[{count}*k + {phase}]"
        for offset, tap in reads:
            place = offset - schedule.row.first
            yield f"{at} = fma(w[{tap}], v[{columns.advance}*k + {place}], {at});"


def _stores(schedule: Depthwise, columns: Window, prefix: str) -> Iterator[str]:
    """Lines that store the sums of a row at ``to``."""
    _, width = schedule.sums
    last = columns.first + columns.count
    if schedule.stored > 1:
        vector = f"{prefix}_vector<{schedule.stored}>"
        yield "if (vectors) {"
        for c in range(0, width, schedule.stored):
            numbers = (f"narrow(s[r*{width} + {c + k}])" for k in range(schedule.stored))
            yield f"    const {vector} from{c} = {{{{{', '.join(numbers)}}}}};"
            yield f"    store_vector(({vector} *)(to + {c}), from{c});"
        yield "} else {"
        yield "#pragma unroll"
        yield f"    for (int c = 0; c < {width}; c++)"
        yield f"        to[c] = narrow(s[r*{width} + c]);"
        yield "}"
        return
    count = len(columns.phases)
    for c in range(width):
        k, phase = divmod(c, count)
        place = columns.step * k + phase
        inside = f"q_column + {k} < {last} && q_column*{columns.step} + {place} < {columns.n_out}"
        yield f"if ({inside})"
        yield f"    to[{place}] = narrow(s[r*{width} + {c}]);"


def _bias(function: CudaFunction) -> dict[str, str]:
    if not function.bias:
        return {"bias_parameter": "", "bias_passed": "", "bias": "0", "start": "0"}
    return {
        "bias_parameter": ", const scalar *__restrict__ bias",
        "bias_passed": ", bias",
        "bias": "bias",
        "start": "bias ? widen(bias[channel]) : (sum_t)0",
    }


def _border(schedule: Depthwise) -> dict[str, Any]:
    positions = sum(box.count for box in schedule.border)
    plane = prod(schedule.form.output_shape[1:])
    return {
        "border": schedule.border_outputs,
        "borders": [{"positions": positions, "plane": plane}] if positions else [],
    }
