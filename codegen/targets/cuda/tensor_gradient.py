"""A weight gradient on tensor cores as the words of its page."""

from __future__ import annotations

from math import prod
from typing import Any

from codegen._runtime.cuda.program import Step
from codegen.cuda.tensor_gradient import TensorGradient
from codegen.render import render

from .choices import Choices
from .part import CudaFunction, CudaPart
from .places import place_of
from .reduce import SUMS, reduction
from .weight_gradient import array_words, block_words, row_position
from .weight_stores import stores

SUM = 4  # bytes


def tensor_gradient_part(schedule: TensorGradient, function: CudaFunction, result: str) -> CudaPart:
    """The weight gradient, written to the array or room ``result``."""
    prefix, tile = function.prefix, schedule.tile
    numbers = prod(schedule.form.weight_shape)
    added, reduce, rooms = reduction(prefix, numbers, schedule.splits, result, SUM)
    choices = Choices(prefix)
    words = {
        **array_words(schedule),
        **block_words(schedule, choices),
        **stores(schedule, choices, "held"),
        **_threads(schedule, choices),
        **_products(schedule),
        "axes": [place_of(choices, d, each) for d, each in enumerate(schedule.side.windows)],
    }
    text = render(
        "cuda/tensor_gradient.cu.j2",
        prefix=prefix,
        comment=_comment(schedule),
        tables=choices.tables,
        reduction=added,
        **words,
    )
    blocks = prod(schedule.tiles) * schedule.splits
    arguments = ("y", "x", SUMS) if schedule.side.exchanged else ("x", "y", SUMS)
    step = Step(f"{prefix}_tensor", arguments, tile.threads, blocks, 0, schedule.shared)
    return CudaPart(function.direction, text, (step, reduce), rooms=rooms)


def _comment(schedule: TensorGradient) -> str:
    tile = schedule.tile
    roles = "x and y exchanged; " if schedule.side.exchanged else ""
    return (
        f"{roles}a block sums {schedule.block_outputs} channels of y by {schedule.block_inputs} of "
        f"x,\n * pieces of {tile.rows} x {tile.columns} positions, a word two neighbours; "
        f"{schedule.splits} blocks share\n * the pieces of the batch"
    )


def _threads(schedule: TensorGradient, choices: Choices) -> dict[str, Any]:
    """What each thread computes and copies."""
    tile, rows, columns = schedule.tile, schedule.rows, schedule.columns
    apart = tile.down * tile.across
    places = [(s * len(rows.residues) + rank) * schedule.row_pitch for rank, s in rows.reads]
    several = [{"name": "row_read", "before": apart}] if tile.row_threads > 1 else []
    y_words, rank = tile.columns // 2, f"(x_word / {schedule.residue_pitch})"
    return {
        "threads": tile.threads,
        "resident": schedule.resident,
        "members": tile.members,
        "down": tile.down,
        "across": tile.across,
        "shared_taps": several,
        "row_place": choices.of("row_places", "row_read", places),
        "residue_2": choices.of("residues_2", rank, columns.residues),
        "residue_pitch": schedule.residue_pitch,
        "y_words": y_words,
        "x_lines": tile.threads // schedule.row_pitch,
        "y_lines": tile.threads // y_words,
        "row_position": row_position(rows, choices),
        "piece_words": schedule.piece_words,
    }


def _products(schedule: TensorGradient) -> dict[str, Any]:
    """What a thread multiplies in a step, and how its sums are counted."""
    tile, columns, words = schedule.tile, schedule.columns, schedule.words
    outputs, inputs, taps = tile.outputs, tile.inputs, len(columns.reads)
    pairs = []
    for rank, shift in columns.reads:
        low = words.index((rank, shift // 2))
        high = words.index((rank, (shift + 1) // 2))
        first, second = (
            f"v[{low}][{h}]" if low == high else f"v[{low}][{h}] >> 16 | v[{high}][{h}] << 16"
            for h in range(2)
        )
        pairs.append({"first": first, "second": second})
    halves = [half for half in (4, 2, 1) if half < tile.parts]
    each = 4 * inputs
    held = f"[k / {each}][k / 4 % {inputs}][k % 4]"
    return {
        "outputs": outputs,
        "inputs": inputs,
        "taps": taps,
        "sums": schedule.sums,
        "sum_k": f"w[k / {each * outputs}][k / {each} % {outputs}][k / 4 % {inputs}][k % 4]",
        "steps": tile.steps,
        "parts": tile.parts,
        "row_steps": tile.columns // 16,
        "x_row_step": schedule.row_pitch * len(schedule.rows.residues),
        "words": [rank * schedule.residue_pitch + k for rank, k in words],
        "pairs": pairs,
        "halves": halves,
        "held": ", ".join(f"w[{t}]{held}" for t in range(taps)),
    }
