# Copied by `python -m codegen` from codegen/_runtime; edit it there.
"""A kernel as its user sees it: four checked functions over raw ones of one dtype."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import arrays
from .arrays import Array, LayoutError, Raw, Shape
from .shortcut import Shortcut, shortcuts
from .weighted import PreparedWeight

Inputs = dict[str, Array | PreparedWeight]
WEIGHTED = ("forward", "input_gradient")  # the functions of a weight


@dataclass(frozen=True)
class Kernel:
    """One operator, specialised: sizes are constants, the batch is free.

    Arrays are NumPy's or torch's (CPU), of one dtype among ``dtypes``; the result is of the kind
    of the first one. All functions take ``(batch, *shape)``, or one sample without the batch.
    ``load`` gives the raw functions of a dtype. Calls are reentrant: nothing of one is kept. Those
    named ``fast`` are by fast algorithms, which round integers too, within ``error_bound``.
    """

    name: str
    input_shape: Shape
    output_shape: Shape
    weight_shape: Shape | None
    bias_shape: Shape | None
    macs: int
    naive_macs: int
    load: Callable[[str], Mapping[str, Raw]]
    dtypes: tuple[str, ...] = ("float32", "float64", "int64")
    source: str = ""
    bound: Callable[[str, Sequence[Array], str], Array] | None = None
    record: Callable[[], Mapping[str, Any]] | None = None
    fast: tuple[str, ...] = ()
    # by direction and type of the first argument, once a function is loaded
    _shortcuts: dict[str, dict[type, Shortcut]] = field(
        default_factory=lambda: {direction: {} for direction in WEIGHTED},
        init=False,
        repr=False,
        compare=False,
    )

    def __call__(self, x: Any, weight: Any = None, bias: Any = None, out: Any = None) -> Any:
        """Same as ``forward``."""
        return self.forward(x, weight, bias, out)

    def forward(self, x: Any, weight: Any = None, bias: Any = None, out: Any = None) -> Any:
        """The operator: x (batch, *input_shape) -> (batch, *output_shape)."""
        shortcut = self._shortcuts["forward"].get(type(x))
        if shortcut and (result := shortcut(x, weight, bias, out)) is not None:
            return result
        xs, has_batch = self._batched("x", x, self.input_shape)
        inputs: Inputs = {"x": xs, **self._weight(weight)}
        if (bias is None) != (self.bias_shape is None):
            allowed = "None" if bias is not None else f"an array of shape {self.bias_shape}"
            raise LayoutError(f"bias is {type(bias).__name__}; allowed is {allowed}")
        if self.bias_shape is not None:
            inputs["bias"] = self._exactly("bias", bias, self.bias_shape)
        shape = (len(xs), *self.output_shape) if has_batch else self.output_shape
        return self._run("forward", x, inputs, shape, out, single=not has_batch)

    def input_gradient(self, grad_output: Any, weight: Any = None, out: Any = None) -> Any:
        """grad_output (batch, *output_shape) -> (batch, *input_shape)."""
        shortcut = self._shortcuts["input_gradient"].get(type(grad_output))
        if shortcut and (result := shortcut(grad_output, weight, None, out)) is not None:
            return result
        grads, has_batch = self._batched("grad_output", grad_output, self.output_shape)
        inputs: Inputs = {"grad_output": grads, **self._weight(weight)}
        shape = (len(grads), *self.input_shape) if has_batch else self.input_shape
        return self._run("input_gradient", grad_output, inputs, shape, out, single=not has_batch)

    def weight_gradient(self, x: Any, grad_output: Any, out: Any = None) -> Any:
        """x and grad_output of one batch -> weight_shape, summed over the batch."""
        if self.weight_shape is None:
            raise LayoutError("weight_gradient: this operator learns nothing")
        xs, x_batched = self._batched("x", x, self.input_shape)
        grads, grad_batched = self._batched("grad_output", grad_output, self.output_shape)
        if (x_batched, len(xs)) != (grad_batched, len(grads)):
            batch = len(xs) if x_batched else "without a batch"
            raise LayoutError(
                f"grad_output has shape {np.shape(grad_output)}; allowed is the batch of x: {batch}"
            )
        inputs: Inputs = {"x": xs, "grad_output": grads}
        return self._run("weight_gradient", x, inputs, self.weight_shape, out)

    def bias_gradient(self, grad_output: Any, out: Any = None) -> Any:
        """grad_output (batch, *output_shape) -> (out channels,): the sum over all else."""
        if self.weight_shape is None:
            raise LayoutError("bias_gradient: this operator learns nothing")
        grads, _ = self._batched("grad_output", grad_output, self.output_shape)
        inputs: Inputs = {"grad_output": grads}
        return self._run("bias_gradient", grad_output, inputs, self.output_shape[:1], out)

    def prepare(self, weight: Any, direction: str = "forward") -> PreparedWeight:
        """The weight as "forward" or "input_gradient" takes it, to be passed to it in its place.

        It saves folding, packing or transforming the same weight in every call.
        """
        if self.weight_shape is None:
            raise LayoutError("prepare: this operator learns nothing")
        if direction not in WEIGHTED:
            raise LayoutError(f"direction = {direction!r}: allowed is one of {', '.join(WEIGHTED)}")
        array = self._exactly("weight", weight, self.weight_shape)
        arrays.check_dtype("weight", array, [np.dtype(name) for name in self.dtypes])
        raw = self.load(array.dtype.name)[direction]
        return PreparedWeight.of(raw, arrays.contiguous("weight", array))

    @property
    def certificate(self) -> Mapping[str, Any]:
        """Hashes of the texts, and what was checked of them: the record beside a generated kernel.

        RecordError where a text is not the recorded one.
        """
        if self.record is None:
            raise LayoutError("certificate: this kernel came without its record; see codegen")
        return self.record()

    def error_bound(
        self, first: Any, second: Any = None, bias: Any = None, *, direction: str = "forward"
    ) -> Array:
        """The most by which each number of a result may differ from exact arithmetic.

        The arguments are those of the function called ``direction``, in their order; the result has
        the shape of its result, in float64. LayoutError for a kernel that came without its
        operator: codegen.build gives one with it.
        """
        if self.bound is None:
            raise LayoutError("error_bound: this kernel came without its operator; see codegen")
        shapes = {"forward": self.input_shape, "weight_gradient": self.input_shape}
        xs, has_batch = self._batched("first", first, shapes.get(direction, self.output_shape))
        inputs = [xs]
        if direction == "weight_gradient":
            inputs.append(self._batched("grad_output", second, self.output_shape)[0])
        elif direction != "bias_gradient":
            inputs += map(_itself, self._weight(second).values())
        if direction == "forward" and self.bias_shape is not None:
            inputs.append(self._exactly("bias", bias, self.bias_shape))
        found = self.bound(direction, inputs, xs.dtype.name)
        per_sample = direction in ("forward", "input_gradient")
        return found[0] if per_sample and not has_batch else found

    def _weight(self, weight: Any) -> Inputs:
        """The weight to pass on, if the operator takes one."""
        if self.weight_shape is None:
            if weight is not None:
                raise LayoutError("weight is given; allowed is None: this operator learns nothing")
            return {}
        if isinstance(weight, PreparedWeight):
            return {"weight": weight}
        return {"weight": self._exactly("weight", weight, self.weight_shape)}

    @staticmethod
    def _batched(name: str, value: Any, shape: Shape) -> tuple[Array, bool]:
        return arrays.batched(name, arrays.as_array(name, value), shape)

    @staticmethod
    def _exactly(name: str, value: Any, shape: Shape) -> Array:
        array = arrays.as_array(name, value)
        arrays.check_shape(name, array, shape)
        return array

    def _run(
        self,
        direction: str,
        first: Any,
        inputs: Inputs,
        shape: Shape,
        out: Any,
        *,
        single: bool = False,
    ) -> Any:
        """Check what is left to check, make room for the result and call the raw function."""
        allowed = [np.dtype(name) for name in self.dtypes]
        plain = {
            name: each.array if isinstance(each, PreparedWeight) else each
            for name, each in inputs.items()
        }
        for name, array in plain.items():
            arrays.check_dtype(name, array, allowed)
            allowed = [array.dtype]  # all of the first one's
        dtype = allowed[0]
        written = arrays.output("out", out, shape, dtype, list(plain.values()))
        ready = [arrays.contiguous(name, array) for name, array in plain.items()]
        raw = self.load(dtype.name)[direction]
        prepared = inputs.get("weight")
        if isinstance(prepared, PreparedWeight):
            if prepared.raw is not raw:
                raise LayoutError(f"weight was not prepared for {direction} of {self.name}")
            raw = prepared.direct
        raw(*ready, written[None] if single else written)
        if direction in WEIGHTED:
            self._learn(direction, type(first), self.load(dtype.name)[direction], dtype)
        return arrays.like(first, written) if out is None else out

    def _learn(self, direction: str, kind: type, raw: Raw, dtype: np.dtype[Any]) -> None:
        """Make the next calls of a loaded function short, for the dtype that came last."""
        known = self._shortcuts[direction].get(kind)
        if known is not None and known.raw is raw:
            return
        ends, bias = (self.input_shape, self.output_shape), self.bias_shape
        if direction == "input_gradient":
            ends, bias = ends[::-1], None
        self._shortcuts[direction] = shortcuts(
            raw, dtype, first=ends[0], weight=self.weight_shape, bias=bias, result=ends[1]
        )


def _itself(weight: Array | PreparedWeight) -> Array:
    if isinstance(weight, PreparedWeight):
        raise LayoutError("weight is a prepared one; allowed is the weight itself")
    return weight
