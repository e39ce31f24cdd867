"""The direct schedule as the words of its page."""

from __future__ import annotations

from math import prod
from typing import Any

from codegen._runtime.cuda.program import PREPARED, Room, Step
from codegen.cuda.device import Device
from codegen.cuda.direct import WORD, Direct
from codegen.cuda.direct_cost import resident
from codegen.cuda.direct_thread import UNROLLED
from codegen.places import channel_places
from codegen.render import render
from derive.core.form import TrilinearForm

from .direct_places import axis_words, copy_words, thread_words
from .direct_rows import held_weights, hot_rows
from .direct_stores import border_words, store_words
from .part import CudaFunction, CudaPart

PACK_THREADS = 256
SPARE = 24  # registers beyond the counted ones that the compiler is left, so that it spills none
ALL = ["copy_async_wait<0>();"]
AHEAD = [
    "if (chunk < {last})",
    "    copy(chunk + 1, (chunk + 1) % 2);",
    "else",
    "    copy_async_commit();",
    "copy_async_wait<1>();",
]
VECTORS = {1: ("float", "float2", "float4"), 2: ("double", "double2")}  # by words of a number
MEMBERS = {1: ("",), 2: (".x", ".y"), 4: (".x", ".y", ".z", ".w")}


def direct_part(
    schedule: Direct,
    form: TrilinearForm,
    function: CudaFunction,
    device: Device,
    dtype: str,
) -> CudaPart:
    """A forward or input gradient by tiles and register blocks, its weight packed before."""
    kernel, pack = f"{function.prefix}_direct", f"{function.prefix}_pack"
    bordered = schedule.border_outputs > 0
    text = render(
        "cuda/direct.cu.j2",
        **function.page,
        kernel=kernel,
        pack=pack,
        pack_threads=PACK_THREADS,
        schedule=schedule,
        thread=schedule.thread,
        resident=max(1, resident(schedule, device, spare=SPARE)),
        weight_parameter=(
            f", const {function.weight_type} *__restrict__ weight" if bordered else ""
        ),
        bias_parameter=", const scalar *__restrict__ bias" if function.bias else "",
        **_arrays(schedule, form, function),
        **thread_words(schedule),
        **axis_words(schedule, function.prefix),
        **copy_words(schedule, form, dtype),
        **_loops(schedule, function.prefix),
        **store_words(schedule, dtype),
        **border_words(schedule, form, function),
    )
    arguments = (
        function.x,
        *([function.weight] if bordered else []),
        PREPARED,
        *(["bias"] if function.bias else []),
        function.y,
    )
    step = Step(
        kernel, arguments, schedule.threads, schedule.blocks, schedule.samples, schedule.shared
    )
    blocks = -(-schedule.packed_numbers // PACK_THREADS)
    packing = Step(pack, (function.weight, PREPARED), PACK_THREADS, blocks, samples=0)
    room = Room(schedule.packed_numbers * WORD * schedule.thread.words)
    return CudaPart(
        function.direction, text, (step,), (packing,), {PREPARED: room}, border=bordered
    )


def _arrays(schedule: Direct, form: TrilinearForm, function: CudaFunction) -> dict[str, Any]:
    """Where channels lie in x, y and the weight, and what a sum begins with."""
    y, x, w = form.output_shape, form.input_shape, dict(channel_places(form)[2].terms)
    thread = schedule.thread
    start = "(sum_t)0"
    if function.bias:
        first = " && part == 0" if schedule.parts > 1 else ""
        start = (
            f"bias{first} && channel + o < {schedule.channels}"
            f" ? widen(bias[group * {schedule.channels} + channel + o]) : (sum_t)0"
        )
    return {
        "x_sample": prod(x),
        "x_channel": prod(x[1:]),
        "y_sample": prod(y),
        "y_channel": prod(y[1:]),
        "start": start,
        "weight_at": (
            f"{w.get('g', 0)} * group + {w.get('o', 0)}ll * output"
            f" + {w.get('i', 0)}ll * input + tap"
        ),
        "slots": max(1, thread.slots),
        "tap_table": ",\n    ".join(_taps(schedule)),
    }


def _taps(schedule: Direct) -> list[str]:
    """For each group of phases the tap in each slot, -1 where there is none."""
    thread = schedule.thread
    z, y, x = (range(count) for count in schedule.phase_groups)
    lines = []
    for group in ((a, b, c) for a in z for b in y for c in x):
        taps = [-1] * max(1, thread.slots)
        for row in thread.tap_rows:
            for i, use in enumerate(row.uses):
                taps[row.slot + i] = thread.tap_in_weight(group, use)
        lines.append(f"{{ {', '.join(map(str, taps))} }}")
    return lines


def _loops(schedule: Direct, prefix: str) -> dict[str, Any]:
    """The hot loop, what is ahead of it, and how parts are added up."""
    thread = schedule.thread
    even = schedule.inputs % schedule.chunk == 0 and schedule.chunk % schedule.parts == 0
    own = schedule.chunk // schedule.parts
    left = f"min({schedule.chunk}, {schedule.inputs} - {schedule.chunk} * chunk)"
    shared = f"({left} - part + {schedule.parts - 1}) / {schedule.parts}"
    unrolled = 1
    while (
        even
        and own > 2 * unrolled
        and own % (2 * unrolled) == 0
        and 2 * unrolled * thread.multiplies <= UNROLLED
    ):
        unrolled *= 2
    return {
        "vectors": [
            _vector("columns", thread.words, thread.vector),
            _vector("weights", thread.words, thread.weight_vector),
        ],
        "own": own if even else left if schedule.parts == 1 else shared,
        "own_channel": "i" if schedule.parts == 1 else f"({schedule.parts} * i + part)",
        "unrolled": unrolled,
        "ahead": [each.format(last=schedule.chunks - 1) for each in AHEAD]
        if schedule.chunks > 1
        else ALL,
        "held": held_weights(schedule, prefix),
        "rows": hot_rows(schedule, prefix),
        "halves": [1 << i for i in reversed(range(schedule.parts.bit_length() - 1))],
        "each_sum": (
            f"i / {thread.outputs * thread.columns}][i / {thread.columns} % {thread.outputs}]"
            f"[i % {thread.columns}"
        ),
        "says": _says(schedule),
    }


def _vector(name: str, words: int, width: int) -> dict[str, Any]:
    type_ = VECTORS[words][width.bit_length() - 1]
    return {"name": name, "type": type_, "width": width, "members": list(enumerate(MEMBERS[width]))}


def _says(schedule: Direct) -> dict[str, str]:
    """What the comment above the kernel says."""
    thread = schedule.thread
    sizes = (schedule.depth, schedule.height, schedule.width)
    names = ("samples" if schedule.batched else "z", "y", "x")
    places = " x ".join(f"{n} {name}" for n, name in zip(sizes, names, strict=True) if n > 1)
    groups = prod(schedule.phase_groups)
    of = f" in one of {groups} groups of phases" if groups > 1 else ""
    return {
        "outputs": (
            f"{thread.outputs * schedule.channel_threads} channels of {places or 'one place'}{of}"
        ),
        "parts": f", shared by {schedule.parts} parts" if schedule.parts > 1 else "",
    }
