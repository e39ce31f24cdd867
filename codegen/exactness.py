"""Is a kernel its operator? Integer data, compared with ==, all four functions.

The matrix of the operator is the judge: forward is A x + b, the input gradient is A^T g. The
weight gradient is judged by the trilinear form it is a derivative of: <gw, v> = <g, A(v) x> for
every v. One random v of wide integers is enough: a gradient that is wrong anywhere agrees with
probability below 2**-20.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np
from numpy.typing import NDArray

from derive import Operator

from ._runtime import Kernel

Array = NDArray[np.generic]
WIDE = 2**20
UNWRITTEN = -77  # what a kernel does not write shows


def mismatches(kernel: Kernel, op: Operator, *, batch: int = 2, seed: int = 0) -> list[str]:
    """The functions of a kernel that differ from the operator; empty when all are exact.

    Values are in -4..4: sums stay far below 2**24 for the sizes of a catalogue, where float32
    still holds every integer; a larger operator is judged by float64 or int64.
    """
    rng = np.random.default_rng(seed)
    dtype = kernel.dtypes[-1]

    def integers(*shape: int) -> Array:
        return rng.integers(-4, 5, shape).astype(dtype)

    def written(function: Callable[..., Array], *inputs: Array | None, shape: object) -> Array:
        return function(*inputs, out=np.full(shape, UNWRITTEN, dtype))

    x, g = integers(batch, *op.input_shape), integers(batch, *op.output_shape)
    w, v = integers(*op.weight_shape), rng.integers(-WIDE, WIDE, op.weight_shape)
    bias = integers(*op.bias_shape) if op.bias_shape else None
    flat_x, flat_g = x.reshape(batch, -1), g.reshape(batch, -1)
    matrix = op.sparse(w, dtype)
    y = (matrix @ flat_x.T).T.reshape(g.shape)
    if bias is not None:
        y = y + bias.reshape(-1, *(1 for _ in op.output_shape[1:]))

    wrong = []
    if not np.array_equal(written(kernel.forward, x, w, bias, shape=y.shape), y):
        wrong.append("forward")
    by_x = written(kernel.input_gradient, g, w, shape=x.shape)
    if not np.array_equal(by_x.reshape(batch, -1), (matrix.T @ flat_g.T).T):
        wrong.append("input_gradient")
    by_w = written(kernel.weight_gradient, x, g, shape=w.shape)
    judged = np.vdot(flat_g.T.astype(np.int64), op.sparse(v, "int64") @ flat_x.T.astype(np.int64))
    if not _integral(by_w) or np.vdot(by_w.astype(np.int64), v) != judged:
        wrong.append("weight_gradient")
    sums = g.reshape(batch, op.output_shape[0], prod(op.output_shape[1:])).sum(axis=(0, 2))
    if not np.array_equal(written(kernel.bias_gradient, g, shape=sums.shape), sums):
        wrong.append("bias_gradient")
    return wrong


def _integral(array: NDArray[np.generic]) -> bool:
    return bool(np.all(np.isfinite(array)) and np.array_equal(array, np.rint(array)))
