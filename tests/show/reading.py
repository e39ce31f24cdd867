"""Matrices read back from what was printed, to compare them with ``op.matrix()``."""

from __future__ import annotations

import re

import sympy

import derive
from derive.linear_map import LinearMap
from derive.show.entries import one_pair, parts_of

Entries = dict[tuple[int, int], sympy.Expr]

UP = derive.Interpolate(channels=1, input_size=(2, 2), scale_factor=2, mode="bilinear")
CUBIC = derive.Interpolate(channels=2, input_size=(3, 2), size=(4, 2), mode="bicubic")
CURE = derive.Conv2d(1, 2, 2, padding=1, bias=False, input_size=(4, 4)) @ UP
PADDED = derive.Conv1d(1, 1, 3, stride=2, input_size=7) @ derive.Pad(1, ((2, -1),), input_size=6)
# operators that learn nothing, and chains that are one operator
FUSED = [op for each in (UP, CUBIC, CURE, PADDED) for op in (each, each.T)]

WHOLE = 10**9  # rows, columns and characters: more than any matrix here has


def small(op: derive.Operator) -> list[derive.LinearMap]:
    """The operator, its adjoint and the chain of both, as far as SymPy has them in no time."""
    found: list[derive.LinearMap] = [op, op.T] if op.nnz <= 400 else []
    return [*found, op.T @ op] if op.nnz * op.channels_out <= 120 else found


def entries(rows: list[list[str]], op: LinearMap, weight: str, zero: str) -> Entries:
    """The nonzero entries of a printed table whose weights match the pattern ``weight``.

    The pattern names the part (empty for an operator alone) and the index, its numbers apart.
    """
    parts = parts_of(op)
    found = {}
    for r, row in enumerate(rows):
        for c, cell in enumerate(row):
            if cell != zero:
                words = re.sub(weight, lambda match: _symbol(match, parts), cell)
                bases = {f"w{k}": sympy.IndexedBase(f"w_{k}") for k in range(len(parts))}
                bases["w"] = sympy.IndexedBase("w")
                found[r, c] = sympy.sympify(words, locals=bases)
    return found


def _symbol(match: re.Match[str], parts: tuple[object, ...]) -> str:
    name, numbers = match["part"] or "", re.findall(r"\d+", match["index"])
    part = parts[int(name or 0)]
    if match["index"].isdigit() and one_pair(part) and len(part.rules) > 1:  # w01
        numbers = list(match["index"])
    skipped = ["0", "0"] if one_pair(part) else []
    return f"*w{name}[{','.join([*skipped, *numbers])}]"


def expected(op: LinearMap) -> Entries:
    return {place: sympy.expand(entry) for place, entry in op.matrix().todok().items()}
