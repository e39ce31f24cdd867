"""sparse() of a layer of 113 million entries, against writing arrays of that size."""

from __future__ import annotations

import multiprocessing
import resource
from multiprocessing.connection import Connection

import numpy as np

import derive

from .table import table
from .timing import best

GOAL_TIME, GOAL_MEMORY = 4.0, 1.5


def _layer() -> derive.Conv2d:
    return derive.Conv2d(64, 64, 3, padding=1, bias=False, input_size=56)


def _peak(results: Connection) -> None:
    """Peak memory of one build above what was there before it, over the bytes of the result."""
    op = _layer()
    weight = np.ones(op.weight_shape)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    matrix = op.sparse(weight)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    results.send(peak / (matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes))


def measure() -> str:
    """The table."""
    op = _layer()
    weight = np.ones(op.weight_shape)

    def written() -> None:
        np.ones(op.nnz, dtype=np.float64)
        np.ones(op.nnz, dtype=np.int32)

    # a child inherits its parent's peak, so it measures before this process grows
    receiver, sender = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("spawn").Process(target=_peak, args=(sender,))
    child.start()
    memory = receiver.recv()
    child.join()
    ours, numpys = best([lambda: op.sparse(weight), written], rounds=3)
    rows = [
        ["entries", f"{op.nnz:,}", ""],
        ["time of sparse()", f"{ours:.2f} s", ""],
        ["time of writing such arrays", f"{numpys:.2f} s", ""],
        ["ratio", f"{ours / numpys:.2f}", f"at most {GOAL_TIME}"],
        ["peak memory over result", f"{memory:.2f}", f"at most {GOAL_MEMORY}"],
    ]
    return table([f"`{op!r}.sparse()`", "seen", "goal"], rows)
