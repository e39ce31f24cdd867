"""Kernels of chains with several learned parts: one kernel after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from derive import Operator

from ._runtime import LayoutError
from .chain_bound import after_part, of_bias, of_weight
from .free import AnyKernel


class ChainKernel:
    """The kernels of the parts, outermost first; weights, biases and gradients are tuples alike.

    >>> import numpy as np
    >>> from codegen import build
    >>> from derive import Conv1d
    >>> outer, inner = Conv1d(1, 1, 2, bias=False, input_size=3), Conv1d(1, 1, 2, input_size=4)
    >>> kernel = build(outer @ inner, target="numpy", dtype="int64")
    >>> x, w, b = np.array([[1, 2, 3, 4]]), np.ones((1, 1, 2), int), np.array([1])
    >>> kernel(x, (w, w), (None, b))
    array([[10, 14]])
    >>> by_weight = kernel.weight_gradient(x, np.array([[1, 0]]), (w, w), (None, b))
    >>> [g.tolist() for g in by_weight]
    [[[[4, 6]]], [[[3, 5]]]]
    """

    def __init__(self, parts: Sequence[AnyKernel], ops: Sequence[Operator]) -> None:
        self.parts, self.ops = tuple(parts), tuple(ops)
        self.macs = sum(part.macs for part in self.parts)
        self.naive_macs = sum(part.naive_macs for part in self.parts)

    def __call__(self, x: Any, weight: Any, bias: Any = None, out: Any = None) -> Any:
        """Same as ``forward``."""
        return self.forward(x, weight, bias, out)

    def forward(self, x: Any, weight: Any, bias: Any = None, out: Any = None) -> Any:
        """The parts, innermost first; ``bias`` is None or an entry for each part."""
        return self._inputs(x, weight, bias, out)[0]

    def input_gradient(self, grad_output: Any, weight: Any, out: Any = None) -> Any:
        """grad_output (batch, *output_shape) -> (batch, *input_shape)."""
        return self._gradients(grad_output, weight, out)[-1]

    def weight_gradient(
        self, x: Any, grad_output: Any, weight: Any, bias: Any = None
    ) -> tuple[Any, ...]:
        """The gradient by the weight of each part, outermost first."""
        inputs = self._inputs(x, weight, bias)[1:]
        gradients = self._gradients(grad_output, weight)
        return tuple(
            part.weight_gradient(given, grad)
            for part, given, grad in zip(self.parts, inputs, gradients, strict=False)
        )

    def bias_gradient(self, grad_output: Any, weight: Any) -> tuple[Any, ...]:
        """The gradient by the bias of each part, outermost first."""
        gradients = self._gradients(grad_output, weight)
        return tuple(
            part.bias_gradient(grad) for part, grad in zip(self.parts, gradients, strict=False)
        )

    @property
    def certificate(self) -> tuple[Mapping[str, Any], ...]:
        """The records of the parts, outermost first."""
        return tuple(part.certificate for part in self.parts)

    def error_bound(self, *arguments: Any, direction: str = "forward") -> Any:
        """The most by which each number of a result may differ from exact arithmetic.

        The arguments are those of the function called ``direction``, in their order; the bound has
        the shape of its result, in float64, or is a tuple where the result is one.
        """
        if direction == "forward":
            return self._input_errors(*arguments)[0]
        if direction == "input_gradient":
            return self._gradient_errors(*arguments)[-1]
        if direction == "bias_gradient":
            gradients, off = self._gradients(*arguments), self._gradient_errors(*arguments)
            values = zip(self.ops, self.parts, gradients, off, strict=False)
            return tuple(of_bias(*each) for each in values)
        if direction != "weight_gradient":
            raise ValueError(f"direction = {direction!r}: allowed is the name of a function")
        x, grad_output, weight, *bias = arguments
        inputs = self._inputs(x, weight, *bias)[1:]
        gradients = self._gradients(grad_output, weight)
        errors = (
            self._input_errors(x, weight, *bias)[1:],
            self._gradient_errors(grad_output, weight),
        )
        parts = zip(self.ops, self.parts, inputs, gradients, *errors, strict=False)
        return tuple(of_weight(*each) for each in parts)

    def _input_errors(self, x: Any, weight: Any, bias: Any = None) -> list[Any]:
        """How wrong each of ``_inputs`` may be."""
        values, weights = self._inputs(x, weight, bias), self._each("weight", weight)
        biases = [None] * len(self.parts) if bias is None else self._each("bias", bias)
        errors = [np.zeros(np.shape(x))]
        for i in reversed(range(len(self.parts))):
            given = (values[i + 1], weights[i], biases[i])
            errors.insert(0, after_part(self.ops[i], self.parts[i], "forward", given, errors[0]))
        return errors

    def _gradient_errors(self, grad_output: Any, weight: Any) -> list[Any]:
        """How wrong each of ``_gradients`` may be."""
        values, errors = self._gradients(grad_output, weight), [np.zeros(np.shape(grad_output))]
        for i, w in enumerate(self._each("weight", weight)):
            given, part = (values[i], w), self.parts[i]
            errors.append(after_part(self.ops[i], part, "input_gradient", given, errors[-1]))
        return errors

    def _inputs(self, x: Any, weight: Any, bias: Any = None, out: Any = None) -> list[Any]:
        """The output of the chain, then the input of each part, outermost first."""
        weights = self._each("weight", weight)
        biases = [None] * len(self.parts) if bias is None else self._each("bias", bias)
        values = [x]
        for i in reversed(range(len(self.parts))):
            target = out if i == 0 else None
            values.insert(0, self.parts[i].forward(values[0], weights[i], biases[i], target))
        return values

    def _gradients(self, grad_output: Any, weight: Any, out: Any = None) -> list[Any]:
        """The gradient by the output of each part, outermost first, then by the input."""
        values = [grad_output]
        last = len(self.parts) - 1
        for i, (part, w) in enumerate(zip(self.parts, self._each("weight", weight), strict=True)):
            values.append(part.input_gradient(values[-1], w, out if i == last else None))
        return values

    def _each(self, name: str, values: Any) -> Sequence[Any]:
        if not isinstance(values, (tuple, list)) or len(values) != len(self.parts):
            raise LayoutError(f"{name}: allowed is a tuple of {len(self.parts)}, outermost first")
        return values
