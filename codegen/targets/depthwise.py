"""The depthwise schedule as the words of its page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from codegen.column_tiles import ColumnTile
from codegen.depthwise import Depthwise, Strip
from codegen.render import render

from .part import Function, Part
from .vectors import Vectors


def depthwise_part(nest: Depthwise, function: Function) -> Part:
    """A forward or input gradient of one input channel in each group."""
    vectors = Vectors(f"{function.name}_{function.direction}", nest.lanes)
    text = render(
        "depthwise.c.j2",
        **function.page,
        vector=vectors.type(),
        sizes=vectors.sizes(nest.tiles),
        strips=[_strip(nest, vectors, strip) for strip in nest.strips],
        nest=nest,
        pragma=function.parallel(nest.channels),
        start=function.start.format(nest.bias),
    )
    return Part(function.direction, text)


def _strip(nest: Depthwise, vectors: Vectors, strip: Strip) -> dict[str, Any]:
    taps = {
        nest.taps * outer + use.tap
        for row in strip.reads
        for _, outer in row.uses
        for tile in nest.tiles
        for use in tile.uses
    }
    return {
        "strip": strip,
        "taps": sorted(taps),
        "tiles": [
            {"tile": tile, "lines": list(_lines(nest, vectors, strip, tile))} for tile in nest.tiles
        ],
    }


def _lines(nest: Depthwise, vectors: Vectors, strip: Strip, tile: ColumnTile) -> Iterator[str]:
    """Row by row of the input: what it adds to each output row; rows that are done are stored."""
    known: set[str] = set()
    waiting = set(range(strip.rows))
    last = {j: n for n, row in enumerate(strip.reads) for j, _ in row.uses}
    begun: set[int] = set()
    for n, row in enumerate(strip.reads):
        for j in sorted({j for j, _ in row.uses} - begun):
            begun.add(j)
            yield _begun(vectors, tile, j)
        for use in tile.uses:
            for vector, place in use.vectors:
                yield from vectors.made(
                    tile.steps, place, f"x{n}_", f"from + {row.x}" if row.x else "from", known
                )
                sums = tile.accumulator(use.phase, vector)
                yield " ".join(
                    f"y{j}_{sums} += w{nest.taps * outer + use.tap} * x{n}_{place};"
                    for j, outer in row.uses
                )
        for j in sorted(j for j in waiting if last.get(j) == n):
            waiting.remove(j)
            yield from vectors.stored(tile, f"y{j}_", nest.y_row * j)
    for j in sorted(waiting):
        yield _begun(vectors, tile, j)
        yield from vectors.stored(tile, f"y{j}_", nest.y_row * j)


def _begun(vectors: Vectors, tile: ColumnTile, row: int) -> str:
    sums = ", ".join(f"y{row}_{a} = begin" for a in range(tile.accumulators))
    return f"{vectors.type()} {sums};"
