"""The tensor-core schedule as its page."""

from __future__ import annotations

from math import prod
from typing import Any

from codegen._runtime.cuda.program import PREPARED, Room, Step
from codegen.cuda.tensor import WARP, Tensor
from codegen.render import render

from . import tensor_words as words
from .border import border_page
from .part import CudaFunction, CudaPart
from .patch import axes_of
from .tensor_words import HALF, PACKING_THREADS

FAR = 1 << 30  # below every place of a patch
UNROLLED = 16  # products of fragments that are written side by side, about


def tensor_part(schedule: Tensor, function: CudaFunction) -> CudaPart:
    """A forward or input gradient on tensor cores, by a weight that it packs."""
    kernel = f"{function.prefix}_tensor"
    bias = ("bias",) if function.bias else ()
    weight = (function.weight,) if schedule.border else ()
    arguments = (function.x, PREPARED, *bias, *weight, function.y)
    blocks = schedule.blocks + schedule.border_blocks
    tile = schedule.tile
    step = Step(kernel, arguments, tile.threads, blocks, tile.samples, schedule.shared_bytes)
    packing_blocks = -(-schedule.packed // PACKING_THREADS)
    packing = Step(
        f"{kernel}_pack", (function.weight, PREPARED), PACKING_THREADS, packing_blocks, 0
    )
    rooms = {PREPARED: Room(schedule.packed * HALF, type="scalar")}
    text = border_page(schedule.border, schedule.form.output_shape[1:], function)
    text += _text(schedule, function)
    return CudaPart(function.direction, text, (step,), (packing,), rooms, bool(schedule.border))


def _text(schedule: Tensor, function: CudaFunction) -> str:
    form, tile = schedule.form, schedule.tile
    side = WARP * tile.down * tile.across
    return render(
        "cuda/tensor.cu.j2",
        **function.page,
        **_sizes(schedule),
        **_stages(schedule),
        **words.sources(schedule),
        **_columns(schedule),
        tile=tile,
        resident=schedule.resident,
        patch=schedule.patch,
        axes=axes_of(schedule.spans),
        backwards=words.backwards(schedule),
        last=len(schedule.spans) - 1,
        read=schedule.readers,
        channel=f"{2 * schedule.readers.apart} * p + h",
        read_positions=tile.samples * prod(span.positions for span in schedule.spans),
        far=FAR,
        parameters=_parameters(schedule, function),
        borders=words.borders(schedule),
        bias="bias" if function.bias else "0",
        start=words.starts(schedule, function),
        n_parts=[len(schedule.parts)] if len(schedule.parts) > 1 else [],
        parts=words.parts(schedule),
        n_phases=len(schedule.phases),
        left=words.left(schedule),
        halves=[half for half in (4, 2, 1) if half < tile.deep],
        side=side,
        exchange=side * schedule.sums,
        stores=words.stores(schedule),
        stored=words.stored(schedule),
        taps=", ".join(map(str, schedule.taps)),
        packing=words.packing(schedule),
        channels_in=form.channels_in,
        channels_out=form.channels_out,
    )


def _parameters(schedule: Tensor, function: CudaFunction) -> str:
    found = ["const scalar *__restrict__ bias"] if function.bias else []
    if schedule.border:
        found.append(f"const {function.weight_type} *__restrict__ weight")
    return "".join(f", {each}" for each in found)


def _sizes(schedule: Tensor) -> dict[str, int]:
    form, tile = schedule.form, schedule.tile
    x_plane, y_plane = prod(form.input_shape[1:]), prod(form.output_shape[1:])
    return {
        "blocks": schedule.blocks + schedule.border_blocks,
        "row_blocks": schedule.row_blocks,
        "chunks": schedule.chunks,
        "x_plane": x_plane,
        "y_plane": y_plane,
        "x_sample": prod(form.input_shape),
        "y_sample": prod(form.output_shape),
        "x_chunk": tile.channels * x_plane,
        "y_group": form.channels_out * y_plane,
        "y_channels": form.output_shape[0],
    }


def _stages(schedule: Tensor) -> dict[str, Any]:
    """Where chunks lie in shared memory; their weight is copied ahead where two have room."""
    size = schedule.patch_bytes + schedule.weight_bytes
    several = schedule.tile.stages > 1
    ahead = several or schedule.chunks == 1
    return {
        "patch_bytes": schedule.patch_bytes,
        "weight_copies": schedule.weight_bytes // 16,
        "weight_block": schedule.chunks * schedule.weight_bytes // HALF,
        "weight_chunk": schedule.weight_bytes // HALF,
        "stage": f"chunk % 2 * {size}" if several else "0",
        "next_stage": f"(chunk + 1) % 2 * {size}" if several else "0",
        "ahead": [""] if ahead else [],
        "alone": [] if ahead else [""],
    }


def _columns(schedule: Tensor) -> dict[str, Any]:
    """Which columns a thread reads and holds, and how its sums are counted."""
    tile = schedule.tile
    rows, columns, runs = tile.rows, tile.columns, tile.runs
    several = sum(len(uses) for _, uses in schedule.reads(schedule.parts[0]))
    return {
        "column_read": f"(across * {columns} + j / {runs} * {runs}) * 8 + lane / 8 * {2 * runs} "
        f"+ j % {runs} * 2 + lane / 4 % 2",
        "column_held": f"(across * {columns} + j) * 8 + lane % 4 * {2 * runs}",
        "n_sums": schedule.sums,
        "sum_k": f"sums[k / {4 * columns * rows}][k / {4 * columns} % {rows}]"
        f"[k / 4 % {columns}][k % 4]",
        "own_slices": tile.slices // tile.deep,
        "unrolled": max(1, UNROLLED // max(1, several * rows * columns)),
    }
