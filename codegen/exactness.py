"""Is a kernel its operator? Integer data, compared with ==, all four functions.

The matrix of the operator is the judge: forward is A x + b, the input gradient is A^T g. The
weight gradient is judged by the trilinear form it is a derivative of: <gw, v> = <g, A(v) x> for
every v.
"""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.typing import NDArray

from derive import Operator

from ._runtime import Kernel


def mismatches(kernel: Kernel, op: Operator, *, batch: int = 2, seed: int = 0) -> list[str]:
    """The functions of a kernel that differ from the operator; empty when all are exact.

    Values are in -4..4: sums stay far below 2**24 for the sizes of a catalogue, where float32
    still holds every integer; a larger operator is judged by float64 or int64.
    """
    rng = np.random.default_rng(seed)
    dtype = kernel.dtypes[-1]

    def integers(*shape: int) -> NDArray[np.generic]:
        return rng.integers(-4, 5, shape).astype(dtype)

    x, g = integers(batch, *op.input_shape), integers(batch, *op.output_shape)
    w, v = integers(*op.weight_shape), integers(*op.weight_shape)
    bias = integers(*op.bias_shape) if op.bias_shape else None
    flat_x, flat_g = x.reshape(batch, -1), g.reshape(batch, -1)
    matrix = op.sparse(w, dtype)
    y = (matrix @ flat_x.T).T.reshape(g.shape)
    if bias is not None:
        y = y + bias.reshape(-1, *(1 for _ in op.output_shape[1:]))

    out = np.full_like(g, -77)  # what is not written shows
    wrong = []
    if not np.array_equal(kernel.forward(x, w, bias, out=out), y):
        wrong.append("forward")
    if not np.array_equal(kernel.input_gradient(g, w).reshape(batch, -1), (matrix.T @ flat_g.T).T):
        wrong.append("input_gradient")
    judged = np.vdot(flat_g.T, op.sparse(v, dtype) @ flat_x.T)
    if np.vdot(kernel.weight_gradient(x, g), v) != judged:
        wrong.append("weight_gradient")
    sums = g.reshape(batch, op.output_shape[0], prod(op.output_shape[1:])).sum(axis=(0, 2))
    if not np.array_equal(kernel.bias_gradient(g), sums):
        wrong.append("bias_gradient")
    return wrong
