"""What every operator can say of itself, learned in one part or in several."""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import product
from math import prod
from typing import Any

import numpy as np
import sympy
from numpy.typing import ArrayLike, DTypeLike, NDArray
from scipy.sparse import csr_array
from scipy.sparse.linalg import LinearOperator

from .arguments import integer, refuse
from .core.axis import Axis
from .errors import GeometryError
from .weights import numbers

Position = tuple[int, ...]


class LinearMap(ABC):
    """A linear map from (channels, *positions) to the same, given its weight.

    ``weight`` is the array of ``weight_shape``, None where nothing is learned; a chain of several
    learned parts takes a tuple, outermost first.
    """

    @property
    @abstractmethod
    def axes(self) -> tuple[Axis, ...]:
        """The exact axes; GeometryError while the input size is free."""

    @property
    @abstractmethod
    def input_shape(self) -> tuple[int, ...]:
        """(channels, *input_size)."""

    @property
    @abstractmethod
    def output_shape(self) -> tuple[int, ...]:
        """(channels, *output_size)."""

    @property
    @abstractmethod
    def channels(self) -> tuple[int, int]:
        """Input and output channels."""

    @property
    @abstractmethod
    def nnz(self) -> int:
        """Number of structural entries of the matrix, predicted before anything is built."""

    @property
    @abstractmethod
    def T(self) -> LinearMap:  # noqa: N802 - the matrix transpose, as NumPy and SciPy name it
        """The adjoint: its matrix is the transpose, and it takes the very same weight."""

    @abstractmethod
    def matrix(self, weight: Any = None, *, name: str = "w") -> sympy.ImmutableSparseMatrix:
        """The exact matrix, prod(output_shape) x prod(input_shape)."""

    @abstractmethod
    def rows(self, lo: int, hi: int, weight: Any = None, dtype: DTypeLike = "float64") -> csr_array:
        """Rows lo..hi of ``sparse(weight)``, built alone."""

    @abstractmethod
    def apply(self, x: ArrayLike, weight: Any = None, bias: Any = None) -> NDArray[Any]:
        """The operator on ``x``: (batch, *input_shape) or input_shape."""

    @abstractmethod
    def linear_operator(self, weight: Any = None) -> LinearOperator:
        """A matrix-free SciPy LinearOperator with its true adjoint."""

    @property
    def input_size(self) -> tuple[int, ...] | None:
        """Positions along each axis of the input; None while it is free."""
        return self.input_shape[1:]

    @property
    def output_size(self) -> tuple[int, ...] | None:
        """Positions along each axis of the output; None while the input size is free."""
        return self.output_shape[1:]

    def sparse(self, weight: Any = None, dtype: DTypeLike = "float64") -> csr_array:
        """The matrix as a canonical csr_array: sorted indices, no duplicates.

        Entries are stored where the operator has them, also where the weight is 0, so
        ``sparse(w).nnz == nnz``. Index arrays are int32 while that is enough, else int64.
        """
        return self.rows(0, prod(self.output_shape), weight, dtype)

    def overlap(self) -> NDArray[np.int64]:
        """How many taps reach each output position, for one pair of channels; of output_size."""
        counts: NDArray[np.int64] = np.array(1, dtype=np.int64)
        for axis in self.axes:
            taps = np.zeros(axis.n_out, dtype=np.int64)
            for s in axis.strands:
                taps[s.y : s.y + axis.step * (s.count - 1) + 1 : axis.step] += 1
            counts = np.multiply.outer(counts, taps)
        return counts

    def receptive_field(self, position: int | Position) -> tuple[Position, ...]:
        """The input positions that an output position reads, in C order.

        Of the adjoint, ``op.T.receptive_field(x)`` are the outputs that input x reaches.
        """
        given = tuple(position) if np.iterable(position) else (position,)
        sizes = self.output_shape[1:]
        if len(given) != len(sizes):
            refuse("position", position, f"one int for each of the {len(sizes)} axes")
        place = [
            integer(f"position[{axis}]", p, 0, most=n - 1)
            for axis, (p, n) in enumerate(zip(given, sizes, strict=True))
        ]
        reads = (
            sorted({x for x, _, _ in axis.row(p)}) for axis, p in zip(self.axes, place, strict=True)
        )
        return tuple(product(*reads))

    def __matmul__(self, inner: LinearMap) -> LinearMap:
        """Composition: ``(outer @ inner)`` applies ``inner`` first."""
        from .composite import chain

        return chain(self, inner) if isinstance(inner, LinearMap) else NotImplemented

    def latex(self) -> str:
        """The size formula and the matrix, elided when large; for amsmath."""
        from .show.latex import operator_latex

        return operator_latex(self)

    def _repr_latex_(self) -> str:
        from .show.latex import inline_latex

        return f"$\\displaystyle {inline_latex(self)}$"

    def _repr_html_(self) -> str:
        from .show.html import fragment
        from .show.page import operator_page

        return fragment(operator_page(self)[1:])

    def _repr_svg_(self) -> str | None:
        from .show.picture import svg
        from .show.structure import structure

        return None if self.input_size is None else svg(structure(self))

    def _batched(self, x: ArrayLike) -> tuple[NDArray[Any], bool]:
        """X as (batch, *input_shape), and whether the batch was there before."""
        array = numbers("x", x)
        if array.shape == self.input_shape:
            return array[None], False
        if array.shape[1:] != self.input_shape or array.ndim == 0:
            raise GeometryError(
                f"x has shape {array.shape}; allowed is {self.input_shape} or (batch, "
                + ", ".join(map(str, self.input_shape))
                + ")"
            )
        return array, True
