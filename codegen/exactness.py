"""Is a kernel its operator? Exact answers to one set of integers, for all its functions.

The judge is that of ``codegen.certify``, asked once for each function: integers in -4..4 compared
with ==, and with the bound of ``codegen.judge.comparison`` where weights are fractions.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from derive import Operator

from ._runtime import Kernel
from .judge.answers import directions
from .judge.calls import SENTINEL, Caller
from .judge.comparison import Finding, put
from .judge.probes import Probe

Array = NDArray[Any]
SEED, BATCH = 0, 2
UNWRITTEN = SENTINEL  # what a kernel does not write shows


def integral(op: Operator) -> bool:
    """Whether all coefficients are integers, so that integers stay integers."""
    return all(s.coefficient.denominator == 1 for axis in op.axes for s in axis.strands)


def judged_in(op: Operator) -> str:
    """Integers where the operator keeps them."""
    return "int64" if integral(op) else "float64"


def mismatches(kernel: Kernel, op: Operator, *, batch: int = BATCH, seed: int = SEED) -> list[str]:
    """The functions of a kernel that differ from the operator; empty when all are right.

    Its fast functions may be off by their ``error_bound``.

    Outputs are prefilled. Sums stay far below 2**24 for the sizes of a catalogue, where float32
    still holds every integer; the last of the kernel's dtypes is the one asked for.

    >>> from codegen import build
    >>> from derive import Conv1d
    >>> op = Conv1d(1, 1, 3, input_size=8)
    >>> mismatches(build(op, "numpy", "int64"), op)
    []
    """
    probe = Probe(op, (batch,), seed=seed, out=True)
    wrong = []
    for direction in directions(op):
        caller = Caller(
            getattr(kernel, direction), "numpy", str(kernel.dtypes[-1]), 1, kernel=kernel
        )
        if isinstance(put(caller, probe, direction), Finding):
            wrong.append(direction)
    return wrong
