"""Two operators, one after the other."""

from __future__ import annotations

from collections.abc import Sized
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
import sympy
from numpy.typing import ArrayLike, DTypeLike, NDArray
from scipy.sparse import csr_array
from scipy.sparse.linalg import LinearOperator

from .core.axis import Axis
from .core.rules import ChainRule, sized_by_output
from .errors import GeometryError
from .linear_map import LinearMap
from .operator import Operator


def chain(outer: LinearMap, inner: LinearMap) -> LinearMap:
    """``outer @ inner``; parts next to each other that learn no more than one weight are fused."""
    if isinstance(inner, Composite) and _fuses(outer, inner.outer):
        return chain(chain(outer, inner.outer), inner.inner)
    if isinstance(outer, Composite) and _fuses(outer.inner, inner):
        return chain(outer.outer, chain(outer.inner, inner))
    if isinstance(outer, Operator) and isinstance(inner, Operator) and _fuses(outer, inner):
        return _fused(outer, inner)
    return Composite(outer, inner)


def _fuses(outer: LinearMap, inner: LinearMap) -> bool:
    sides = (outer, inner)
    return not all(isinstance(side, Composite) or _learned(side) for side in sides)


def _learned(side: LinearMap) -> bool:
    return isinstance(side, Operator) and side.learned


def _fused(outer: Operator, inner: Operator) -> Operator:
    """One operator of both: their axes composed, the channels of the part that learns."""
    _check_fit(outer, inner)
    part = outer if outer.learned else inner
    if inner.bias and not _keeps_constants(outer):
        raise GeometryError(
            f"bias = True in {inner!r}: allowed is False, since {outer!r} does not keep constants"
        )
    return Operator(
        f"{outer!r} @ {inner!r}",
        _chained(outer, inner),
        groups=part.groups,
        channels_in=part.channels_in,
        channels_out=part.channels_out,
        output_leads=part.output_leads,
        bias=part.bias,
        sizes=inner.sizes,
        learned=part.learned,
    )


def _chained(outer: Operator, inner: Operator) -> list[ChainRule]:
    """The rules of both, axis by axis; an adjoint has to know the size that it puts out."""
    if outer.sizes is not None:
        pairs = zip(outer.rules, outer.sizes, strict=True)
        betweens = [n if sized_by_output(rule) else None for rule, n in pairs]
    elif any(map(sized_by_output, outer.rules)):
        raise GeometryError(
            f"input_size = None in {outer!r}: allowed is a size, since what an adjoint puts out "
            "does not follow from its input"
        )
    else:
        betweens = [None] * len(outer.rules)
    return [ChainRule(*each) for each in zip(outer.rules, inner.rules, betweens, strict=True)]


def _keeps_constants(op: Operator) -> bool:
    """Whether every row of every axis adds up to 1."""
    sizes = [rule.settled for rule in op.rules] if op.sizes is None else op.sizes
    axes = (rule.at(n) for rule, n in zip(op.rules, sizes, strict=True))
    return all(axis.row_sums() == {1} for axis in axes)


def _check_fit(outer: LinearMap, inner: LinearMap) -> None:
    """GeometryError unless the outer one takes what the inner one puts out."""
    takes: tuple[int, ...]
    gives: tuple[int, ...]
    if outer.input_size is None or inner.output_size is None:
        free = [side for side in (outer, inner) if side.input_size is None]
        if len(free) == 1:
            raise GeometryError(
                f"input_size = None in {free[0]!r}: allowed is a size, as the other one has"
            )
        takes, gives = outer.channels[:1], inner.channels[1:]
    else:
        takes, gives = outer.input_shape, inner.output_shape
    if takes != gives:
        raise GeometryError(
            f"{outer!r} @ {inner!r}: the outer one takes {takes}; allowed is what the inner one "
            f"gives, {gives}"
        )


class Composite(LinearMap):
    """A chain of several learned parts. Weights and biases are tuples, outermost first.

    >>> from derive import Conv1d
    >>> smooth = Conv1d(1, 1, 3, bias=False, input_size=8)
    >>> (smooth.T @ smooth).sparse(([[[1, 2, 1]]], [[[1, 2, 1]]]), dtype="int64").shape
    (8, 8)
    """

    def __init__(self, outer: LinearMap, inner: LinearMap) -> None:
        _check_fit(outer, inner)
        self.outer, self.inner = outer, inner

    def __repr__(self) -> str:
        return f"{self.outer!r} @ {self.inner!r}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Composite) and self.parts == other.parts

    def __hash__(self) -> int:
        return hash(self.parts)

    @cached_property
    def parts(self) -> tuple[Operator, ...]:
        """The operators of the chain, outermost first."""
        parts: list[Operator] = []
        for side in (self.outer, self.inner):
            if isinstance(side, Composite):
                parts += side.parts
            elif isinstance(side, Operator):
                parts.append(side)
        return tuple(parts)

    @cached_property
    def axes(self) -> tuple[Axis, ...]:
        pairs = zip(self.outer.axes, self.inner.axes, strict=True)
        return tuple(outer.after(inner) for outer, inner in pairs)

    @property
    def input_shape(self) -> tuple[int, ...]:
        return self.inner.input_shape

    @property
    def output_shape(self) -> tuple[int, ...]:
        return self.outer.output_shape

    @property
    def input_size(self) -> tuple[int, ...] | None:
        return self.inner.input_size

    @property
    def output_size(self) -> tuple[int, ...] | None:
        return self.outer.output_size

    @property
    def channels(self) -> tuple[int, int]:
        return self.inner.channels[0], self.outer.channels[1]

    @property
    def weight_shape(self) -> tuple[tuple[int, ...], ...]:
        """The weight shape of each part, outermost first."""
        return tuple(part.form.weight_shape for part in self.parts)

    @property
    def bias_shape(self) -> tuple[tuple[int, ...] | None, ...]:
        """The bias shape of each part, outermost first."""
        return tuple(part.bias_shape for part in self.parts)

    @property
    def nnz(self) -> int:
        return self._channel_pairs * prod(axis.nnz for axis in self.axes)

    @property
    def _channel_pairs(self) -> int:
        """Pairs of an output and an input channel that some chain of groups connects."""
        connected = np.eye(self.input_shape[0], dtype=bool)
        for part in reversed(self.parts):
            block = np.ones((part.channels_out, part.channels_in), dtype=bool)
            connected = np.kron(np.eye(part.groups, dtype=bool), block) @ connected
        return int(connected.sum())

    @property
    def T(self) -> Composite:  # noqa: N802
        """The adjoint of the chain; its weights come in the opposite order."""
        return Composite(self.inner.T, self.outer.T)

    def matrix(self, weight: Any = None, *, name: str = "w") -> sympy.ImmutableSparseMatrix:
        """The exact matrix; the symbols of part i, counted from the outermost, are name_i."""
        weights = [None] * len(self.parts) if weight is None else self._each("weight", weight)
        factors = [
            part.matrix(w, name=f"{name}_{i}")
            for i, (part, w) in enumerate(zip(self.parts, weights, strict=True))
        ]
        result = factors[0]
        for factor in factors[1:]:
            result = result * factor
        return sympy.ImmutableSparseMatrix(result.expand())

    def rows(self, lo: int, hi: int, weight: Any = None, dtype: DTypeLike = "float64") -> csr_array:
        first, *weights = self._each("weight", weight)
        result = self.parts[0].rows(lo, hi, first, dtype)
        for part, w in zip(self.parts[1:], weights, strict=True):
            result = result @ part.sparse(w, dtype)
        result.sort_indices()
        return result

    def apply(self, x: ArrayLike, weight: Any = None, bias: Any = None) -> NDArray[Any]:
        """The parts one after the other; ``bias`` is None or one entry per part."""
        weights = self._each("weight", weight)
        biases = [None] * len(self.parts) if bias is None else self._each("bias", bias)
        y = np.asarray(x)
        for part, w, b in zip(reversed(self.parts), weights[::-1], biases[::-1], strict=True):
            y = part.apply(y, w, b)
        return y

    def linear_operator(self, weight: Any = None) -> LinearOperator:
        weights = self._each("weight", weight)
        factors = [p.linear_operator(w) for p, w in zip(self.parts, weights, strict=True)]
        result = factors[0]
        for factor in factors[1:]:
            result = result @ factor
        return result

    def _each(self, name: str, values: Any) -> list[Any]:
        if not isinstance(values, (tuple, list)) or len(values) != len(self.parts):
            given = f"a {type(values).__name__}"
            given += f" of {len(values)}" if isinstance(values, Sized) else ""
            raise GeometryError(
                f"{name} of a chain is {given}: allowed is a tuple of {len(self.parts)}, "
                "outermost first"
            )
        return list(values)
