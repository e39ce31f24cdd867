"""The channel-lane schedule as the words of its page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from codegen._runtime.machine import Machine
from codegen.cpu.lanes import Lanes, LaneTile
from codegen.places import channel_places
from codegen.render import render
from derive.core.form import TrilinearForm

from .part import Function, Part


def lane_part(nest: Lanes, form: TrilinearForm, function: Function) -> Part:
    """A forward or input gradient in channel lanes."""
    page = _page(nest, form, function.start)
    pragma = function.parallel(nest.channels)
    text = render("lanes.c.j2", **function.page, pragma=pragma, **page)
    return Part(function.direction, text, packed=page["packed"], vectors=True)


def _page(nest: Lanes, form: TrilinearForm, start: str) -> dict[str, Any]:
    """What the page says of one direction; ``start`` is the bias at a place, or 0."""
    return {
        **_packing(nest, form),
        "nest": nest,
        "start": start.format(f"{nest.bias} + l"),
        "call_size": 2 + 3 * nest.outer,
        "outer": [
            {"loop": f"a{d}", "count": 2 + 3 * d, "x": 3 + 3 * d, "w": 4 + 3 * d}
            for d in range(nest.outer)
        ],
        "w_input": nest.kernel * nest.lanes,
        "taps": range(nest.taps),
        "row_blocks": [
            {
                "rows": block.rows,
                "tiles": [_tile(nest, tile, block.rows) for tile in block.tiles],
            }
            for block in nest.row_blocks
        ],
        "sweeps": [
            {"nest": sweep, "calls": ", ".join(f"{{{_list(call)}}}" for call in sweep.calls)}
            for sweep in nest.sweeps
        ],
    }


def _packing(nest: Lanes, form: TrilinearForm) -> dict[str, Any]:
    """How the weight lies, and how its packed form does."""
    _, _, w = channel_places(form)
    at = dict(w.terms)
    full, rest = nest.lanes, nest.outputs % nest.lanes
    valid = str(rest or full)
    if rest and nest.blocks > 1:
        valid = f"k < {nest.blocks - 1} ? {full} : {rest}"
    return {
        "valid": valid,
        "groups": form.groups,
        "packed": form.groups * nest.blocks * nest.inputs * nest.kernel * full,
        "weight_at": f"{at.get('g', 0)}*g + {at['o']}*({full}*k + l) + {at['i']}*i + t",
        "packed_at": f"(((g*{nest.blocks} + k)*{nest.inputs} + i)*{nest.kernel} + t)*{full} + l",
    }


def vector_page(name: str, machine: Machine, item: int) -> dict[str, Any]:
    """The vector type, and how a square of them is turned: butterflies of growing distance."""
    lanes = machine.vector_bytes // item
    swaps = []
    distance = 1
    while distance < lanes:
        low = [at if not at & distance else lanes + at - distance for at in range(lanes)]
        high = [at + distance if not at & distance else lanes + at for at in range(lanes)]
        swaps += [
            {"a": f"t{i}", "b": f"t{i + distance}", "low": _list(low), "high": _list(high)}
            for i in range(lanes)
            if not i & distance
        ]
        distance *= 2
    return {
        "lanes": lanes,
        "loaded": ", ".join(f"t{i} = from[{i}]" for i in range(lanes)),
        "stored": " ".join(f"to[{i}] = t{i};" for i in range(lanes)),
        "written": " ".join(
            f"*({name}_loose *)(y + plane*{i}) = turned[{i}];" for i in range(lanes)
        ),
        "gathered": ", ".join(f"*({name}_loose *)(from[{i}] + column)" for i in range(lanes)),
        "swaps": swaps,
    }


def _stores(nest: Lanes, tile: LaneTile, rows: int) -> dict[str, list[dict[str, int]]]:
    """Where a tile goes: strips a vector wide, the last one overlapping, or rows too short.

    Rows that follow each other in memory are one row.
    """
    width = tile.width
    if nest.y_row == width or rows == 1:
        rows, width = 1, rows * width
    places = [{"y": nest.y_row * r, "sum": width * r} for r in range(rows)]
    if width < nest.lanes:
        return {"strips": [], "short_rows": [{**place, "width": width} for place in places]}
    begins = [*range(0, width - nest.lanes, nest.lanes), width - nest.lanes]
    strips = [{key: at + j for key, at in place.items()} for place in places for j in begins]
    return {"strips": strips, "short_rows": []}


def _tile(nest: Lanes, tile: LaneTile, rows: int) -> dict[str, Any]:
    accumulators = [f"y{a}" for a in range(rows * tile.width)]
    return {
        **_stores(nest, tile, rows),
        "nest": tile,
        "ahead": _ahead(nest, tile),
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


def _ahead(nest: Lanes, tile: LaneTile) -> list[int]:
    """Places of x that the next tile is the first to read, one for each line of the cache."""
    if tile.count == 1:
        return []
    places = {column.x for column in tile.columns}
    fresh = sorted({x + tile.x_step for x in places} - places)
    return [x for i, x in enumerate(fresh) if i % nest.lanes == 0 or i == len(fresh) - 1]


def _list(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
