"""Kernels of chains with several learned parts: one kernel after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ._runtime import Kernel, LayoutError


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

    def __init__(self, parts: Sequence[Kernel]) -> None:
        self.parts = tuple(parts)
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

    def _inputs(self, x: Any, weight: Any, bias: Any, out: Any = None) -> list[Any]:
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
