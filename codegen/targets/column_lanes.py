"""The column-lane schedule as the words of its page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from codegen.cpu.column_cost import Block
from codegen.cpu.column_lanes import ColumnLanes
from codegen.cpu.column_tiles import ColumnTile
from codegen.cpu.sweeps import Sweep
from codegen.nests import Affine, Loop
from codegen.places import channel_places, loops_of
from codegen.render import render

from .part import Function, Part
from .vectors import Vectors


def column_part(nest: ColumnLanes, function: Function) -> Part:
    """A forward or input gradient in column lanes."""
    prefix = f"{function.name}_{function.direction}"
    vectors = Vectors(prefix, nest.lanes)
    text = render(
        "column_lanes.c.j2",
        **function.page,
        vector=vectors.type(),
        sizes=vectors.sizes(nest.tiles),
        inputs=nest.form.channels_in,
        x_plane=nest.x_plane,
        call_size=2 + 3 * nest.outer,
        outer=[
            {"loop": f"a{d}", "count": 2 + 3 * d, "x": 3 + 3 * d, "w": 4 + 3 * d}
            for d in range(nest.outer)
        ],
        tiles=[
            _tile(nest, vectors, block, rows, i, tile)
            for block, sweeps in nest.blocks
            for rows in sorted({sweep.rows for sweep in sweeps})
            for i, tile in enumerate(nest.tiles)
        ],
        serial_batch=function.serial_batch,
        nests=[each for n in range(nest.sweeps) for each in _nests(nest, function, n)],
        groups=nest.form.groups,
        kernel=nest.kernel,
        blocks=[_packing(nest, block) for block, _ in nest.blocks],
    )
    return Part(function.direction, text, packed=nest.packed)


def _suffix(block: Block, rows: int, tile: int) -> str:
    return f"{block.outputs}x{rows}_{tile}"


def _tile(
    nest: ColumnLanes, vectors: Vectors, block: Block, rows: int, number: int, tile: ColumnTile
) -> dict[str, Any]:
    """The function of a tile for so many output channels and rows."""
    sums = range(tile.accumulators)
    return {
        "suffix": _suffix(block, rows, number),
        "w_input": nest.kernel * block.outputs,
        "starts": [
            {"o": o, "sums": ", ".join(f"y{o}_{r}_{a} = b{o}" for r in range(rows) for a in sums)}
            for o in range(block.outputs)
        ],
        "updates": list(_updates(nest, vectors, block, rows, tile)),
        "stores": [
            line
            for o in range(block.outputs)
            for r in range(rows)
            for line in vectors.stored(tile, f"y{o}_{r}_", nest.y_plane * o + nest.y_row * r)
        ],
    }


def _updates(
    nest: ColumnLanes, vectors: Vectors, block: Block, rows: int, tile: ColumnTile
) -> Iterator[str]:
    """The multiply-adds, each after the vectors of x that it needs."""
    known: set[str] = set()
    for use in tile.uses:
        for r in range(rows):
            for _, place in use.vectors:
                row = f"xs + {nest.x_row * r}" if r else "xs"
                yield from vectors.made(tile.steps, place, f"x{r}_", row, known)
        for o in range(block.outputs):
            sums = " ".join(
                f"y{o}_{r}_{tile.accumulator(use.phase, vector)} += s * x{r}_{place};"
                for r in range(rows)
                for vector, place in use.vectors
            )
            yield f"{{ const SCALAR s = ws[{use.tap * block.outputs + o}]; {sums} }}"


def _nests(nest: ColumnLanes, function: Function, number: int) -> list[dict[str, Any]]:
    """The loops around a sweep: row by row, or where it is one row, tile by tile.

    All channels of a tile come one after the other: they read the same numbers.
    """
    _, sweeps = nest.blocks[0]
    rows = {loop.variable: loop.count for loop in sweeps[number].loops}
    around = loops_of(b="batch", g=nest.form.groups, **rows)
    if rows:
        tiles = [_calls(nest, function, number, i, around) for i in range(len(nest.tiles))]
        return [_around(nest, number, around, tiles)]
    found = []
    blocks = [block.count for block, _ in nest.blocks]
    for i, tile in enumerate(nest.tiles):
        loops = (*around, *loops_of(c=tile.count, k=blocks[0] if len(blocks) == 1 else 1))
        found.append(_around(nest, number, loops, [_calls(nest, function, number, i, loops)]))
    return found


def _around(
    nest: ColumnLanes, number: int, loops: tuple[Loop, ...], tiles: list[dict[str, Any]]
) -> dict[str, Any]:
    """The loops that threads share, and the input rows of each kind of block."""
    return {
        "loops": loops,
        "tiles": tiles,
        "blocks": [
            {
                "outputs": block.outputs,
                "calls": ", ".join(_braced(call) for call in sweeps[number].calls) or "{0}",
            }
            for block, sweeps in nest.blocks
        ],
    }


def _braced(numbers: tuple[int, ...]) -> str:
    return f"{{{', '.join(map(str, numbers))}}}"


def _calls(
    nest: ColumnLanes, function: Function, number: int, at: int, around: tuple[Loop, ...]
) -> dict[str, Any]:
    """A kind of tile inside its loops: a call for each kind of block."""
    tile = nest.tiles[at]
    along = tuple(loop for loop in loops_of(c=tile.count) if loop not in around)
    return {
        "loops": along,
        "blocks": [
            _call(nest, function, block, sweeps[number], at, (*around, *along))
            for block, sweeps in nest.blocks
        ],
    }


def _call(
    nest: ColumnLanes,
    function: Function,
    block: Block,
    sweep: Sweep,
    at: int,
    around: tuple[Loop, ...],
) -> dict[str, Any]:
    """The call of a tile's function for a kind of block, in its loop."""
    form, tile = nest.form, nest.tiles[at]
    along = tuple(loop for loop in loops_of(k=block.count) if loop not in around)
    loops = (*around, *along)
    first = Affine.of(nest.y_plane * block.first, k=nest.y_plane * block.outputs)
    y = nest.y + first + sweep.y + Affine.of(tile.y, c=tile.y_step)
    x = nest.x + sweep.x + Affine.of(tile.x, c=tile.x_step)
    channel = Affine.of(block.first, g=form.channels_out, k=block.outputs).within(loops)
    size = form.channels_in * nest.kernel
    w = Affine.of(size * block.first, g=size * form.channels_out, k=size * block.outputs)
    return {
        "loops": along,
        "suffix": _suffix(block, sweep.rows, at),
        "outputs": block.outputs,
        "start": function.start.format(channel + Affine.of(0, o=1)),
        "y": y.within(loops),
        "x": x.within(loops) if tile.steps and sweep.calls else Affine.of(0),
        "w": w.within(loops),
        "n_calls": len(sweep.calls),
    }


def _packing(nest: ColumnLanes, block: Block) -> dict[str, Any]:
    """How the weights of a block lie, and how they are packed."""
    form = nest.form
    at = dict(channel_places(form)[2].terms)
    size = form.channels_in * nest.kernel
    return {
        "block": block,
        "inputs": form.channels_in,
        "weight_at": f"{at.get('g', 0)}*g + {at['o']}*({block.first} + {block.outputs}*k + l) "
        f"+ {at['i']}*i + t",
        "packed_at": f"{size}*({form.channels_out}*g + {block.first} + {block.outputs}*k) "
        f"+ {block.outputs}*({nest.kernel}*i + t) + l",
    }
