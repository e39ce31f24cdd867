"""The weight gradient in channel lanes as the words of its page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from codegen.cpu.lane_gradient import Chunk, LaneGradient
from codegen.nests import Affine, Loop
from codegen.places import channel_places, loops_of
from codegen.render import render

from .part import Function, Part


def lane_gradient_part(nest: LaneGradient, function: Function) -> Part:
    """A weight gradient in channel lanes; its y, which is x where they are exchanged, is packed."""
    form, block = nest.form, nest.positions * nest.lanes
    packed_side, other = ("x", "y") if nest.exchanged else ("y", "x")
    rest = nest.outputs % nest.lanes
    valid = str(rest or nest.lanes)
    if rest and nest.blocks > 1:
        valid = f"k < {nest.blocks - 1} ? {nest.lanes} : {rest}"
    samples = loops_of(b="batch", g=form.groups)
    from_y = Affine.of(
        0,
        b=nest.positions * form.groups * nest.outputs,
        g=nest.positions * nest.outputs,
        k=nest.positions * nest.lanes,
    )
    to_packed = Affine.of(0, b=form.groups * nest.blocks * block, g=nest.blocks * block, k=block)
    text = render(
        "lane_gradient.c.j2",
        **function.page,
        nest=nest,
        pragma=function.parallel(nest.channels),
        pack_pragma=function.parallel(samples),
        pack_loops=samples,
        y=packed_side,
        x=other,
        packed_side=packed_side,
        groups=form.groups,
        valid=valid,
        **_samples(nest),
        call_size=3 + 3 * nest.outer,
        calls=", ".join(f"{{{_list(call)}}}" for call in nest.calls),
        n_calls=len(nest.calls),
        outer=[
            {"loop": f"q{d}", "count": 3 + 3 * d, "y": 4 + 3 * d, "x": 5 + 3 * d}
            for d in range(nest.outer)
        ],
        w_block=nest.inputs * nest.kernel * nest.lanes,
        chunks=[_chunk(nest, chunk) for chunk in nest.chunks],
        rows=", ".join(
            f"*(const {function.name}_loose *)(from + {nest.positions * lane})"
            for lane in range(nest.lanes)
        ),
        y_from=from_y.within((*samples, Loop("k", nest.blocks))),
        y_to=to_packed.within((*samples, Loop("k", nest.blocks))),
        packs=[*_packs(nest, rest, f"{function.name}_{function.direction}")],
        unpack=_unpack(nest, function.name),
    )
    numbers = form.groups * nest.blocks * nest.inputs * nest.kernel * nest.lanes
    return Part(
        function.direction,
        text,
        packed=numbers,
        packed_sample=form.groups * nest.blocks * block,
        packs=packed_side,
        vectors=True,
    )


def _samples(nest: LaneGradient) -> dict[str, Any]:
    """The loop over the samples, inside of a function or around all that one sample takes."""
    loop = loops_of(b="batch")
    none = Affine.of(0)
    y, x = Affine.of(0, b=nest.y_sample), Affine.of(0, b=nest.x_sample)
    inside = not nest.by_sample
    return {
        "batch_given": ", ptrdiff_t batch" if inside else "",
        "batch_passed": ", batch" if inside else "",
        "samples_inside": loop if inside else (),
        "samples_outside": () if inside else loop,
        "y_inside": y if inside else none,
        "x_inside": x if inside else none,
        "y_outside": none if inside else y,
        "x_outside": none if inside else x,
    }


def _packs(nest: LaneGradient, rest: int, prefix: str) -> Iterator[dict[str, Any]]:
    """How whole blocks of channels are packed, and what is left of them."""
    whole = nest.outputs // nest.lanes
    if whole:
        yield {"first": 0, "last": whole, "lines": _columns(nest, nest.lanes, f"{prefix}_columns")}
    if rest:
        yield {
            "first": whole,
            "last": whole + 1,
            "lines": _columns(nest, rest, f"{prefix}_some_columns"),
        }


def _columns(nest: LaneGradient, valid: int, function: str) -> list[str]:
    """Lines that turn the positions of a block of channels, the last square overlapping."""
    size, lanes = nest.positions, nest.lanes
    if size < lanes:
        return [
            f"for (ptrdiff_t p = 0; p < {size}; p++) {{",
            f"    for (ptrdiff_t l = 0; l < {valid}; l++)",
            f"        to[{lanes}*p + l] = from[{size}*l + p];",
            f"    for (ptrdiff_t l = {valid}; l < {lanes}; l++)",
            f"        to[{lanes}*p + l] = 0;",
            "}",
        ]
    more = "" if valid == lanes else f", {valid}"
    lines = [
        f"for (ptrdiff_t p = 0; p < {size // lanes}; p++)",
        f"    {function}(to + {lanes * lanes}*p, from + {lanes}*p{more});",
    ]
    if size % lanes:
        lines.append(f"{function}(to + {lanes * (size - lanes)}, from + {size - lanes}{more});")
    return lines


def _unpack(nest: LaneGradient, name: str) -> dict[str, Any]:
    """The packed gradient, turned back: of all inputs at once where their taps lie together."""
    _, _, w = channel_places(nest.form)
    at = dict(w.terms)
    together = at["i"] == nest.kernel
    rows, size = (1, nest.inputs * nest.kernel) if together else (nest.inputs, nest.kernel)
    lanes, plane = nest.lanes, at["o"]
    if size < lanes:
        lines = [
            f"for (ptrdiff_t t = 0; t < {size}; t++)",
            "    for (ptrdiff_t l = 0; l < lanes; l++)",
            f"        to[{plane}*l + t] = from[t][l];",
        ]
    else:
        store = f"{name}_store(to + {{0}}, from + {{0}}, lanes, {plane});"
        lines = [
            f"for (ptrdiff_t c = 0; c < {size // lanes}; c++)",
            f"    {store.format(f'{lanes}*c')}",
            *([store.format(size - lanes)] if size % lanes else []),
        ]
    return {
        "rows": rows,
        "to": f"{at.get('g', 0)}*g + {plane * lanes}*k + {at['i']}*i",
        "from": f"{size * lanes}*((g*{nest.blocks} + k)*{rows} + i)",
        "lines": lines,
    }


def _chunk(nest: LaneGradient, chunk: Chunk) -> dict[str, Any]:
    sums = [(i, t) for i in range(chunk.inputs) for t in range(nest.taps)]
    channel = nest.kernel * nest.lanes
    return {
        "inputs": chunk.inputs,
        "count": chunk.count,
        "w_first": channel * chunk.first,
        "w_step": channel * chunk.inputs,
        "x_first": nest.x_plane * chunk.first,
        "x_step": nest.x_plane * chunk.inputs,
        "started": ", ".join(f"w{i}_{t} = {{0}}" for i, t in sums),
        "meetings": [
            {
                "loops": meeting.loops,
                "y": meeting.y,
                "lines": [
                    " ".join(
                        f"w{i}_{t} += s * xs[{Affine.of(nest.x_plane * i) + place}];"
                        for t, place in meeting.reads
                    )
                    for i in range(chunk.inputs)
                ],
            }
            for meeting in nest.meetings
        ],
        "stores": [
            " ".join(f"sums[{nest.kernel * i + t}] += w{i}_{t};" for t in range(nest.taps))
            for i in range(chunk.inputs)
        ],
    }


def _list(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
