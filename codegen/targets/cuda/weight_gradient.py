"""A weight gradient in tiles as the words of its page."""

from __future__ import annotations

from math import prod
from typing import Any

from codegen._runtime.cuda.program import Step
from codegen.cuda.pattern import Pattern
from codegen.cuda.tensor_gradient import TensorGradient
from codegen.cuda.weight_blocks import VECTOR, WeightGradient
from codegen.places import channel_places
from codegen.render import render

from .choices import Choices
from .part import CudaFunction, CudaPart
from .places import place_of
from .reduce import SUMS, reduction
from .weight_stores import CHOICES, stores

COPIES = {  # a number into shared memory, by dtype
    "float32": "copy_async_4(to, from, inside);",
    "float64": "copy_async_8(to, from, inside);",
}
WIDENED = "*to = inside ? widen(*from) : (sum_t)0;"


def weight_gradient_part(
    schedule: WeightGradient, function: CudaFunction, dtype: str, result: str
) -> CudaPart:
    """The weight gradient, written to the array or room ``result``."""
    prefix, form = function.prefix, schedule.form
    numbers = prod(form.weight_shape)
    added, reduce, rooms = reduction(prefix, numbers, schedule.splits, result, schedule.item)
    choices = Choices(prefix)
    words = {
        **_threads(schedule, choices),
        **array_words(schedule),
        **block_words(schedule, choices),
        "piece_numbers": schedule.piece_numbers,
        "vector": VECTOR,
        **_steps(schedule),
        **stores(schedule, choices, "w[o][i]"),
        "axes": [place_of(choices, d, each) for d, each in enumerate(schedule.side.windows)],
    }
    text = render(
        "cuda/weight_gradient.cu.j2",
        prefix=prefix,
        comment=_comment(schedule),
        copy=COPIES.get(dtype, WIDENED),
        tables=choices.tables,
        reduction=added,
        **words,
    )
    blocks = prod(schedule.tiles) * schedule.splits
    arguments = ("y", "x", SUMS) if schedule.side.exchanged else ("x", "y", SUMS)
    step = Step(f"{prefix}_tiled", arguments, schedule.tile.threads, blocks, 0, schedule.shared)
    return CudaPart(function.direction, text, (step, reduce), rooms=rooms)


def _comment(schedule: WeightGradient) -> str:
    tile = schedule.tile
    roles = "x and y exchanged; " if schedule.side.exchanged else ""
    return (
        f"{roles}a block sums {schedule.block_outputs} channels of y by {schedule.block_inputs} of "
        f"x,\n * pieces of {tile.rows} x {tile.columns} positions; {schedule.splits} blocks share "
        "the pieces of the batch"
    )


def _threads(schedule: WeightGradient, choices: Choices) -> dict[str, Any]:
    """What each thread computes and copies."""
    tile, rows, columns = schedule.tile, schedule.rows, schedule.columns
    copied = schedule.row_pitch
    places = [(s * len(rows.residues) + rank) * schedule.row_pitch for rank, s in rows.reads]
    groups = [0]
    if tile.column_threads > 1:
        groups = [(base - columns.bases[0]) // columns.advance for base in columns.bases]
    channels = tile.output_threads * tile.input_threads
    x_lines, y_lines = tile.threads // copied, tile.threads // tile.columns
    return {
        "threads": tile.threads,
        "resident": schedule.resident,
        "members": tile.members,
        "o_threads": tile.output_threads,
        "i_threads": tile.input_threads,
        "shared_taps": [
            {"name": name, "before": before, "count": count}
            for name, before, count in (
                ("row_read", channels, tile.row_threads),
                ("column_group", channels * tile.row_threads, tile.column_threads),
            )
            if count > 1
        ],
        "row_place": choices.of("row_places", "row_read", places),
        "group_place": choices.of("group_places", "column_group", groups),
        "patch_columns": copied,
        "residues": len(columns.residues),
        "residue_2": choices.of("residues_2", "rank", columns.residues),
        "residue_pitch": schedule.residue_pitch,
        "x_lines": x_lines,
        "y_lines": y_lines,
        "x_turns": -(-schedule.block_inputs * schedule.patch_rows // x_lines),
        "y_turns": -(-schedule.block_outputs * tile.rows // y_lines),
        "x_guard": _first(tile.threads, x_lines * copied),
        "y_guard": _first(tile.threads, y_lines * tile.columns),
        "y_copies": _first(tile.threads, y_lines * tile.columns),
        "row_position": row_position(rows, choices),
    }


def _first(threads: int, busy: int) -> str:
    return f"thread < {busy} && " if busy < threads else ""


def row_position(rows: Pattern, choices: Choices) -> str:
    """The position of row r of a patch, from that of its first."""
    count = len(rows.residues)
    if count == 1:
        return f"{rows.advance}*r"
    residue = choices.of("residues_1", f"(r % {count})", rows.residues)
    return f"{rows.advance}*(r / {count}) + {residue}"


def array_words(schedule: WeightGradient | TensorGradient) -> dict[str, Any]:
    """The arrays and how they are cut."""
    form, tile = schedule.form, schedule.tile
    planes, rows, columns = schedule.side.windows
    y, x, w = (dict(place.terms) for place in channel_places(form))
    return {
        "x_sample": prod(form.input_shape),
        "y_sample": prod(form.output_shape),
        "x_channel": x.get("i", 0),
        "y_channel": y.get("o", 0),
        "x_plane": rows.n_in * columns.n_in,
        "x_columns": columns.n_in,
        "y_rows": rows.n_out,
        "y_columns": columns.n_out,
        "channels_in": form.channels_in,
        "channels_out": form.channels_out,
        "w_group": w.get("g", 0),
        "w_output": w.get("o", 0),
        "w_input": w.get("i", 0),
        "numbers": prod(form.weight_shape),
        "pieces": prod(schedule.pieces),
        "pieces_1": schedule.pieces[1],
        "pieces_2": schedule.pieces[2],
        "rows": tile.rows,
        "columns": tile.columns,
        **{f"advance_{d}": each.advance for d, each in enumerate((planes, rows, columns))},
    }


def block_words(schedule: WeightGradient | TensorGradient, choices: Choices) -> dict[str, Any]:
    """How blocks share the weight, and where channels of a piece begin."""
    form, tiles = schedule.form, schedule.tiles
    outputs, inputs = schedule.block_outputs, schedule.block_inputs
    columns = schedule.columns.bases
    if schedule.tile.column_threads > 1:
        columns = columns[:1]
    return {
        "blocks": prod(tiles) * schedule.splits,
        "tiles": prod(tiles),
        "splits": schedule.splits,
        "choices": [
            {"name": name, "count": count}
            for name, count in zip(CHOICES, tiles[:-1], strict=True)
            if count > 1
        ],
        "o_begin": choices.of("o", "o_tile", range(0, form.channels_out, outputs)),
        "i_begin": choices.of("i", "i_tile", range(0, form.channels_in, inputs)),
        "block_outputs": outputs,
        "block_inputs": inputs,
        "plane_base": choices.of("bases_0", "plane_block", schedule.planes.bases),
        "row_base": choices.of("bases_1", "row_block", schedule.rows.bases),
        "column_base": choices.of("bases_2", "column_block", columns),
        "row_pitch": schedule.row_pitch,
        "patch_rows": schedule.patch_rows,
        "x_pitch": schedule.x_pitch,
        "y_pitch": schedule.y_pitch,
        "x_buffer": schedule.block_outputs * schedule.y_pitch,
    }


def _steps(schedule: WeightGradient) -> dict[str, Any]:
    """What a thread does with a piece."""
    tile, columns = schedule.tile, schedule.columns
    each = schedule.window_vectors * VECTOR
    halves = []
    half = tile.parts // 2
    while half:
        halves.append(half)
        half //= 2
    return {
        "outputs": tile.outputs,
        "inputs": tile.inputs,
        "taps": len(columns.reads),
        "sums": schedule.sums,
        "steps": tile.steps,
        "parts": tile.parts,
        "row_steps": tile.columns // VECTOR,
        "x_row_step": schedule.row_pitch * len(schedule.rows.residues),
        "window": each * len(columns.residues),
        "loads": [
            {"to": rank * each + k, "at": rank * schedule.residue_pitch + k}
            for rank in range(len(columns.residues))
            for k in range(0, each, VECTOR)
        ],
        "reads": [rank * each + shift for rank, shift in columns.reads],
        "halves": halves,
    }
