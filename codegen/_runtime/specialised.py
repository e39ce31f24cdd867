"""What kernels of every target share: their sizes, and what their functions take."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic

from . import arrays
from .arrays import Array, LayoutError, Shape, V
from .weighted import Prepared

WEIGHTED = ("forward", "input_gradient")  # the functions of a weight
SUMMED = ("weight_gradient", "bias_gradient")  # those summed over the batch
Read = Callable[[str, Any], V]  # the view of an argument, by its name


@dataclass(frozen=True, slots=True)
class Taken(Generic[V]):
    """What a call takes, each in the shape that it must have, and the shape of its result.

    Where it is ``single``, a sample without its batch, ``inputs`` are a batch of one.
    """

    direction: str
    inputs: Mapping[str, V | Prepared]
    shape: Shape
    single: bool = False


@dataclass(frozen=True, kw_only=True)
class Specialised:
    """One operator, specialised: sizes are constants, the batch is free.

    Functions named ``fast`` are by fast algorithms, which round integers too, within
    ``error_bound``.
    """

    name: str
    input_shape: Shape
    output_shape: Shape
    weight_shape: Shape | None
    bias_shape: Shape | None
    macs: int
    naive_macs: int
    dtypes: tuple[str, ...] = ("float32", "float64", "int64")
    source: str = ""
    bound: Callable[[str, Sequence[Array], str], Array] | None = None
    record: Callable[[], Mapping[str, Any]] | None = None
    fast: tuple[str, ...] = ()

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

        The arguments are those of the function called ``direction``, in their order, in the memory
        of the host; the result has the shape of its result, in float64. LayoutError for a kernel
        that came without its operator: codegen.build gives one with it.
        """
        if self.bound is None:
            raise LayoutError("error_bound: this kernel came without its operator; see codegen")
        read = arrays.as_array
        shapes = {"forward": self.input_shape, "weight_gradient": self.input_shape}
        shape = shapes.get(direction, self.output_shape)
        xs, has_batch = arrays.batched("first", read("first", first), shape)
        inputs = [xs]
        if direction == "weight_gradient":
            grads = read("grad_output", second)
            inputs.append(arrays.batched("grad_output", grads, self.output_shape)[0])
        elif direction != "bias_gradient":
            inputs += map(_itself, self._weight(read, second).values())
        if direction == "forward" and self.bias_shape is not None:
            inputs.append(_exactly(read, "bias", bias, self.bias_shape))
        found = self.bound(direction, inputs, xs.dtype.name)
        per_sample = direction in WEIGHTED
        return found[0] if per_sample and not has_batch else found

    def _of_forward(self, read: Read[V], x: Any, weight: Any, bias: Any) -> Taken[V]:
        xs, has_batch = arrays.batched("x", read("x", x), self.input_shape)
        inputs: dict[str, V | Prepared] = {"x": xs, **self._weight(read, weight)}
        if (bias is None) != (self.bias_shape is None):
            allowed = "None" if bias is not None else f"an array of shape {self.bias_shape}"
            raise LayoutError(f"bias is {type(bias).__name__}; allowed is {allowed}")
        if self.bias_shape is not None:
            inputs["bias"] = _exactly(read, "bias", bias, self.bias_shape)
        shape = (xs.shape[0], *self.output_shape) if has_batch else self.output_shape
        return Taken("forward", inputs, shape, not has_batch)

    def _of_input_gradient(self, read: Read[V], grad_output: Any, weight: Any) -> Taken[V]:
        grads, has_batch = self._gradients(read, grad_output)
        inputs = {"grad_output": grads, **self._weight(read, weight)}
        shape = (grads.shape[0], *self.input_shape) if has_batch else self.input_shape
        return Taken("input_gradient", inputs, shape, not has_batch)

    def _of_weight_gradient(self, read: Read[V], x: Any, grad_output: Any) -> Taken[V]:
        weight_shape = self._learned("weight_gradient")
        xs, x_batched = arrays.batched("x", read("x", x), self.input_shape)
        grads, grad_batched = self._gradients(read, grad_output)
        if (x_batched, xs.shape[0]) != (grad_batched, grads.shape[0]):
            given = grads.shape if grad_batched else grads.shape[1:]
            batch = xs.shape[0] if x_batched else "without a batch"
            raise LayoutError(f"grad_output has shape {given}; allowed is the batch of x: {batch}")
        return Taken("weight_gradient", {"x": xs, "grad_output": grads}, weight_shape)

    def _of_bias_gradient(self, read: Read[V], grad_output: Any) -> Taken[V]:
        self._learned("bias_gradient")
        grads, _ = self._gradients(read, grad_output)
        return Taken("bias_gradient", {"grad_output": grads}, self.output_shape[:1])

    def _to_prepare(self, read: Read[V], weight: Any, direction: str) -> V:
        """The weight to prepare for a direction."""
        weight_shape = self._learned("prepare")
        if direction not in WEIGHTED:
            raise LayoutError(f"direction = {direction!r}: allowed is one of {', '.join(WEIGHTED)}")
        return _exactly(read, "weight", weight, weight_shape)

    def _learned(self, what: str) -> Shape:
        """The shape of the weight, which ``what`` needs."""
        if self.weight_shape is None:
            raise LayoutError(f"{what}: this operator learns nothing")
        return self.weight_shape

    def _gradients(self, read: Read[V], grad_output: Any) -> tuple[V, bool]:
        return arrays.batched("grad_output", read("grad_output", grad_output), self.output_shape)

    def _weight(self, read: Read[V], weight: Any) -> dict[str, V | Prepared]:
        """The weight to pass on, if the operator takes one."""
        if self.weight_shape is None:
            if weight is not None:
                raise LayoutError("weight is given; allowed is None: this operator learns nothing")
            return {}
        if isinstance(weight, Prepared):
            return {"weight": weight}
        return {"weight": _exactly(read, "weight", weight, self.weight_shape)}


def _exactly(read: Read[V], name: str, value: Any, shape: Shape) -> V:
    view = read(name, value)
    arrays.check_shape(name, view, shape)
    return view


def _itself(weight: Array | Prepared) -> Array:
    if isinstance(weight, Prepared):
        raise LayoutError("weight is a prepared one; allowed is the weight itself")
    return weight
