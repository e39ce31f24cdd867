"""A kernel as its user sees it: four checked functions over raw ones of one dtype."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from . import arrays
from .arrays import Array, LayoutError, Raw
from .shortcut import shortcuts, sums
from .specialised import SUMMED, WEIGHTED, Specialised, Taken
from .together import Together
from .weighted import Prepared, PreparedWeight


@dataclass(frozen=True, kw_only=True)
class Kernel(Specialised):
    """One operator, specialised: sizes are constants, the batch is free.

    Arrays are NumPy's or torch's (CPU), of one dtype among ``dtypes``; the result is of the kind
    of the first one. All functions take ``(batch, *shape)``, or one sample without the batch.
    ``load`` gives the raw functions of a dtype. Calls are reentrant: nothing of one is kept. Those
    named ``fast`` are by fast algorithms, which round integers too, within ``error_bound``.
    """

    load: Callable[[str], Mapping[str, Raw]]
    # by direction and type of the first argument, once a function is loaded
    _shortcuts: dict[str, dict[type, Any]] = field(
        default_factory=lambda: {direction: {} for direction in (*WEIGHTED, *SUMMED)},
        init=False,
        repr=False,
        compare=False,
    )
    _together: dict[type, Together] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __call__(self, x: Any, weight: Any = None, bias: Any = None, out: Any = None) -> Any:
        """Same as ``forward``."""
        return self.forward(x, weight, bias, out)

    def forward(self, x: Any, weight: Any = None, bias: Any = None, out: Any = None) -> Any:
        """The operator: x (batch, *input_shape) -> (batch, *output_shape)."""
        shortcut = self._shortcuts["forward"].get(type(x))
        if shortcut and (result := shortcut(x, weight, bias, out)) is not None:
            return result
        return self._run(self._of_forward(arrays.as_array, x, weight, bias), x, out)

    def input_gradient(self, grad_output: Any, weight: Any = None, out: Any = None) -> Any:
        """grad_output (batch, *output_shape) -> (batch, *input_shape)."""
        shortcut = self._shortcuts["input_gradient"].get(type(grad_output))
        if shortcut and (result := shortcut(grad_output, weight, None, out)) is not None:
            return result
        taken = self._of_input_gradient(arrays.as_array, grad_output, weight)
        return self._run(taken, grad_output, out)

    def weight_gradient(self, x: Any, grad_output: Any, out: Any = None) -> Any:
        """x and grad_output of one batch -> weight_shape, summed over the batch."""
        shortcut = self._shortcuts["weight_gradient"].get(type(x))
        if shortcut and (result := shortcut((x, grad_output), out)) is not None:
            return result
        return self._run(self._of_weight_gradient(arrays.as_array, x, grad_output), x, out)

    def bias_gradient(self, grad_output: Any, out: Any = None) -> Any:
        """grad_output (batch, *output_shape) -> (out channels,): the sum over all else."""
        shortcut = self._shortcuts["bias_gradient"].get(type(grad_output))
        if shortcut and (result := shortcut((grad_output,), out)) is not None:
            return result
        return self._run(self._of_bias_gradient(arrays.as_array, grad_output), grad_output, out)

    def gradients(
        self, x: Any, weight: Any, grad_output: Any, needed: Sequence[bool] = (True, True, True)
    ) -> tuple[Any, Any, Any]:
        """By x, weight and bias, each None where it is not ``needed``; as by the three functions.

        What only those read that are not needed is not looked at, and may be None.
        """
        its = type(grad_output)
        together = self._together.get(its) or Together.of(self._shortcuts, its)
        if together:
            self._together[its] = together
            if found := together(x, weight, grad_output, needed):
                return found
        through_x, through_weight, through_bias = needed
        return (
            self.input_gradient(grad_output, weight) if through_x else None,
            self.weight_gradient(x, grad_output) if through_weight else None,
            self.bias_gradient(grad_output) if through_bias else None,
        )

    def prepare(self, weight: Any, direction: str = "forward") -> PreparedWeight:
        """The weight as "forward" or "input_gradient" takes it, to be passed to it in its place.

        It saves folding, packing or transforming the same weight in every call.
        """
        array = self._to_prepare(arrays.as_array, weight, direction)
        arrays.check_dtype("weight", array, [np.dtype(name) for name in self.dtypes])
        raw = self.load(array.dtype.name)[direction]
        return PreparedWeight.of(raw, arrays.contiguous("weight", array))

    def _run(self, taken: Taken[Array], first: Any, out: Any) -> Any:
        """Check what is left to check, make room for the result and call the raw function."""
        direction = taken.direction
        allowed = [np.dtype(name) for name in self.dtypes]
        plain = {name: _array(each) for name, each in taken.inputs.items()}
        for name, array in plain.items():
            arrays.check_dtype(name, array, allowed)
            allowed = [array.dtype]  # all of the first one's
        dtype = allowed[0]
        written = arrays.output("out", out, taken.shape, dtype, list(plain.values()))
        ready = [arrays.contiguous(name, array) for name, array in plain.items()]
        raw = self.load(dtype.name)[direction]
        prepared = taken.inputs.get("weight")
        if isinstance(prepared, PreparedWeight):
            if prepared.raw is not raw:
                raise LayoutError(f"weight was not prepared for {direction} of {self.name}")
            raw = prepared.direct
        raw(*ready, written[None] if taken.single else written)
        self._learn(direction, type(first), self.load(dtype.name)[direction], dtype)
        return arrays.like(first, written) if out is None else out

    def _learn(self, direction: str, kind: type, raw: Raw, dtype: np.dtype[Any]) -> None:
        """Make the next calls of a loaded function short, for the dtype that came last."""
        known = self._shortcuts[direction].get(kind)
        if known is not None and known.raw is raw:
            return
        x, y, weight = self.input_shape, self.output_shape, self.weight_shape
        made: dict[type, Any]
        if direction == "forward":
            made = shortcuts(raw, dtype, first=x, weight=weight, bias=self.bias_shape, result=y)
        elif direction == "input_gradient":
            made = shortcuts(raw, dtype, first=y, weight=weight, bias=None, result=x)
        elif direction == "weight_gradient":
            made = sums(raw, dtype, samples=(x, y), result=self._learned(direction))
        else:
            made = sums(raw, dtype, samples=(y,), result=y[:1])
        self._shortcuts[direction] = made
        self._together.clear()


def _array(given: Array | Prepared) -> Array:
    """The numbers to look at, of an array or of a prepared weight."""
    if isinstance(given, PreparedWeight):
        return given.array
    if isinstance(given, Prepared):
        raise LayoutError("weight was prepared for another device; allowed is one for the cpu")
    return given


def host_kernel(of: Specialised, functions: Mapping[str, Raw], dtype: str) -> Kernel:
    """The kernel of the same operator over functions of NumPy arrays of a dtype."""
    shared = {each.name: getattr(of, each.name) for each in fields(Specialised)}
    return Kernel(**{**shared, "dtypes": (dtype,)}, load=lambda _: functions)
