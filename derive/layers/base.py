"""A layer: an operator in torch's words."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, ClassVar, Self

from derive.arguments import Each, Pair, boolean, integer, refuse
from derive.core.notation import text
from derive.core.resize_rule import ResizeRule
from derive.core.rules import ConvolutionRule, TransposedRule
from derive.errors import GeometryError
from derive.operator import Operator

LARGEST_ARRAY = 2**63 - 1  # elements that a 64-bit index reaches


class Layer(Operator):
    """An operator in torch's words; ``parameters`` holds the arguments it was made with."""

    dimensions: ClassVar[int]

    def __init__(
        self,
        parameters: Mapping[str, Any],
        rules: Sequence[ConvolutionRule | TransposedRule | ResizeRule],
        *,
        groups: int,
        channels: Pair,
        output_leads: bool,
        bias: object,
        sizes: tuple[int, ...] | None,
        learned: bool = True,
    ) -> None:
        for name, count in zip(("in_channels", "out_channels"), channels, strict=True):
            if count % groups:
                refuse("groups", groups, f"a divisor of {name} = {count}")
        self.parameters = {
            name: _frozen(value)
            for name, value in parameters.items()
            if name not in ("self", "__class__")
        }
        super().__init__(
            self._words(),
            rules,
            groups=groups,
            channels_in=channels[0] // groups,
            channels_out=channels[1] // groups,
            output_leads=output_leads,
            bias=boolean("bias", bias),
            sizes=sizes,
            learned=learned,
        )
        _check_count("in_channels, out_channels, kernel_size", "weight", self.weight_shape or ())
        if sizes is not None:
            self._check_sizes(
                sizes, [rule.output_size(n) for rule, n in zip(rules, sizes, strict=True)]
            )

    def at(self, input_size: Each) -> Self:
        """The same layer at a fixed input size.

        >>> from derive import Conv1d
        >>> Conv1d(1, 1, 3).at(5).output_size
        (3,)
        """
        return type(self)(**{**self.parameters, "input_size": input_size})

    def _words(self) -> str:
        """The call that makes this layer, defaults left out."""
        words = []
        for name, parameter in inspect.signature(type(self)).parameters.items():
            value = self.parameters[name]
            if parameter.default is parameter.empty:
                words.append(repr(value))
            elif value != parameter.default or type(value) is not type(parameter.default):
                words.append(f"{name}={value!r}")
        return f"{type(self).__name__}({', '.join(words)})"

    def _check_sizes(self, sizes: Sequence[int], output_sizes: Sequence[int]) -> None:
        for axis, (n, n_out) in enumerate(zip(sizes, output_sizes, strict=True)):
            if n_out < 1:
                rule = self.rules[axis]
                formula = text(rule.size.formula.subs(rule.values))
                refuse(
                    f"input_size[{axis}]",
                    n,
                    f"an input with at least 1 output, here it would have {n_out}; {formula}",
                )
        inputs, outputs = self.groups * self.channels_in, self.groups * self.channels_out
        _check_count("in_channels, input_size", "input", (inputs, *sizes))
        _check_count("out_channels, input_size", "output", (outputs, *output_sizes))


class Channelwise(Layer):
    """A layer that learns nothing and does the same to every channel."""

    def __init__(
        self,
        parameters: Mapping[str, Any],
        rules: Sequence[ConvolutionRule | ResizeRule],
        *,
        channels: object,
        sizes: tuple[int, ...] | None,
    ) -> None:
        count = integer("channels", channels, 1)
        super().__init__(
            parameters,
            rules,
            groups=count,
            channels=(count, count),
            output_leads=True,
            bias=False,
            sizes=sizes,
            learned=False,
        )


def _check_count(names: str, what: str, shape: Sequence[int]) -> None:
    """GeometryError where the parameters ``names`` make an array beyond a 64-bit index."""
    if prod(shape) > LARGEST_ARRAY:
        raise GeometryError(
            f"{names}: the {what} of shape {tuple(shape)} would have {prod(shape)} elements; "
            f"allowed are at most {LARGEST_ARRAY}"
        )


def _frozen(value: Any) -> Any:
    """Lists as tuples, so that no caller changes the parameters later."""
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
