"""Where the sums of a weight gradient in tiles go: places of taps in the weight."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod
from typing import Any

from codegen.cuda.pattern import NONE
from codegen.cuda.tensor_gradient import TensorGradient
from codegen.cuda.weight_blocks import WeightGradient

from .choices import Choices

CHOICES = ("column_block", "row_block", "plane_block", "i_tile", "o_tile")  # of a block


def stores(
    schedule: WeightGradient | TensorGradient, choices: Choices, sums: str
) -> dict[str, Any]:
    """Where the sums of a thread, an array of the text, go in the weight of a pair of channels."""
    shape = schedule.form.weight_shape[2:]
    *_, by_row, by_column = (1, *shape)
    planes, rows, columns = schedule.planes, schedule.rows, schedule.columns
    group = "column_group" if schedule.tile.column_threads > 1 else "column_block"
    plane_taps = [tap * by_row * by_column for (tap,) in planes.taps]
    row_taps = [tap * by_column for taps in rows.taps for tap in taps]
    lines = []
    for k in range(len(columns.reads)):
        of_groups = [taps[k] for taps in columns.taps]
        held = [g for g, tap in enumerate(of_groups) if tap != NONE]
        tap = choices.of(f"taps_{k}", group, [of_groups[g] for g in held])
        guard = f"if ({group} < {len(held)}) " if len(held) < len(of_groups) else ""
        lines.append(f"{guard}to[first_tap + {tap}] = {sums}[{k}];")
    dead = _dead(shape, (plane_taps, row_taps, columns.taps))
    if dead:
        table = choices.table("dead", dead)
        one = " && ".join(f"{name} == 0" for name in _tap_variables(schedule)) or "true"
        lines.append(f"for (int t = 0; {one} && t < {len(dead)}; t++) to[{table}[t]] = 0;")
    row = "row_block" if len(rows.bases) > 1 else "row_read"
    return {
        "plane_tap": choices.of("taps_of_planes", "plane_block", plane_taps),
        "row_tap": choices.of("taps_of_rows", row, row_taps),
        "stores": lines,
    }


def _tap_variables(schedule: WeightGradient | TensorGradient) -> list[str]:
    """The variables that say which taps a thread has."""
    counts = {
        **dict(zip(CHOICES[:3], schedule.tiles, strict=False)),
        "row_read": schedule.tile.row_threads,
        "column_group": schedule.tile.column_threads,
    }
    return [name for name, count in counts.items() if count > 1]


def _dead(
    shape: Sequence[int], taps: tuple[Sequence[int], Sequence[int], Sequence[Sequence[int]]]
) -> list[int]:
    """The taps of a pair that no read meets."""
    planes, rows, columns = taps
    met = {p + r + c for p, r, group in product(planes, rows, columns) for c in group if c != NONE}
    return sorted(set(range(prod(shape))) - met)
