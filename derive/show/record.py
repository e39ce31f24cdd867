"""Operators as plain data, for programs to read."""

from __future__ import annotations

import json
from typing import Any

from derive.core.notation import text
from derive.operator import Operator

from .facts import overlap_counts, size_formula

LARGEST_MATRIX = 4_096  # nonzero entries that a record holds


def record(op: Operator) -> dict[str, Any]:
    """Names, shapes, counts, formulas of each axis, and the entries of a small matrix.

    ``matrix`` lists [row, column, entry] in order, the entries as SymPy prints them; None when
    it is large or the size is free. ``overlap`` lists [taps, outputs].

    >>> from derive import Conv1d
    >>> found = record(Conv1d(1, 1, 2, input_size=2))
    >>> found["matrix"], found["size_formulas"]
    ([[0, 0, 'w[0, 0, 0]'], [0, 1, 'w[0, 0, 1]']], ['n_out = n_in - 1'])
    """
    axes = range(len(op.rules))
    fixed = op.sizes is not None
    return {
        "repr": repr(op),
        "input_shape": op.input_shape if fixed else None,
        "output_shape": op.output_shape if fixed else None,
        "weight_shape": op.weight_shape,
        "bias_shape": op.bias_shape,
        "relations": [rule.equation for rule in op.rules],
        "size_formulas": [text(size_formula(op, axis)) for axis in axes],
        "nnz": op.nnz if fixed else None,
        "macs": op.macs if fixed else None,
        "naive_macs": op.naive_macs if fixed else None,
        "overlap": list(overlap_counts(op.axes).items()) if fixed else None,
        "matrix": _entries(op) if fixed and op.nnz <= LARGEST_MATRIX else None,
    }


def _entries(op: Operator) -> list[list[Any]]:
    entries = op.matrix().todok()
    return [[row, column, str(entries[row, column])] for row, column in sorted(entries)]


def record_json(op: Operator) -> str:
    """The record in JSON, one line to a key.

    >>> from derive import Conv1d
    >>> json.loads(record_json(Conv1d(1, 4, 3)))["weight_shape"]
    [4, 1, 3]
    """
    lines = (f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in record(op).items())
    return "{\n" + ",\n".join(lines) + "\n}"
