"""One operator: rules for its axes, channels, groups, and perhaps a size and a learned weight."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
import sympy
from numpy.typing import ArrayLike, DTypeLike, NDArray
from scipy.sparse import csr_array
from scipy.sparse.linalg import LinearOperator

from . import apply, matrix, sparse
from .arguments import integer, refuse
from .core.axis import Axis
from .core.derivation import Derivation, Step
from .core.form import TrilinearForm
from .core.free import FreePolyphase, free_polyphase
from .core.rules import AdjointRule, AxisRule, ChainRule
from .core.sizes import N_IN, N_OUT, OUTPUT_PADDING
from .errors import GeometryError
from .linear_map import LinearMap
from .weights import checked, numbers, widened


class Operator(LinearMap):
    """A layer, its adjoint, or a chain with one learned part at most. Immutable.

    Equal when it describes the same operator. ``sizes`` are the free sizes that the rules take
    (the layer's input size), None if not fixed. An operator that is not ``learned`` takes no
    weight anywhere.
    """

    def __init__(
        self,
        description: str,
        rules: Sequence[AxisRule],
        *,
        groups: int,
        channels_in: int,
        channels_out: int,
        output_leads: bool,
        bias: bool,
        sizes: tuple[int, ...] | None,
        learned: bool = True,
    ) -> None:
        self.description, self.rules, self.sizes = description, tuple(rules), sizes
        self.groups, self.channels_in, self.channels_out = groups, channels_in, channels_out
        self.output_leads, self.bias, self.learned = output_leads, bias, learned

    def __repr__(self) -> str:
        return self.description

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Operator) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def _key(self) -> tuple[object, ...]:
        channels = self.groups, self.channels_in, self.channels_out, self.output_leads
        return self.rules, channels, self.bias, self.sizes, self.learned

    @cached_property
    def form(self) -> TrilinearForm:
        """The trilinear form; GeometryError while the input size is free."""
        if self.sizes is None:
            raise GeometryError(
                f"input_size = None in {self.description}: this needs a fixed input_size"
            )
        return TrilinearForm(
            tuple(rule.at(n) for rule, n in zip(self.rules, self.sizes, strict=True)),
            self.groups,
            self.channels_in,
            self.channels_out,
            self.output_leads,
        )

    @property
    def axes(self) -> tuple[Axis, ...]:
        return self.form.axes

    @property
    def input_size(self) -> tuple[int, ...] | None:
        return None if self.sizes is None else self.input_shape[1:]

    @property
    def output_size(self) -> tuple[int, ...] | None:
        return None if self.sizes is None else self.output_shape[1:]

    @property
    def input_shape(self) -> tuple[int, ...]:
        return self.form.input_shape

    @property
    def output_shape(self) -> tuple[int, ...]:
        return self.form.output_shape

    @property
    def channels(self) -> tuple[int, int]:
        return self.groups * self.channels_in, self.groups * self.channels_out

    @property
    def weight_shape(self) -> tuple[int, ...] | None:
        """torch's: Conv (out, in/groups, *kernel), ConvTranspose (in, out/groups, *kernel).

        None where nothing is learned.
        """
        if not self.learned:
            return None
        leading, other = self.channels_in, self.channels_out
        if self.output_leads:
            leading, other = other, leading
        return (self.groups * leading, other, *(rule.n_tap for rule in self.rules))

    @property
    def bias_shape(self) -> tuple[int, ...] | None:
        """(out channels,), or None where there is no bias."""
        return (self.groups * self.channels_out,) if self.bias else None

    @property
    def nnz(self) -> int:
        return self.form.nnz

    @property
    def macs(self) -> int:
        """Multiply-adds of one sample when no zero is multiplied and taps are folded.

        Where nothing is learned, one axis after the other.
        """
        return self.form.macs if self.learned else self.form.separable_macs

    @property
    def naive_macs(self) -> int:
        """Multiply-adds of one sample when every output visits every tap.

        Where nothing is learned, every position of the window that it blends; the adjoint of a
        chain counts as the chain.
        """
        if any(isinstance(r, AdjointRule) and isinstance(r.rule, ChainRule) for r in self.rules):
            return self.T.naive_macs
        return self.form.naive_macs if self.learned else self.form.window_macs

    @cached_property
    def T(self) -> Operator:  # noqa: N802
        return Operator(
            f"({self.description}).T" if "@" in self.description else f"{self.description}.T",
            [r.rule if isinstance(r, AdjointRule) else AdjointRule(r) for r in self.rules],
            groups=self.groups,
            channels_in=self.channels_out,
            channels_out=self.channels_in,
            output_leads=not self.output_leads,
            bias=False,
            sizes=self.sizes,
            learned=self.learned,
        )

    def weight(self, given: ArrayLike | None, dtype: DTypeLike = "int64") -> ArrayLike:
        """The weight of the form: the one given, or ones where nothing is learned."""
        if self.learned and given is None:
            refuse("weight", None, f"an array of shape {self.weight_shape}")
        if not self.learned and given is not None:
            refuse("weight", "given", f"None, since {self.description} learns nothing")
        return np.ones(self.form.weight_shape, dtype) if given is None else given

    def matrix(
        self, weight: ArrayLike | None = None, *, name: str = "w"
    ) -> sympy.ImmutableSparseMatrix:
        """The exact matrix, its entries symbols ``name[...]`` or, with a weight, exact numbers.

        ``weight`` holds ints, Fractions or SymPy numbers in ``weight_shape``.
        """
        if weight is not None or not self.learned:
            weight = self.weight(weight)
        return matrix.symbolic_matrix(self.form, weight, name)

    def rows(
        self, lo: int, hi: int, weight: ArrayLike | None = None, dtype: DTypeLike = "float64"
    ) -> csr_array:
        return sparse.compressed_rows(self.form, self.weight(weight), lo, hi, dtype)

    def apply(
        self, x: ArrayLike, weight: ArrayLike | None = None, bias: ArrayLike | None = None
    ) -> NDArray[Any]:
        """The operator by its definition, one triple at a time: slow, obvious, exact.

        Integers and Fractions (dtype object) stay exact, and integers become Fractions where a
        resize divides them; integers that would overflow their dtype are refused.
        """
        array, batched = self._batched(x)
        self.checked_bias(bias)
        given = self.weight(weight, array.dtype)
        y = apply.reference(self.form, array, given, bias)
        return y if batched else y[0]

    def checked_bias(self, bias: ArrayLike | None) -> None:
        """GeometryError unless the bias is there exactly when the operator has one."""
        shape = None if bias is None else numbers("bias", bias).shape
        if shape != self.bias_shape:
            raise GeometryError(f"bias has shape {shape}; this operator takes {self.bias_shape}")

    def linear_operator(self, weight: ArrayLike | None = None) -> LinearOperator:
        array = widened(checked(self.form, self.weight(weight, "float64")))
        forward = apply.by_strands(self.form, array)
        adjoint = apply.by_strands(self.form.adjoint, array.conj())
        return LinearOperator(
            (prod(self.output_shape), prod(self.input_shape)),
            matvec=lambda v: forward(v.reshape(1, *self.input_shape)).ravel(),
            rmatvec=lambda v: adjoint(v.reshape(1, *self.output_shape)).ravel(),
            dtype=array.dtype,
        )

    def polyphase(self) -> tuple[FreePolyphase, ...]:
        """The normal form of each axis with the size left free, whether it is fixed or not."""
        return tuple(free_polyphase(rule) for rule in self.rules)

    def size_derivation(self, axis: int | None = None) -> Derivation:
        """How the output size follows from the relation, in symbols or for one axis.

        With ``axis`` the parameters of that axis are put in, and its sizes where they are fixed.
        """
        if axis is None:
            return self.rules[0].size
        axis = integer("axis", axis, 0, most=len(self.rules) - 1)
        rule = self.rules[axis]
        general = rule.size
        steps = _with(general.steps, Step(general.formula, "so in general"))
        values = dict(rule.values)
        size = general.formula.rhs.subs(values)
        if self.sizes is not None:
            n_in, n_out = self.axes[axis].n_in, self.axes[axis].n_out
            if size.free_symbols - {N_IN} == {OUTPUT_PADDING}:  # of an adjoint, its output known
                named = sympy.Eq(n_out, size.subs(N_IN, n_in))
                (values[OUTPUT_PADDING],) = sympy.solve(named, OUTPUT_PADDING)
                remainder = sympy.Eq(OUTPUT_PADDING, values[OUTPUT_PADDING], evaluate=False)
                steps += (Step(remainder, "the remainder that gives the output its size"),)
                size = size.subs(values)
            put_in = sympy.Eq(N_OUT, size, evaluate=False)
            steps = _with(steps, Step(put_in, "the parameters of this axis put in"))
            values[N_IN] = n_in
            unnamed = size.free_symbols - {N_IN}  # of a size that was only given
            size = sympy.Integer(n_out) if unnamed else size.subs(values)
        formula = sympy.Eq(N_OUT, size, evaluate=False)
        conditions = (c.subs(values) for c in general.conditions)
        left = tuple(c for c in conditions if c != sympy.true)
        return Derivation(general.title, steps, formula, left)


def _with(steps: tuple[Step, ...], step: Step) -> tuple[Step, ...]:
    """The steps and one more, unless it would only say the last one again."""
    return steps if steps[-1].statement == step.statement else (*steps, step)
