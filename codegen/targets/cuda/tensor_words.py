"""Pieces of the tensor-core page: what is read, multiplied and stored, as words."""

from __future__ import annotations

from itertools import product
from math import gcd, prod
from typing import Any

from codegen.cuda.tensor import FRAGMENT, Tensor
from codegen.places import channel_places

from .numbers import INT
from .part import CudaFunction
from .patch import position_of, target_of

HALF = 2  # bytes
LONGEST = 8  # halves that a thread stores at once
PACKING_THREADS = 256


def backwards(schedule: Tensor) -> list[dict[str, Any]]:
    """The axes, the last first, as places are taken apart."""
    strides = schedule.patch.strides
    return [
        {
            "axis": d,
            "width": span.width,
            "tiles": span.tiles,
            "first": span.window.first,
            "positions": span.positions,
            "advance": span.window.advance,
            "step": span.window.step,
            "stride": strides[d],
            "source": position_of(span, f"i{d}"),
            "target": f"{target_of(span, f'i{d}')} * {strides[d]}",
        }
        for d, span in reversed([*enumerate(schedule.spans)])
    ]


def sources(schedule: Tensor) -> dict[str, Any]:
    """Where a position that a thread reads lies, from the first sample of a block."""
    sizes = schedule.form.input_shape
    samples = schedule.tile.samples
    wide = samples * prod(sizes) >= INT
    kind = "long long" if wide else "int"
    axes = range(len(sizes) - 1)
    inside = ["targets[i] >= 0", "e < samples", *(f"x{d} >= 0" for d in axes)]
    places = [f"e * ({kind}){prod(sizes)}"]
    places += [f"x{d} * ({kind}){prod(sizes[d + 2 :])}" for d in axes]
    return {
        "source_type": kind,
        "inside": " && ".join(inside),
        "source": " + ".join(places),
    }


def left(schedule: Tensor) -> dict[str, str]:
    """How many channels are left from a thread's first one; a constant where no chunk is short."""
    channels, chunk = schedule.form.channels_in, schedule.tile.channels
    if channels % chunk == 0:
        return {"first": str(chunk), "next": str(chunk)}
    first = f"{channels} - 2 * first_pair"
    return {"first": first, "next": f"{first} - (chunk + 1) * {chunk}"}


def parts(schedule: Tensor) -> list[dict[str, Any]]:
    """What is multiplied: for each part the places that it reads, and the sums that they go to."""
    tap = schedule.tile.slices * schedule.tile.fragments * FRAGMENT
    return [
        {
            "condition": f"if (part == {k}) " if len(schedule.parts) > 1 else "",
            "reads": [
                {"place": place, "uses": [{"phase": p, "rows": tap * u} for p, u in uses]}
                for place, uses in schedule.reads(part)
            ],
        }
        for k, part in enumerate(schedule.parts)
    ]


def stores(schedule: Tensor) -> list[dict[str, Any]]:
    """The rows of y of a column, one for each phase of the outer axes that a thread sums."""
    spread, windows = schedule.tile.spread, schedule.windows
    *outer, last = windows
    sizes = schedule.form.output_shape[1:]
    apart = []
    for d in range(spread):
        after = prod(len(window.phases) for window in windows[d + 1 : spread])
        apart.append(f"part / {after} % {len(windows[d].phases)}")
    found = []
    together = product(*(range(len(window.phases)) for window in outer[spread:]))
    for k, phases in enumerate(together):
        ys = [f"p{d} + {phase}" for d, phase in enumerate((*apart, *phases))]
        ends = [min(w.n_out, w.step * (w.first + w.count)) for w in windows]
        inside = [f"{y} < {end}" for y, end in zip(ys, ends, strict=False)]
        inside.append(f"p{len(outer)} < {ends[-1]}")
        places = [f"({y}) * (place_t){prod(sizes[d + 1 :])}" for d, y in enumerate(ys)]
        found.append(
            {
                "phase": k * last.step,
                "inside": " && ".join(inside),
                "place": " + ".join([*places, f"p{len(outer)}"]),
            }
        )
    return found


def stored(schedule: Tensor) -> dict[str, int]:
    """The numbers of a row that a thread holds, and how many it stores at once where y allows."""
    last = schedule.windows[-1]
    numbers = 2 * schedule.tile.runs * last.step
    together = gcd(numbers, last.n_out, last.step * last.first)
    at_once = min(LONGEST, together & -together)
    return {
        "numbers": numbers,
        "at_once": at_once,
        "bytes": HALF * at_once,
        "step": last.step,
        "end": min(last.n_out, last.step * (last.first + last.count)),
    }


def starts(schedule: Tensor, function: CudaFunction) -> str:
    """What the k-th row of a thread begins with."""
    if not function.bias:
        return "0"
    channels = schedule.form.channels_out
    channel = f"group * {channels} + o0 + 8 * k"
    return f"bias && o0 + 8 * k < {channels} ? widen(bias[{channel}]) : 0"


def borders(schedule: Tensor) -> list[dict[str, int]]:
    """The blocks of the border, where there is one."""
    positions = sum(box.count for box in schedule.border)
    if not positions:
        return []
    outputs = positions * schedule.form.output_shape[0]
    return [{"after": schedule.blocks, "positions": positions, "outputs": outputs}]


def packing(schedule: Tensor) -> dict[str, int]:
    """How the weight of torch's layout is read while it is packed."""
    w = dict(channel_places(schedule.form)[2].terms)
    return {
        "threads": PACKING_THREADS,
        "numbers": schedule.packed,
        "taps": len(schedule.taps),
        "group": w.get("g", 0),
        "output": w.get("o", 0),
        "input": w.get("i", 0),
    }
