"""The small matrices of a transform schedule as C: one function each, straight lines."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from codegen.transforms.linear import steps
from codegen.transforms.schedule import Transform
from derive.winograd.rational import Matrix

SCALAR, WIDE = ("SCALAR", "RATIO"), ("WIDE", "WIDE_RATIO")  # numbers, and how fractions are written


def input_stages(nest: Transform, name: str) -> list[dict[str, Any]]:
    """The functions of BT, down and across, for each window."""
    vector = f"{name}_vector"
    down = [f"to[{nest.width * r}] = {{}};" for r in range(nest.down.rows)]
    step = nest.tiles * nest.groups_in
    across = [f"to[{step * r}] = {{}};" for r in range(nest.across.rows)]
    found = []
    for i, window in enumerate(nest.down.windows if nest.turns_down else ()):
        reads = [f"from[{nest.width * j}]" for j in range(len(window.places))]
        found.append(_stage(f"down_{i}", "a column of a window", window.rows, reads, down, vector))
    tile = nest.across.tile
    at = {index: t // nest.row_tiles for t, index in nest.across.borders}
    for i, window in enumerate(nest.across.windows):
        base = left(nest) + chunk_in(nest) * at[i] if i else tile.inputs[0]
        reads = [f"from[{place - base}]" for place in window.places]
        found.append(_stage(f"across_{i}", "a row of a window", window.rows, reads, across, vector))
    return found


def output_stages(nest: Transform, name: str) -> list[dict[str, Any]]:
    """The functions of AT: up a column of a tile, and along a row."""
    vector, across, down = f"{name}_vector", nest.across.tile, nest.down.tile
    reads = [f"from[{across.products * p}]" for p in range(down.products)]
    writes = [f"to[{across.products * a}] = {{}};" for a in range(len(down.outputs))]
    up = _stage("up", "a column of a tile", down.algorithm.AT, reads, writes, vector)
    reads = [f"from[{p}]" for p in range(across.products)]
    writes = [f"to[at[{j}]] = {{}} + start;" for j in range(len(across.outputs))]
    more = f",\n    const ptrdiff_t *restrict at, {vector} start"
    along = _stage("along", "a row of a tile", across.algorithm.AT, reads, writes, vector, more)
    return [up, along] if nest.turns_down else [along]


def weight_stages(nest: Transform, function: str) -> list[dict[str, Any]]:
    """The functions of G, one for each axis, with strides that fit one after the other."""
    algorithms = [each.tile.algorithm for each in nest.axes]
    vector, found = f"{function}_wide", []
    strides = (
        (algorithms[1].n_tap * algorithms[2].n_tap,) * 2,
        (algorithms[2].n_tap,) * 2,
        (1, 1),
    )
    for name, each, (step_in, step_out) in zip(
        ("depth", "down", "across"), algorithms, strides, strict=True
    ):
        reads = [f"from[{step_in * t}]" for t in range(each.n_tap)]
        writes = [f"to[{step_out * p}] = {{}};" for p in range(each.products)]
        comment = f"the taps of the axis {name}"
        found.append(_stage(f"weigh_{name}", comment, each.G, reads, writes, vector))
    return found


def left(nest: Transform) -> int:
    """The first input column of chunk 0."""
    return nest.across.tile.input_step * nest.across.first + min(nest.across.tile.inputs)


def chunk_in(nest: Transform) -> int:
    """From the first input column of a chunk to that of the next."""
    return nest.across.tile.input_step * nest.chunk


def _stage(
    name: str,
    comment: str,
    rows: Matrix,
    reads: Sequence[str],
    writes: Sequence[str],
    vector: str,
    more: str = "",
) -> dict[str, Any]:
    """A function that multiplies a fixed matrix: ``writes`` hold {} where the value goes."""
    used = [any(row[j] for row in rows) for j in range(len(reads))]
    ins, outs = [f"x{j}" for j in range(len(reads))], [f"y{i}" for i in range(len(rows))]
    lines = [
        f"const {vector} {x} = {read};"
        for x, read, use in zip(ins, reads, used, strict=True)
        if use
    ]
    number = WIDE if vector.endswith("_wide") else SCALAR
    lines += [
        f"const {vector} {step.target} = {_sum(step.terms, number)};"
        for step in steps(rows, ins, outs)
    ]
    lines += [write.format(y) for y, write in zip(outs, writes, strict=True)]
    return {"name": name, "comment": comment, "lines": lines, "more": more, "vector": vector}


def _sum(terms: Sequence[tuple[Fraction, str]], number: tuple[str, str]) -> str:
    if not terms:
        return "{0}"
    text = ""
    scalar, ratio = number
    for coefficient, source in terms:
        size = abs(coefficient)
        factor = f"{ratio}({size.numerator}, {size.denominator}) * "
        if size.denominator == 1:
            factor = "" if size == 1 else f"({scalar}){size.numerator} * "
        minus = coefficient < 0
        between = (" - " if minus else " + ") if text else ("-" if minus else "")
        text += f"{between}{factor}{source}"
    return text
