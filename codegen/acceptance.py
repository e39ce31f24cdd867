"""The test that a compiled library must pass before it is kept: integers against the matrix.

A small operator is compared with its whole matrix. Of a large one, x and the gradient are other
than 0 in a few places only, at both ends and in between; then a few columns of the matrix, or
rows, tell the whole result, and the kernel runs as it always does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import prod

import numpy as np

from derive import Operator
from derive.core.form import TrilinearForm
from derive.sparse import compressed_rows

from ._runtime import Kernel
from ._runtime.trial import numbers
from .exactness import Array, integral, mismatches
from .rounding import relative, rounded_up, roundings
from .tile_acceptance import right_on_tiles
from .transforms.schedule import Transform

SMALL = 1 << 18  # entries of a matrix that takes a few milliseconds
PLACES, LENGTH = 6, 8  # stretches of numbers other than 0, and how long each is
LARGEST = 4


def faults(
    kernel: Kernel,
    op: Operator,
    fast: Mapping[str, Transform] | None = None,
    largest: int = LARGEST,
) -> list[str]:
    """The functions of a kernel of one dtype that are wrong on integers.

    ``fast`` are the tiles of those that a fast algorithm computes: they may be wrong by the bound
    of the kernel. The numbers of a large operator go up to ``largest``.

    >>> from codegen import build
    >>> from derive import Conv1d
    >>> op = Conv1d(1, 1, 3, input_size=8)
    >>> faults(build(op, "numpy", "int64"), op)
    []
    """
    if op.nnz <= SMALL:
        return mismatches(kernel, op)
    test = _InPlaces(kernel, op, largest)
    checks: dict[str, Callable[[], bool]] = {
        "forward": test.forward,
        "input_gradient": test.input_gradient,
    }
    if op.learned:
        checks |= {"weight_gradient": test.weight_gradient, "bias_gradient": test.bias_gradient}
    for direction, transform in (fast or {}).items():
        checks[direction] = partial(right_on_tiles, kernel, op, direction, transform)
    return [name for name, is_right in checks.items() if not is_right()]


class _InPlaces:
    """One sample of a large operator, and what each function should make of it."""

    def __init__(self, kernel: Kernel, op: Operator, largest: int) -> None:
        self.largest = largest
        self.kernel, self.op, self.dtype = kernel, op, np.dtype(kernel.dtypes[0])
        self.working = np.int64 if integral(op) else np.float64
        self.x, self.g, self.v = (
            numbers(shape, seed, largest)
            for seed, shape in enumerate((op.input_shape, op.output_shape, op.form.weight_shape))
        )
        self.w = numbers(op.form.weight_shape, 3, largest) if op.learned else np.ones_like(self.v)

    def forward(self) -> bool:
        x, at = _few(self.x)
        y, magnitude = self._through(self.op.form.adjoint, self.w, x, at)
        bias = None
        if self.op.bias_shape:
            bias = numbers(self.op.bias_shape, 4, self.largest)
            y = y + np.repeat(bias, y.size // bias.size)
            magnitude, bias = magnitude + self.largest, bias.astype(self.dtype)
        got = self.kernel.forward(self._given(x), self._weight, bias, self._room(self.g))
        return self._agree("forward", got, y, magnitude)

    def input_gradient(self) -> bool:
        g, at = _few(self.g)
        exact, magnitude = self._through(self.op.form, self.w, g, at)
        got = self.kernel.input_gradient(self._given(g), self._weight, self._room(self.x))
        return self._agree("input_gradient", got, exact, magnitude)

    def weight_gradient(self) -> bool:
        """By <gw, v> = <g, A(v) x>, the trilinear form that it is a derivative of."""
        x, at = _few(self.x)
        y, magnitude = self._through(self.op.form.adjoint, self.v, x, at)
        given = self._given(x), self._given(self.g)
        got = self.kernel.weight_gradient(*given, self._room(self.w))
        found = np.vdot(got.astype(self.working), self.v)
        flat = self.g.ravel()
        products = flat.size + got.size
        return self._agree("weight_gradient", found, flat @ y, abs(flat) @ magnitude, products)

    def bias_gradient(self) -> bool:
        g, _ = _few(self.g)
        sums = g.reshape(len(g), -1).sum(axis=1)
        return np.array_equal(self.kernel.bias_gradient(self._given(g), self._room(sums)), sums)

    def _through(
        self, form: TrilinearForm, weight: Array, data: Array, at: Sequence[slice]
    ) -> tuple[Array, Array]:
        """The transposed matrix of a form times data that is 0 elsewhere; and of their moduli."""
        flat = data.ravel()
        result = np.zeros(prod(form.input_shape), self.working)
        magnitude = np.zeros_like(result)
        for each in at:
            rows = compressed_rows(form, weight, each.start, each.stop, self.working)
            result += rows.T @ flat[each]
            if self.working is np.float64:
                moduli = form.absolute, abs(weight), each.start, each.stop
                magnitude += compressed_rows(*moduli, self.working).T @ abs(flat[each])
        return result, magnitude

    @property
    def _weight(self) -> Array | None:
        return self._given(self.w) if self.op.learned else None

    def _given(self, data: Array) -> Array:
        return np.ascontiguousarray(data, self.dtype)

    def _room(self, like: Array) -> Array:
        return np.full(like.shape, 77, self.dtype)  # what is not written shows

    def _agree(
        self, direction: str, got: Array, exact: Array, magnitude: Array, products: int = 0
    ) -> bool:
        """Equal; or, where weights are fractions, within the rounding of both sides."""
        flat = got.ravel()
        if self.working is np.int64:
            return np.array_equal(flat, np.ravel(exact))
        count, own = (
            roundings(self.op, direction, dtype).count for dtype in (self.dtype.name, "float64")
        )
        bound = rounded_up(relative(count, self.dtype.name, 2 * own + products))
        return bool(np.all(abs(flat - exact) <= bound * magnitude))


def _few(data: Array) -> tuple[Array, list[slice]]:
    """The data with all but a few stretches 0, and where these are: both ends, and between."""
    last = data.size - LENGTH
    at = [slice(k * last // (PLACES - 1), k * last // (PLACES - 1) + LENGTH) for k in range(PLACES)]
    few = np.zeros_like(data)
    for each in at:
        few.ravel()[each] = data.ravel()[each]
    return few, at
