"""The kernels that make no checkerboard: a linear space, its basis and the projection onto it.

A constant input gives phase r the sum over taps of S[r, t] * w[t]. A kernel is quiet when all
phases get the same, which is one linear equation for each phase but the first. All is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import product
from math import prod
from typing import Any

import numpy as np
import sympy
from numpy.typing import ArrayLike
from sympy.polys.matrices import DomainMatrix

from derive.arguments import refuse
from derive.errors import GeometryError
from derive.weights import Array, numbers

from .phases import Sums

MOST_TAPS = 4096  # of a kernel: the projection is a matrix of their square


@dataclass(frozen=True)
class QuietKernels:
    """The kernels of ``shape`` with equal sums, ``sums[axis]`` holding the rows S[r, :]."""

    shape: tuple[int, ...]
    sums: tuple[tuple[Sums, ...], ...]

    @cached_property
    def rows(self) -> tuple[tuple[Fraction, ...], ...]:
        """The distinct rows S[r, :] of all axes together, taps in C order."""
        if prod(self.shape) > MOST_TAPS:
            raise GeometryError(
                f"kernel_size: {self.shape} has {prod(self.shape)} taps; allowed are {MOST_TAPS}"
            )
        each = (dict.fromkeys(rows) for rows in self.sums)
        rows = (tuple(map(prod, product(*phase))) for phase in product(*each))
        return tuple(dict.fromkeys(tuple(map(Fraction, row)) for row in rows))

    @cached_property
    def constraints(self) -> tuple[sympy.Eq, ...]:
        """Equations in w[...]: the sum of each phase is that of the first."""
        w = sympy.IndexedBase("w")
        symbols = [w[place] for place in np.ndindex(*self.shape)]
        first, *others = (
            sympy.Add(*(sympy.Rational(c) * s for c, s in zip(row, symbols, strict=True)))
            for row in self.rows
        )
        return tuple(sympy.Eq(first, other, evaluate=False) for other in others)

    @cached_property
    def basis(self) -> tuple[Array, ...]:
        """Kernels of ``shape``, Fractions; every quiet kernel is one combination of them."""
        taps = prod(self.shape)
        if len(self.rows) == 1:
            found = np.array([[Fraction(i == j) for i in range(taps)] for j in range(taps)])
        else:
            found = _fractions(_exact(self._differences).nullspace())
        return tuple(row.reshape(self.shape) for row in found.reshape(-1, taps))

    @property
    def _differences(self) -> list[list[Fraction]]:
        first, *others = self.rows
        return [[b - a for a, b in zip(first, row, strict=True)] for row in others]

    @cached_property
    def projector(self) -> Array:
        """Q with Q w the nearest quiet kernel: 1 - C^T (C C^T)^-1 C for the equations C w = 0."""
        taps = prod(self.shape)
        identity = _exact([[Fraction(i == j) for i in range(taps)] for j in range(taps)])
        if len(self.rows) == 1:
            return _fractions(identity)
        reduced, pivots = _exact(self._differences).rref()
        c = reduced.extract(range(len(pivots)), range(taps))
        normal = c.transpose() * (c * c.transpose()).inv() * c
        return _fractions(identity - normal)

    def project(self, weight: ArrayLike) -> Array:
        """Each kernel of ``weight`` (..., *shape) replaced by the nearest quiet one.

        Floats stay floats of their dtype; integers and Fractions give Fractions.
        """
        array = numbers("weight", weight)
        if array.shape[array.ndim - len(self.shape) :] != self.shape:
            raise GeometryError(
                f"weight has shape {array.shape}; allowed is one that ends in {self.shape}"
            )
        flat = array.reshape(-1, prod(self.shape))
        if array.dtype.kind in "fc":
            result = flat @ self.projector.astype(np.float64)
            return result.reshape(array.shape).astype(array.dtype)
        exact: Array = np.array([[_fraction(v) for v in row] for row in flat], dtype=object)
        return (exact.reshape(flat.shape) @ self.projector).reshape(array.shape)


def _fraction(value: Any) -> Fraction:
    try:
        return Fraction(int(value.numerator), int(value.denominator))
    except (AttributeError, TypeError):
        refuse("weight", value, "floats, or exact numbers: int, Fraction, sympy.Rational")


def _exact(rows: Sequence[Sequence[Fraction]]) -> DomainMatrix:
    qq = sympy.QQ
    entries = [[qq(v.numerator, v.denominator) for v in row] for row in rows]
    return DomainMatrix(entries, (len(entries), len(entries[0])), qq)


def _fractions(matrix: DomainMatrix) -> Array:
    found: Array = np.empty(matrix.shape, dtype=object)
    for place, value in np.ndenumerate(np.array(matrix.to_Matrix().tolist(), dtype=object)):
        found[place] = Fraction(int(value.p), int(value.q))
    return found
