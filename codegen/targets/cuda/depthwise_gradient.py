"""The weight gradient of depthwise layers as the words of its page."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

from codegen._runtime.cuda.program import Step
from codegen.cuda.depthwise_gradient import THREADS, DepthwiseGradient
from codegen.places import channel_places
from codegen.render import render

from .choices import Choices
from .part import CudaFunction, CudaPart
from .places import place_of
from .reduce import SUMS, reduction
from .thread_row import read_lines


def depthwise_gradient_part(
    schedule: DepthwiseGradient, function: CudaFunction, result: str
) -> CudaPart:
    """The weight gradient, written to the array or room ``result``."""
    prefix, kernel = function.prefix, f"{function.prefix}_depthwise"
    numbers = prod(schedule.form.weight_shape)
    added, reduce, rooms = reduction(
        prefix, numbers, schedule.splits, result, schedule.forward.sum_item
    )
    choices = Choices(prefix)
    planes, pairs = schedule.blocks
    blocks = planes * pairs * schedule.splits
    words = {
        **_places(schedule, choices),
        **_tile(schedule, prefix),
        "axes": [
            place_of(choices, d, each)
            for d, each in enumerate(schedule.side.windows)
            if d < 2 or schedule.forward.row.places
        ],
    }
    text = render(
        "cuda/depthwise_gradient.cu.j2",
        prefix=prefix,
        kernel=kernel,
        threads=THREADS,
        resident=schedule.resident,
        blocks=blocks,
        planes=planes,
        splits=schedule.splits,
        numbers=numbers,
        tables=choices.tables,
        aligned=_aligned(schedule),
        reduction=added,
        **words,
    )
    arguments = ("y", "x", SUMS) if schedule.side.exchanged else ("x", "y", SUMS)
    step = Step(kernel, arguments, THREADS, blocks, 0, schedule.shared)
    return CudaPart(function.direction, text, (step, reduce), rooms=rooms)


def _aligned(schedule: DepthwiseGradient) -> str:
    """Whether arrays begin where vectors may."""
    rows = {"x": schedule.forward.row, "y": schedule.y_row}
    wide = {name: max(load.numbers for load in row.loads) for name, row in rows.items()}
    item = schedule.forward.item
    checks = [f"(unsigned long long){n} % {k * item} == 0" for n, k in wide.items() if k > 1]
    return " && ".join(checks) or "false"


def _places(schedule: DepthwiseGradient, choices: Choices) -> dict[str, Any]:
    form, windows = schedule.form, schedule.side.windows
    planes, rows, columns = windows
    reads = planes.phases[0]
    plane = f"(int)(block / {schedule.splits} % {schedule.blocks[0]})"
    _, x, w = (dict(place.terms) for place in channel_places(form))
    return {
        "x_sample": prod(form.input_shape),
        "y_sample": prod(form.output_shape),
        "x_group": x.get("g", 0),
        "x_input": x.get("i", 0),
        "x_plane": rows.n_in * columns.n_in,
        "x_columns": columns.n_in,
        "y_channel": prod(form.output_shape[1:]),
        "y_rows": rows.n_out,
        "y_columns": columns.n_out,
        "w_group": w.get("g", 0),
        "w_output": w.get("o", 0),
        "w_input": w.get("i", 0),
        "channels_in": form.channels_in,
        "channels_out": form.channels_out,
        "plane_base": choices.of("bases_0", plane, [offset for offset, _ in reads]),
        "plane_place": choices.of("taps_0", plane, [tap * schedule.taps for _, tap in reads]),
        **{f"advance_{d}": window.advance for d, window in enumerate(windows)},
    }


def _tile(schedule: DepthwiseGradient, prefix: str) -> dict[str, Any]:
    """What a thread reads and sums."""
    forward = schedule.forward
    _, _, columns = schedule.side.windows
    _, by_row, by_column = forward.tiles
    x_lines = read_lines(forward.row, columns.n_in, f"{prefix}")
    y_lines = read_lines(schedule.y_row, columns.n_out, f"{prefix}")
    return {
        "rows": forward.rows,
        "columns": forward.columns,
        "row_numbers": forward.row.count,
        "taps": schedule.taps,
        "tiles": prod(forward.tiles),
        "tiles_1": by_row,
        "tiles_2": by_column,
        "rows_read": [
            {"array": "x", "loads": [*x_lines]},
            {"array": "y", "loads": [*y_lines]},
        ],
        "products": [*_products(schedule)],
        "reads": [
            {
                "position": row.position,
                "uses": [
                    {"sums": place * forward.columns, "taps": tap * forward.row_taps}
                    for place, tap in row.uses
                ],
            }
            for row in forward.reads
        ],
    }


def _products(schedule: DepthwiseGradient) -> Iterator[str]:
    columns = schedule.side.windows[2]
    for offset, tap in columns.phases[0]:
        place = offset - schedule.forward.row.first
        yield f"w[{tap}] = fma(s[k], v[{columns.advance}*k + {place}], w[{tap}]);"
