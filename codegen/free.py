"""Kernels of operators whose size is free: one is specialised for each size that comes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from threading import Lock
from typing import Any, NoReturn

from derive.core.rules import AxisRule
from derive.layers import Layer

from ._runtime import Kernel, LayoutError
from ._runtime.cuda import CudaKernel

Sizes = tuple[int, ...]
AnyKernel = Kernel | CudaKernel


class FreeKernel:
    """Specialises itself for the size of its input, at the first call with that size.

    The methods are those of ``Kernel``; ``at(input_size)`` gives the kernel of one size. Several
    input sizes can have one output size: there the gradients need ``input_size``.

    >>> import numpy as np
    >>> from codegen import build
    >>> from derive import Conv1d
    >>> kernel = build(Conv1d(1, 1, 3, bias=False), target="numpy", dtype="int64")
    >>> [kernel(np.ones((1, n), int), np.ones((1, 1, 3), int)).shape for n in (5, 8)]
    [(1, 3), (1, 6)]
    """

    def __init__(self, op: Layer, specialise: Callable[[Layer], AnyKernel]) -> None:
        self.op, self._specialise = op, specialise
        self._kernels: dict[Sizes, AnyKernel] = {}
        self._lock = Lock()

    def at(self, input_size: Sizes) -> AnyKernel:
        """The kernel of one input size; GeometryError where the layer has none."""
        size = tuple(input_size)
        with self._lock:
            if size not in self._kernels:
                self._kernels[size] = self._specialise(self.op.at(size))
            return self._kernels[size]

    def _of(self, x: Any) -> AnyKernel:
        return self.at(self._sizes("x", x))

    def _sizes(self, name: str, array: Any) -> Sizes:
        shape, axes = tuple(getattr(array, "shape", ())), len(self.op.rules)
        if len(shape) not in (axes + 1, axes + 2):
            raise LayoutError(
                f"{name} has shape {shape}; allowed are (channels, {axes} sizes), or a batch of it"
            )
        return shape[-axes:]

    def __call__(self, x: Any, weight: Any = None, bias: Any = None, out: Any = None) -> Any:
        """Same as ``forward``."""
        return self.forward(x, weight, bias, out)

    def forward(self, x: Any, weight: Any = None, bias: Any = None, out: Any = None) -> Any:
        """The operator at the size of x."""
        return self._of(x).forward(x, weight, bias, out)

    def input_gradient(
        self,
        grad_output: Any,
        weight: Any = None,
        out: Any = None,
        *,
        input_size: Sizes | None = None,
    ) -> Any:
        """The input gradient; ``input_size`` may be left out where the output size tells it."""
        kernel = self._giving(grad_output, input_size)
        return kernel.input_gradient(grad_output, weight, out)

    def weight_gradient(self, x: Any, grad_output: Any, out: Any = None) -> Any:
        """The weight gradient at the size of x."""
        return self._of(x).weight_gradient(x, grad_output, out)

    def bias_gradient(
        self, grad_output: Any, out: Any = None, *, input_size: Sizes | None = None
    ) -> Any:
        """The bias gradient; ``input_size`` as for the input gradient."""
        return self._giving(grad_output, input_size).bias_gradient(grad_output, out)

    def error_bound(
        self,
        first: Any,
        second: Any = None,
        bias: Any = None,
        *,
        direction: str = "forward",
        input_size: Sizes | None = None,
    ) -> Any:
        """As that of ``Kernel``; ``input_size`` as for the function called ``direction``."""
        of_x = direction in ("forward", "weight_gradient")
        kernel = self._of(first) if of_x else self._giving(first, input_size)
        return kernel.error_bound(first, second, bias, direction=direction)

    @property
    def certificate(self) -> NoReturn:
        """LayoutError: each size has a text and a record of its own."""
        raise LayoutError(
            "certificate: there is one for each size; at(input_size).certificate is that of a size"
        )

    def _giving(self, grad_output: Any, input_size: Sizes | None) -> AnyKernel:
        if input_size is not None:
            return self.at(input_size)
        sizes = self._sizes("grad_output", grad_output)
        return self.at(tuple(map(_only_input, self.op.rules, sizes)))


def _only_input(rule: AxisRule, n_out: int) -> int:
    """The one input size that gives ``n_out``; LayoutError where there is none or several."""

    def outputs(n: int) -> int:
        return rule.at(n).n_out

    n = 1 + bisect_left(range(1, 2 * (n_out + 1) * rule.period + rule.settled), n_out, key=outputs)
    if outputs(n) != n_out or outputs(n + 1) == n_out:
        raise LayoutError(f"input_size = None: allowed is a size, {n_out} outputs do not tell it")
    return n
