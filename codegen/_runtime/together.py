"""The gradients of one call together: what they share is looked at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .places import batch_of
from .shortcut import Shortcut, Sum

Gradients = tuple[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class Together:
    """The short ways of the gradients by x, weight and bias, of one kind of arrays."""

    by_x: Shortcut
    by_weight: Sum
    by_bias: Sum

    @classmethod
    def of(cls, known: Mapping[str, Mapping[type, Any]], its: type) -> Together | None:
        """Of those that are known for a type of array, of one dtype; None where one is not."""
        x = known["input_gradient"].get(its)
        weight, bias = known["weight_gradient"].get(its), known["bias_gradient"].get(its)
        if x is None or weight is None or bias is None or not x.kind == weight.kind == bias.kind:
            return None
        return cls(x, weight, bias)

    def __call__(
        self, x: Any, weight: Any, grad_output: Any, needed: Sequence[bool]
    ) -> Gradients | None:
        """The needed ones; None where the long way is to be taken."""
        kind, batch = self.by_weight.kind, batch_of(grad_output)
        place, dtype = kind.place, kind.dtype
        if not batch or type(grad_output) not in kind.types:
            return None
        through_x, through_weight, through_bias = needed
        samples = self.by_weight.samples
        y = place(grad_output, (batch, *samples[1]), dtype)
        if not y:
            return None
        if through_x:
            w = self.by_x.weight_place(weight)
            if not w:
                return None
        if through_weight:
            xs = place(x, (batch, *samples[0]), dtype) if type(x) in kind.types else 0
            if not xs:
                return None
        made: list[Any] = [None, None, None]
        room, itemsize = kind.room, dtype.itemsize
        if through_x:
            made[0], begin = room(grad_output, (batch, *samples[0]))
            self.by_x.function.at(batch, itemsize, y, w, begin)
        if through_weight:
            made[1], begin = room(grad_output, self.by_weight.result)
            self.by_weight.raw.at(batch, itemsize, xs, y, begin)
        if through_bias:
            made[2], begin = room(grad_output, self.by_bias.result)
            self.by_bias.raw.at(batch, itemsize, y, begin)
        return made[0], made[1], made[2]
