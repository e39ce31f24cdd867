"""Is a kernel its operator? Integer data, compared with ==, all its functions.

The matrix of the operator is the judge: forward is A x + b, the input gradient is A^T g. The
weight gradient is judged by the trilinear form it is a derivative of: <gw, v> = <g, A(v) x> for
every v. One random v of wide integers is enough: a gradient that is wrong anywhere agrees with
probability below 2**-20.

Where an operator has fractions for weights (a resize), sums round. Then the bound of
N. Higham, Accuracy and Stability of Numerical Algorithms, section 3.1, takes the place of ==: a sum
of k products differs from the exact one by at most gamma_k = k*u/(1 - k*u) times the sum of the
absolute products.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from derive import Operator
from derive.sparse import compressed_rows

from ._runtime import Kernel

Array = NDArray[Any]
WIDE, NARROW = 2**20, 5
UNWRITTEN = -77  # what a kernel does not write shows


def integral(op: Operator) -> bool:
    """Whether all coefficients are integers, so that integers stay integers."""
    return all(s.coefficient.denominator == 1 for axis in op.axes for s in axis.strands)


def mismatches(kernel: Kernel, op: Operator, *, batch: int = 2, seed: int = 0) -> list[str]:
    """The functions of a kernel that differ from the operator; empty when all are right.

    Values are in -4..4: sums stay far below 2**24 for the sizes of a catalogue, where float32
    still holds every integer; a larger operator is judged by float64 or int64.
    """
    judge = _Judge(kernel, op, batch, np.random.default_rng(seed))
    checks = {"forward": judge.forward, "input_gradient": judge.input_gradient}
    if op.learned:
        checks |= {"weight_gradient": judge.weight_gradient, "bias_gradient": judge.bias_gradient}
    return [name for name, is_right in checks.items() if not is_right()]


class _Judge:
    """The data of one comparison, and what each function should make of it."""

    def __init__(self, kernel: Kernel, op: Operator, batch: int, rng: np.random.Generator) -> None:
        self.kernel, self.op, self.rng = kernel, op, rng
        self.dtype = np.dtype(kernel.dtypes[-1])
        self.x, self.g = (
            self._integers(batch, *op.input_shape),
            self._integers(batch, *op.output_shape),
        )
        self.w = [self._integers(*op.form.weight_shape)] if op.learned else []
        weight = self.w[0] if op.learned else None
        self.matrix = op.sparse(weight, self.dtype)
        self.magnitude = self._magnitude(weight, self.dtype)

    def _integers(self, *shape: int) -> Array:
        return self.rng.integers(-4, 5, shape).astype(self.dtype)

    def _written(self, function: Callable[..., Array], *inputs: Array, shape: object) -> Array:
        return function(*inputs, out=np.full(shape, UNWRITTEN, self.dtype))

    def _magnitude(self, weight: Array | None, dtype: Any) -> csr_array:
        """The matrix of the absolute coefficients and weights."""
        axes = tuple(
            replace(a, strands=tuple(replace(s, coefficient=abs(s.coefficient)) for s in a.strands))
            for a in self.op.axes
        )
        form = replace(self.op.form, axes=axes)
        absolute = np.ones(form.weight_shape, dtype) if weight is None else abs(weight)
        return compressed_rows(form, absolute, 0, prod(form.output_shape), dtype)

    def _agree(self, got: Array, exact: Array, magnitude: Array, terms: int) -> bool:
        """Equal; or, where weights are fractions, sums of so many terms within their rounding.

        A term is a product of few numbers, one of them perhaps a folded weight; both sides round.
        """
        if integral(self.op):
            return np.array_equal(got, exact)
        terms += sum(axis.n_tap + 3 for axis in self.op.axes)
        k_u = terms * np.finfo(self.dtype).eps  # twice k*u, as eps is 2*u
        return bool(np.all(abs(got - exact) <= k_u / (1 - k_u) * magnitude))

    def forward(self) -> bool:
        flat = self.x.reshape(len(self.x), -1).T
        y, magnitude = self.matrix @ flat, self.magnitude @ abs(flat)
        inputs = [self.x, *self.w]
        if self.op.bias_shape:
            bias = self._integers(*self.op.bias_shape)
            added = np.repeat(bias, prod(self.op.output_shape[1:]))[:, None]
            y, magnitude, inputs = y + added, magnitude + abs(added), [*inputs, bias]
        got = self._written(self.kernel.forward, *inputs, shape=self.g.shape)
        terms = int(np.diff(self.matrix.indptr).max()) + 1
        return self._agree(got.reshape(len(got), -1).T, y, magnitude, terms)

    def input_gradient(self) -> bool:
        flat = self.g.reshape(len(self.g), -1).T
        got = self._written(self.kernel.input_gradient, self.g, *self.w, shape=self.x.shape)
        exact, magnitude = self.matrix.T @ flat, self.magnitude.T @ abs(flat)
        terms = int(np.bincount(self.matrix.indices, minlength=1).max())
        return self._agree(got.reshape(len(got), -1).T, exact, magnitude, terms)

    def weight_gradient(self) -> bool:
        got = self._written(self.kernel.weight_gradient, self.x, self.g, shape=self.w[0].shape)
        whole = integral(self.op)
        if not np.all(np.isfinite(got)) or (whole and not np.array_equal(got, np.rint(got))):
            return False
        widest, working = (WIDE, np.int64) if whole else (NARROW, np.float64)
        v = self.rng.integers(-widest, widest, got.shape)
        x, g = (each.reshape(len(each), -1).T.astype(working) for each in (self.x, self.g))
        exact = np.vdot(g, self.op.sparse(v, working) @ x)
        found = np.asarray(np.vdot(got.astype(working), v))
        magnitude = np.vdot(abs(g), self._magnitude(v, working) @ abs(x))
        terms = len(self.x) * prod(self.op.output_shape[1:]) + got.size
        return self._agree(found, exact, magnitude, terms)

    def bias_gradient(self) -> bool:
        channels, positions = self.op.output_shape[0], prod(self.op.output_shape[1:])
        sums = self.g.reshape(len(self.g), channels, positions).sum(axis=(0, 2))
        got = self._written(self.kernel.bias_gradient, self.g, shape=sums.shape)
        return np.array_equal(got, sums)
