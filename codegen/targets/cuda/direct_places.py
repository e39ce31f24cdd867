"""Where the threads and blocks of a direct schedule are, and where they read x, as words."""

from __future__ import annotations

from itertools import groupby
from math import prod
from typing import Any

from codegen._runtime.cuda.program import ITEMSIZE, sum_itemsize
from codegen.cuda.direct import Direct
from codegen.cuda.slides import Slide
from derive.core.form import TrilinearForm

NAMES = ("z", "y", "x")
IN_FLIGHT = 8  # places of x that a thread copies at once, which may take registers


def thread_words(schedule: Direct) -> dict[str, Any]:
    """Which pixel and which channels a thread has, and what it copies."""
    lanes, beside = schedule.lanes, schedule.channel_threads
    pixel, channel = f"thread % {schedule.pixels}", f"thread / {schedule.pixels}"
    if lanes < schedule.pixels:
        pixel = f"thread / {lanes * beside} * {lanes} + thread % {lanes}"
        channel = f"thread / {lanes} % {beside}"
    _, y, x = schedule.pixel_counts
    z_step = 1 if schedule.batched else schedule.slides[0].advance
    lines = ["const int thread = threadIdx.x;"]
    if schedule.parts > 1:
        count = schedule.part_threads
        lines = [f"const int thread = threadIdx.x % {count}, part = threadIdx.x / {count};"]
    return {
        "thread_lines": lines,
        "pixel": pixel,
        "beside": channel,
        "pixels": {"y": y, "x": x},
        "own_z": z_step * schedule.positions[1],
        "own_y": schedule.thread.rows * schedule.slides[1].advance,
        "phase_groups": prod(schedule.phase_groups),
    }


def axis_words(schedule: Direct, prefix: str) -> dict[str, Any]:
    """The first q of a block along each axis, and which place of x one of its tile is."""
    sizes = (schedule.depth, schedule.height, schedule.width)
    axes, reads, inside, padded = [], [], [], []
    for d, (slide, tiles) in enumerate(zip(schedule.slides, schedule.tiles, strict=True)):
        window, name = slide.window, NAMES[d]
        first = f"{window.first} + " if window.first else ""
        q = f"{first}rest % {tiles} * {sizes[d]}" if tiles > 1 else str(window.first)
        read = _read(slide, name, group_of(schedule, d))
        if d == 0 and schedule.batched:
            inside.append("sample + at_z < batch")
        elif window.elsewhere:
            padded.append(_padding(slide, name))
            reads.append(f"const int x_{name} = {prefix}_at_{name}({read});")
            inside.append(f"x_{name} >= 0")
        else:
            reads.append(f"const int x_{name} = {read};")
            inside.append(f"0 <= x_{name} && x_{name} < {window.n_in}")
        tiled = [tiles] if tiles > 1 else []
        axes.append({"name": name, "tiles": tiles, "tiled": tiled, "q": q})
    return {"axes": axes[::-1], "reads": reads, "padded": padded, "inside": " && ".join(inside)}


def group_of(schedule: Direct, d: int) -> str:
    """The group of phases of a block along an axis; empty where there is one only."""
    after, count = prod(schedule.phase_groups[d + 1 :]), schedule.phase_groups[d]
    if count == 1:
        return ""
    divided = f"phases / {after}" if after > 1 else "phases"
    return f"{divided} % {count}" if d else divided


def _read(slide: Slide, name: str, group: str) -> str:
    """The place of x that is at_... in a tile, before padding."""
    advance = slide.window.advance
    q = f"{advance} * q_{name}" if advance > 1 else f"q_{name}"
    at = f"{slide.spacing} * at_{name}" if slide.spacing > 1 else f"at_{name}"
    runs = [(base, len(list(same))) for base, same in groupby(slide.bases)]
    base, end = str(runs[-1][0]), len(slide.bases)
    for value, count in reversed(runs):
        if end < len(slide.bases):
            base = f"({group} < {end} ? {value} : {base})"
        end -= count
    return f"{q} + {at} + {base}".replace("+ -", "- ").removesuffix(" + 0")


def _padding(slide: Slide, name: str) -> dict[str, Any]:
    """The table of places beyond x along an axis."""
    before, read = slide.window.beyond
    return {
        "name": name,
        "n": slide.window.n_in,
        "before": before,
        "entries": len(read),
        "table": ", ".join(map(str, read)),
    }


def copy_words(schedule: Direct, form: TrilinearForm, dtype: str) -> dict[str, Any]:
    """Where a number of x is, where it goes in a tile, and how it gets there."""
    _, height, width = (slide.window.n_in for slide in schedule.slides)
    depth = f"at_z * {prod(form.input_shape)}" if schedule.batched else f"x_z * {height * width}"
    advance = schedule.slides[2].advance
    copy = "tile[place[i]] = read[i] < 0 ? (sum_t)0 : widen(plane[read[i]]);"
    if ITEMSIZE[dtype] == sum_itemsize(dtype):
        item = ITEMSIZE[dtype]
        copy = f"copy_async_{item}(tile + place[i], plane + max(read[i], 0), read[i] >= 0);"
    return {
        "copy": copy,
        "copied_together": max(1, min(4, IN_FLIGHT // schedule.copies)),
        "copy_threads": schedule.threads // schedule.copy_channels,
        "positions": dict(zip(NAMES, schedule.positions, strict=True)),
        "read": f"{depth} + x_y * {width} + x_x",
        "in_row": (
            f"at_x % {advance} * {schedule.residue} + at_x / {advance}" if advance > 1 else "at_x"
        ),
    }
