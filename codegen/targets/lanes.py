"""The channel-lane schedule as the words of its page."""

from __future__ import annotations

from typing import Any

from codegen.lanes import Lanes, LaneTile, RowBlock
from codegen.places import channel_places
from derive.core.form import TrilinearForm


def lane_page(nest: Lanes, form: TrilinearForm, start: str) -> dict[str, Any]:
    """What the page says of one direction; ``start`` is the bias at a place, or 0."""
    _, _, w = channel_places(form)
    at = dict(w.terms)
    full, rest = nest.lanes, nest.outputs % nest.lanes
    valid = str(rest or full)
    if rest and nest.blocks > 1:
        valid = f"k < {nest.blocks - 1} ? {full} : {rest}"
    return {
        "nest": nest,
        "valid": valid,
        "start": start.format(f"{nest.bias} + l"),
        "packed": form.groups * nest.blocks * nest.inputs * nest.kernel * nest.lanes,
        "groups": form.groups,
        "weight_at": f"{at.get('g', 0)}*g + {at['o']}*({full}*k + l) + {at['i']}*i + t",
        "packed_at": f"(((g*{nest.blocks} + k)*{nest.inputs} + i)*{nest.kernel} + t)*{full} + l",
        "call_size": 2 + 3 * nest.outer,
        "outer": [
            {"loop": f"a{d}", "count": 2 + 3 * d, "x": 3 + 3 * d, "w": 4 + 3 * d}
            for d in range(nest.outer)
        ],
        "w_input": nest.kernel * nest.lanes,
        "taps": range(nest.taps),
        "row_blocks": [_row_block(block) for block in nest.row_blocks],
        "sweeps": [
            {"nest": sweep, "calls": ", ".join(f"{{{_list(call)}}}" for call in sweep.calls)}
            for sweep in nest.sweeps
        ],
    }


def _row_block(block: RowBlock) -> dict[str, Any]:
    return {"rows": block.rows, "tiles": [_tile(tile, block.rows) for tile in block.tiles]}


def _tile(tile: LaneTile, rows: int) -> dict[str, Any]:
    accumulators = [f"y{a}" for a in range(rows * tile.width)]
    return {
        "nest": tile,
        "started": ", ".join(f"{y} = start" for y in accumulators),
        "listed": ", ".join(accumulators),
        "columns": [
            {
                "x": column.x,
                "updates": " ".join(f"y{a} += s * w{t};" for a, t in column.uses),
            }
            for column in tile.columns
        ],
    }


def _list(numbers: tuple[int, ...]) -> str:
    return ", ".join(map(str, numbers))
