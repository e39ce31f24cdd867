"""Data for a kernel, what torch and the matrix make of it, and where a kernel differs.

Data holds no zeros: a zero in an output means that nothing reached it, or that it cancelled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from math import prod
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from codegen._runtime import Kernel
from derive import Operator
from derive.layers import Layer
from tests import torch_reference

Array = NDArray[Any]
Raw = Mapping[str, Callable[..., None]]

DTYPES = ("int64", "float32", "float64")
WIDE = 2**20
LEADING = ((), (1,), (3,))  # unbatched, a batch of one, of three


@dataclass(frozen=True)
class Data:
    """Integers for every argument of an operator's four functions."""

    x: Array
    weight: Array
    bias: Array | None
    grad: Array

    @classmethod
    def of(cls, op: Operator, rng: Generator, leading: tuple[int, ...] | None = None) -> Data:
        if leading is None:
            leading = LEADING[rng.integers(len(LEADING))]
        return cls(
            nonzero(rng, (*leading, *op.input_shape)),
            nonzero(rng, op.weight_shape),
            nonzero(rng, op.bias_shape) if op.bias_shape else None,
            nonzero(rng, (*leading, *op.output_shape)),
        )

    def astype(self, dtype: str) -> Data:
        parts = (getattr(self, field.name) for field in fields(self))
        return Data(*(part if part is None else part.astype(dtype) for part in parts))


@dataclass(frozen=True)
class Answer:
    """What the four functions give."""

    forward: Array
    input_gradient: Array
    weight_gradient: Array
    bias_gradient: Array

    def differences(self, other: Answer) -> list[str]:
        """The functions whose results differ, in shape or in a number."""
        return [
            field.name
            for field in fields(self)
            if not np.array_equal(getattr(self, field.name), getattr(other, field.name))
        ]


def nonzero(rng: Generator, shape: tuple[int, ...]) -> Array:
    """Integers in -4..-1 and 1..4."""
    values = rng.integers(-4, 4, shape)
    return values + (values >= 0)


def of_torch(layer: Layer, data: Data) -> Answer:
    """torch's answer, in float64."""
    parts = data.x, data.weight, data.bias, data.grad
    return Answer(*torch_reference.forward_and_gradients(layer, *parts))


def of_torch_adjoint(layer: Layer, data: Data) -> Answer:
    """torch's answer for ``layer.T``: forward and input gradient change places, x and grad too."""
    parts = data.grad, data.weight, None, data.x
    forward, by_x, by_w, _ = torch_reference.forward_and_gradients(layer, *parts)
    sums = data.grad.reshape(-1, layer.input_shape[0], prod(layer.input_shape[1:]))
    return Answer(by_x, forward, by_w, sums.sum(axis=(0, 2)))


def against_matrix(
    op: Operator, data: Data, answer: Answer, *, weight_gradient: bool = True
) -> list[str]:
    """The functions that differ from the sparse matrix A: A x + b, A^T g, sums of g.

    The weight gradient is judged by <gw, v> = <g, A(v) x> for one random v of wide integers.
    """
    x, grad = data.x.reshape(-1, prod(op.input_shape)), data.grad.reshape(-1, prod(op.output_shape))
    matrix = op.sparse(data.weight, "int64")
    channels = op.output_shape[0]
    y = (matrix @ x.T).T.reshape(len(x), channels, -1)
    if data.bias is not None:
        y = y + data.bias[:, None]
    by_x = (matrix.T @ grad.T).T.reshape(data.x.shape)
    sums = grad.reshape(len(grad), channels, -1).sum(axis=(0, 2))
    checks = {
        "forward": np.array_equal(answer.forward, y.reshape(data.grad.shape)),
        "input_gradient": np.array_equal(answer.input_gradient, by_x),
        "bias_gradient": np.array_equal(answer.bias_gradient, sums),
    }
    if weight_gradient:
        v = np.random.default_rng(0).integers(-WIDE, WIDE, op.weight_shape)
        judged = np.vdot(grad.T, op.sparse(v, "int64") @ x.T)
        checks["weight_gradient"] = np.vdot(answer.weight_gradient.astype(np.int64), v) == judged
    return [name for name, good in checks.items() if not good]


def unwritten(shape: tuple[int, ...], dtype: str) -> Array:
    """An output to write: what stays unwritten is NaN, or an integer that nothing gives."""
    return np.full(shape, np.nan if dtype.startswith("float") else -(2**40), dtype)


def answer_of(kernel: Kernel, data: Data) -> Answer:
    """The kernel's answer, into outputs that show what was not written."""
    dtype = str(data.x.dtype)

    def run(function: Callable[..., Array], shape: tuple[int, ...], *inputs: Array) -> Array:
        out = unwritten(shape, dtype)
        assert function(*inputs, out=out) is out
        return out

    x, w, g = data.x, data.weight, data.grad
    bias = [] if data.bias is None else [data.bias]
    return Answer(
        run(kernel.forward, g.shape, x, w, *bias),
        run(kernel.input_gradient, x.shape, g, w),
        run(kernel.weight_gradient, w.shape, x, g),
        run(kernel.bias_gradient, kernel.output_shape[:1], g),
    )


def answer_of_raw(
    raw: Raw, op: Operator, data: Data, place: Callable[[Array], Array] = lambda array: array
) -> Answer:
    """The same from raw functions, which take a batch; ``place`` puts each array somewhere."""
    dtype = str(data.x.dtype)
    single = data.x.shape == op.input_shape
    x, g = (place(part[None] if single else part) for part in (data.x, data.grad))
    w = place(data.weight)

    def run(direction: str, shape: tuple[int, ...], *inputs: Array) -> Array:
        out = place(unwritten(shape, dtype))
        raw[direction](*inputs, out)
        return out

    bias = [] if data.bias is None else [place(data.bias)]
    return Answer(
        run("forward", g.shape, x, w, *bias).reshape(data.grad.shape),
        run("input_gradient", x.shape, g, w).reshape(data.x.shape),
        run("weight_gradient", op.weight_shape, x, g),
        run("bias_gradient", op.output_shape[:1], g),
    )


def of_empty_batch(op: Operator) -> tuple[Data, Answer]:
    """A batch of no samples and its answer."""
    data = Data.of(op, np.random.default_rng(0), (0,))
    sums = np.zeros(op.output_shape[0], np.int64)
    return data, Answer(data.grad, data.x, np.zeros(op.weight_shape, np.int64), sums)


def mistrusted(*outputs: Array) -> bool:
    """Whether a comparison says little: more than nine in ten of the expected numbers are zero.

    Such a case is compared like any other, but counts in no suite as one that has passed.
    """
    return 10 * sum(map(np.count_nonzero, outputs)) <= sum(output.size for output in outputs)


def telling(answer: Answer) -> bool:
    """Whether the output and each gradient of the data say something."""
    parts = answer.forward, answer.input_gradient, answer.weight_gradient
    return not any(map(mistrusted, parts))


def chunks(total: int, size: int) -> Iterator[range]:
    """0..total in pieces of ``size``."""
    for begin in range(0, total, size):
        yield range(begin, min(total, begin + size))
