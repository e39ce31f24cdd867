"""The depthwise schedule as the words of its page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from codegen.cpu.column_tiles import ColumnTile
from codegen.cpu.depthwise import Depthwise, InputRow, Strip
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
            {"tile": tile, "lines": list(_lines(nest, vectors, strip, tile, roomy))}
            for tile, roomy in zip(nest.tiles, nest.roomy, strict=True)
        ],
    }


def _lines(
    nest: Depthwise, vectors: Vectors, strip: Strip, tile: ColumnTile, roomy: ColumnTile
) -> Iterator[str]:
    """Row by row of the input: what it adds to each output row; rows that are done are stored.

    A row shorter than a vector may be stored as a whole one while the next row is still to come.
    """
    known: set[str] = set()
    waiting = list(range(strip.rows))
    last = {j: n for n, row in enumerate(strip.reads) for j, _ in row.uses}
    begun: set[int] = set()
    for n, row in enumerate(strip.reads):
        yield from (_begun(vectors, tile, j) for j in sorted({j for j, _ in row.uses} - begun))
        begun |= {j for j, _ in row.uses}
        yield from _added(nest, vectors, row, f"x{n}_", roomy if row.room else tile, known)
        for j in [j for j in waiting if last.get(j) == n]:
            waiting.remove(j)
            spills = j + 1 in waiting and nest.y_row < nest.lanes <= 2 * nest.y_row
            yield from vectors.stored(tile, f"y{j}_", nest.y_row * j, spills=spills)
    for j in waiting:
        yield _begun(vectors, tile, j)
        yield from vectors.stored(tile, f"y{j}_", nest.y_row * j)


def _added(
    nest: Depthwise, vectors: Vectors, row: InputRow, name: str, tile: ColumnTile, known: set[str]
) -> Iterator[str]:
    """The vectors of an input row, and what each adds to the output rows."""
    begin = f"from + {row.x}" if row.x else "from"
    for use in tile.uses:
        for vector, place in use.vectors:
            yield from vectors.made(tile.steps, place, name, begin, known)
            sums = tile.accumulator(use.phase, vector)
            yield " ".join(
                f"y{j}_{sums} += w{nest.taps * outer + use.tap} * {name}{place};"
                for j, outer in row.uses
            )


def _begun(vectors: Vectors, tile: ColumnTile, row: int) -> str:
    sums = ", ".join(f"y{row}_{a} = begin" for a in range(tile.accumulators))
    return f"{vectors.type()} {sums};"
