"""The transform schedule as the words of its page."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import prod
from typing import Any

from codegen.nests import Affine
from codegen.places import channel_places
from codegen.render import render
from codegen.transforms.axis_tiles import AxisTiles
from codegen.transforms.schedule import Transform

from .part import Function, Part
from .stages import chunk_in, input_stages, left, output_stages, weight_stages


def transform_part(nest: Transform, function: Function) -> Part:
    """A forward or input gradient by a fast algorithm."""
    text = render(
        "transform.c.j2",
        **function.page,
        stages=[
            *input_stages(nest, function.name),
            *output_stages(nest, function.name),
            *weight_stages(nest, f"{function.name}_{function.direction}"),
        ],
        serial_batch=function.serial_batch,
        start=function.start.format(f"{nest.form.channels_out}*g + o + l"),
        **_input_page(nest),
        **_product_page(nest),
        **_output_page(nest),
        **_weight_page(nest),
    )
    return Part(
        function.direction,
        text,
        packed=nest.packed,
        scratch=nest.scratch,
        vectors=True,
        plain=True,
        note=_note(nest, function.direction),
    )


def _note(nest: Transform, direction: str) -> tuple[str, ...]:
    """What the header says of a fast function."""
    tiles = [each.tile for each in nest.axes]
    outputs = " x ".join(str(len(tile.outputs)) for tile in tiles[1:])
    form = nest.form
    products = prod(tile.products for tile in tiles)
    each = Fraction(products, prod(len(tile.outputs) for tile in tiles))
    naive = Fraction(form.naive_macs, form.groups * form.channels_in * form.channels_out)
    naive /= prod(form.output_shape[1:])
    return (
        f"{direction}: a fast algorithm, {float(each):.2f} products per output and pair of",
        f"channels instead of {float(naive):.2f}. A tile is {outputs} outputs by {products}",
        f"products; a block is {nest.rows} rows of {nest.row_tiles} tiles, which fit the cache.",
    )


def _row(tiles: AxisTiles, step: int, image: int, variable: str) -> str:
    """Where tile ``variable`` of an axis begins, by the steps of its inputs or outputs."""
    if tiles.tile.images == 1:
        return f"{step}*({tiles.first} + {variable})"
    images = tiles.tile.images
    return f"{step}*({tiles.first} + {variable} / {images}) + {image}*({variable} % {images})"


def _inside(tiles: AxisTiles, step: int, image: int) -> str:
    """The same from the first tile of a chunk on."""
    if tiles.tile.images == 1:
        return f"{step}*t"
    return f"{step}*(t / {tiles.tile.images}) + {image}*(t % {tiles.tile.images})"


def _input_page(nest: Transform) -> dict[str, Any]:
    form, down, across = nest.form, nest.down, nest.across
    depth_in, rows_in, columns_in = (each.n_in for each in nest.axes)
    depth = nest.depth.tile
    plane = prod(form.input_shape[1:])
    return {
        "lanes": nest.lanes,
        "width": nest.width,
        "columns_in": columns_in,
        "rows_in": rows_in,
        "planes_in": depth_in,
        "plane_in": plane,
        "layer_in": rows_in * columns_in,
        "sample_in": plane * form.groups * form.channels_in,
        "group_in": plane * form.channels_in,
        "channels_in": form.channels_in,
        "pairs": nest.planes * form.channels_in,
        "left": left(nest),
        "chunk_in": chunk_in(nest),
        "across_tiles": across.tiles,
        "row_tiles": nest.row_tiles,
        "down_tiles": down.tiles,
        "windows": [
            {"index": i, "places": _list(each.places), "count": len(each.places)}
            for i, each in enumerate(down.windows)
        ],
        "window_to": "x" if nest.turns_down else "mixed",
        "turned_down": ["yes"] if nest.turns_down else [],
        "down_borders": [{"tile": t, "index": i} for t, i in down.borders],
        "across_borders": [{"tile": t, "index": i} for t, i in across.borders],
        "top_in": _row(down, down.tile.input_step, down.tile.input_image, "t"),
        "tile_in": _inside(across, across.tile.input_step, across.tile.input_image),
        "down_rows": down.rows,
        "row_step": across.rows * nest.tiles * nest.groups_in,
        "groups_in": nest.groups_in,
        "depth_in": f"{depth.input_step * nest.strip}*strip + ({depth.inputs[0]})",
    }


def _product_page(nest: Transform) -> dict[str, Any]:
    tiles, vectors = range(nest.group), range(nest.vectors)
    return {
        "group": nest.group,
        "vectors": nest.vectors,
        "terms": nest.terms,
        "started": ", ".join(f"a{j}_{q} = {{0}}" for j in tiles for q in vectors),
        "loaded": ", ".join(f"w{q} = u[{q}]" for q in vectors),
        "updates": [
            {"v": nest.padded * j, "line": " ".join(f"a{j}_{q} += s * w{q};" for q in vectors)}
            for j in tiles
        ],
        "stores": [
            " ".join(f"m[{(nest.tiles * q + j) * nest.products}] = a{j}_{q};" for q in vectors)
            for j in tiles
        ],
        "down_row_of": _list(nest.down.row_of),
        "across_row_of": _list(nest.across.row_of),
        "across_count": nest.across.rows,
        "v_step": nest.tiles * nest.groups_in,
        "plane_terms": nest.depth.tile.input_step * nest.form.channels_in,
        "padded": nest.padded,
        "u_step": nest.terms * nest.vectors,
        "products": nest.products,
        "down_products": nest.down.tile.products,
        "across_products": nest.across.tile.products,
    }


def _output_page(nest: Transform) -> dict[str, Any]:
    form, down, across = nest.form, nest.down, nest.across
    depth_out, rows_out, columns_out = (each.n_out for each in nest.axes)
    plane = prod(form.output_shape[1:])
    rows = down.tile.outputs
    merged = nest.chunks == 1 and rows == tuple(range(rows[0], rows[0] + len(rows)))
    places, at = {}, 0
    for each, size in nest.arrays.items():
        places[each], at = at, at + size
    step, image = across.tile.output_step, across.tile.output_image
    low = min(across.tile.outputs)
    return {
        "left_out": step * across.first + low,
        "chunk_out": step * nest.chunk,
        "columns_out": columns_out,
        "rows_out": rows_out,
        "planes_out": depth_out,
        "plane_out": plane,
        "layer_out": rows_out * columns_out,
        "sample_out": plane * form.groups * form.channels_out,
        "lane_step": plane * nest.lanes,
        "tiles": nest.tiles,
        "strip": nest.strip,
        "strips": -(-depth_out // nest.strip),
        "half_from": "half" if nest.turns_down else "from",
        "half": len(rows) * across.tile.products,
        "outputs_down": len(rows),
        "outputs_across": len(across.tile.outputs),
        "down_outputs": _list(rows),
        "across_outputs": _list(tuple(y - low for y in across.tile.outputs)),
        "tile_out": f"edge + {_inside(across, step, image)}",
        "top_out": _row(down, down.tile.output_step, down.tile.output_image, "t"),
        "merged": ["yes"] if merged else [],
        "apart": [] if merged else ["yes"],
        "block_rows": nest.rows,
        "chunks": nest.chunks,
        "groups": form.groups,
        "scratch": sum(nest.arrays.values()),
        "at": places,
        "blocks_out": nest.blocks_out,
        "block_channels": nest.lanes * nest.vectors,
        "channels_out": form.channels_out,
        "block_weight": nest.products * nest.terms * nest.vectors,
    }


def _weight_page(nest: Transform) -> dict[str, Any]:
    """How the weight lies, and the products of its transform."""
    taps = [each.tile.algorithm.n_tap for each in nest.axes]
    products = [each.tile.products for each in nest.axes]
    _, _, w = channel_places(nest.form)
    place = w + Affine.of(0, t=1)
    block = nest.vectors * nest.lanes
    return {
        "taps": prod(taps),
        "plane_taps": taps[1] * taps[2],
        "row_taps": taps[2],
        "weight_at": str(place),
        "depth_products": products[0],
        "stage_one": products[0] * taps[1] * taps[2],
        "row_stage": products[1] * taps[2],
        "stage_two": products[0] * products[1] * taps[2],
        "stage_three": prod(products),
        "packed_at": (
            f"((({nest.blocks_out}*g + k / {nest.vectors})*{nest.products} + p)*{nest.terms}"
            f" + {nest.form.channels_in}*d + i)*{block} + {nest.lanes}*(k % {nest.vectors})"
        ),
    }


def _list(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
