"""The weight gradient in position lanes as the words of its page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby, product
from math import prod
from typing import Any

from codegen.cpu.lane_gradient import Chunk
from codegen.cpu.phase_rows import Kept, Line, Span, Use
from codegen.cpu.position_gradient import Body, PositionGradient
from codegen.cpu.row_bands import Band
from codegen.places import channel_places
from codegen.render import render

from .part import Function, Part
from .row_copies import copied_row

LINE = 16  # numbers to which the room of a thread is rounded


def position_gradient_part(nest: PositionGradient, function: Function) -> Part:
    """A weight gradient in position lanes."""
    room = _room(nest)
    pragma = (
        "#pragma omp parallel for num_threads((int)threads) schedule(static) "
        f"if (batch > {function.serial_batch})"
    )
    text = render(
        "position_gradient.c.j2",
        **function.page,
        **room,
        nest=nest,
        half=nest.lanes // 2,
        pragma=pragma,
        y="x" if nest.exchanged else "y",
        x="y" if nest.exchanged else "x",
        loaded=", ".join(f"t{lane} = sums[{lane}]" for lane in range(nest.lanes)),
        adds=_adds(nest.lanes),
        kinds=[_kind(nest, o, i) for o, i in product(nest.outputs, nest.inputs)],
    )
    return Part(function.direction, text, scratch=room["numbers"], vectors=True)


def _room(nest: PositionGradient) -> dict[str, Any]:
    """What lies where in the room of a thread: sums, rows of y, rows of x."""
    outputs, inputs = (max(chunk.inputs for chunk in side) for side in (nest.outputs, nest.inputs))
    sums = _padded(outputs * inputs * nest.kernel, nest.lanes) * nest.lanes
    end, copied = sums, []
    for side, line, shape, channels in (
        ("y", nest.y_line, nest.form.output_shape, outputs),
        ("x", nest.x_line, nest.form.input_shape, inputs),
    ):
        if line.copied:
            channel = _channel(nest, side)
            copied.append(_side(side, line, end, channel, shape, nest.lanes))
            end += channels * channel
    return {"numbers": _padded(end, LINE), "sides": copied}


def _channel(nest: PositionGradient, side: str) -> int:
    """Numbers from one channel to the next where a function reads them."""
    line = nest.y_line if side == "y" else nest.x_line
    rows = nest.y_rows if side == "y" else nest.x_rows
    shape = nest.form.output_shape if side == "y" else nest.form.input_shape
    return rows * line.numbers if line.copied else prod(shape[1:])


def _padded(numbers: int, to: int) -> int:
    return -(-numbers // to) * to


def _side(
    name: str, line: Line, at: int, room: int, shape: Sequence[int], lanes: int
) -> dict[str, Any]:
    """How rows of y or x are copied."""
    _, *sizes = shape
    return {
        "name": name,
        "at": at,
        "room": room,
        "line": line.numbers,
        "plane": prod(sizes),
        "size": sizes[-1],
        "lines": [*copied_row(line, lanes)],
    }


def _kind(nest: PositionGradient, outputs: Chunk, inputs: Chunk) -> dict[str, Any]:
    """All that is said of so many channels of y with so many of x."""
    form, o, i = nest.form, outputs.inputs, inputs.inputs
    y, x, w = (dict(place.terms) for place in channel_places(form))
    sums = o * i * nest.kernel
    return {
        "outputs": o,
        "inputs": i,
        "sums": sums,
        "padded": _padded(sums, nest.lanes),
        "tasks": form.groups * outputs.count * inputs.count,
        "per_group": outputs.count * inputs.count,
        "per_output": inputs.count,
        "y_at": f"{y.get('g', 0)}*g + {y['o']}*({outputs.first} + {o}*o)",
        "x_at": f"{x.get('g', 0)}*g + {x['i']}*({inputs.first} + {i}*i)",
        "w_at": (
            f"{w.get('g', 0)}*g + {w['o']}*({outputs.first} + {o}*o)"
            f" + {w['i']}*({inputs.first} + {i}*i)"
        ),
        "w_place": f"{w['o']}*o + {w['i']}*i + t",
        "y_sample": y["b"],
        "x_sample": x["b"],
        "bodies": [_body(nest, number, body, o, i) for number, body in enumerate(nest.bodies)],
        "bands": [_band(nest, band, o, i) for band in nest.bands],
    }


def _band(nest: PositionGradient, band: Band, outputs: int, inputs: int) -> dict[str, Any]:
    """The rows of a band where functions read them, and the calls."""
    sides = [
        ("y", nest.y_line, band.y, band.y_rows, outputs),
        ("x", nest.x_line, band.x, band.x_rows, inputs),
    ]
    return {
        "loops": band.loops,
        "calls": band.calls,
        "copied": [
            {"side": side, "channels": channels, "rows": rows, "from": place}
            for side, line, place, rows, channels in sides
            if line.copied
        ],
        "in_place": [
            {"side": side, "from": place} for side, line, place, *_ in sides if not line.copied
        ],
    }


def _body(nest: PositionGradient, number: int, body: Body, o: int, i: int) -> dict[str, Any]:
    taps = nest.form.axes[-1].n_tap
    used = sorted({use.tap for span in body.spans for use in span.uses})
    sums = [
        (f"w{a}_{b}_{r}_{t}", (a * i + b) * nest.kernel + row * taps + t)
        for a, b in product(range(o), range(i))
        for r, row in enumerate(_kernel_rows(body))
        for t in used
    ]
    y_room, x_room = _channel(nest, "y"), _channel(nest, "x")
    return {
        "number": number,
        "started": ", ".join(f"{w} = sums[{place}]" for w, place in sums),
        "stores": [f"sums[{place}] = {w};" for w, place in sums],
        "y_step": body.rows * nest.step * nest.y_line.numbers,
        "x_step": body.rows * nest.advance * nest.x_line.numbers,
        "spans": [
            {
                "count": span.count,
                "step": nest.lanes,
                "lines": [
                    *_loads(nest, body, span, o, y_room),
                    *_meetings(nest, body, span, o, i, x_room),
                ],
            }
            for span in body.spans
        ],
    }


def _kernel_rows(body: Body) -> list[int]:
    """Those that the function sums, each once: several rows of x may meet the same."""
    return sorted({row for _, row in body.pattern})


def _kept_name(kept: Kept) -> str:
    return "" if kept is None else f"_{kept[0]}_{kept[1]}"


def _loads(
    nest: PositionGradient, body: Body, span: Span, outputs: int, room: int
) -> Iterator[str]:
    """The vectors of y, and what is left of them where lanes do not count."""
    line = nest.y_line
    begin, lost = _place(line, span.y, span.first, nest.lanes)
    kind = "vector" if line.copied else "loose"
    for o, j in product(range(outputs), range(body.rows)):
        place = room * o + line.numbers * nest.step * j + begin
        raw, name = f"r{o}_{j}", f"y{o}_{j}"
        yield f"vector {raw} = *(const {kind} *)(ys + {place});"
        for kept in sorted({use.keep_y for use in span.uses}, key=str):
            yield f"const vector {name}{_kept_name(kept)} = {_cut(raw, lost, kept, nest.lanes)};"


def _place(line: Line, phase: int, place: int, lanes: int) -> tuple[int, range]:
    """Where the vector of a row is loaded from, and the lane that each lane then comes from.

    Of a row in place nothing outside of the row is loaded.
    """
    begin = line.margin + line.pitch * phase + place
    moved = 0 if line.copied else place - min(max(place, 0), line.pitch - lanes)
    return begin - moved, range(moved, moved + lanes)


def _cut(vector: str, come_from: range, kept: Kept, lanes: int) -> str:
    """The vector with zeros for lanes that lie outside of what was loaded, or are not kept."""
    low, high = kept or (0, lanes)
    places = [
        source if low <= lane < high and 0 <= source < lanes else lanes
        for lane, source in enumerate(come_from)
    ]
    if places == [*range(lanes)]:
        return vector
    return f"__builtin_shufflevector({vector}, zero, {', '.join(map(str, places))})"


def _meetings(
    nest: PositionGradient, body: Body, span: Span, outputs: int, inputs: int, room: int
) -> Iterator[str]:
    """Each vector of x once, with all the sums that it takes part in."""
    kernel_rows = _kernel_rows(body)
    met = sorted(
        (x + nest.advance * j, j, kernel_rows.index(row))
        for x, row in body.pattern
        for j in range(body.rows)
    )
    line = nest.x_line
    for (x_row, rows), i in product(
        [(x_row, list(same)) for x_row, same in groupby(met, key=lambda each: each[0])],
        range(inputs),
    ):
        for (phase, shift, kept), uses in groupby(
            sorted(span.uses, key=_x_vector), key=lambda use: (use.x, use.shift, use.keep_x)
        ):
            begin, lost = _place(line, phase, span.first + shift, nest.lanes)
            load = f"*(const loose *)(xs + {room * i + line.numbers * x_row + begin})"
            sums = " ".join(
                f"w{o}_{i}_{r}_{use.tap} += y{o}_{j}{_kept_name(use.keep_y)} * s;"
                for use in uses
                for _, j, r in rows
                for o in range(outputs)
            )
            cut = _cut("all", lost, kept, nest.lanes)
            yield f"{{ vector all = {load}; KEEP(all); const vector s = {cut}; {sums} }}"


def _x_vector(use: Use) -> tuple[int, int, tuple[int, int], int]:
    return use.x, use.shift, use.keep_x or (-1, -1), use.tap


def _adds(lanes: int) -> list[dict[str, str]]:
    """Butterflies that leave the sum of vector l in lane l of the first."""
    adds, distance = [], 1
    while distance < lanes:
        stay = [lanes + lane if lane & distance else lane for lane in range(lanes)]
        cross = [lane ^ distance for lane in stay]
        adds += [
            {
                "a": f"t{first}",
                "b": f"t{first + distance}",
                "stay": ", ".join(map(str, stay)),
                "cross": ", ".join(map(str, cross)),
            }
            for first in range(0, lanes, 2 * distance)
        ]
        distance *= 2
    return adds
