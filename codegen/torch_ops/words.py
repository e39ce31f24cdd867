"""A layer, or several one after the other, as one canonical text: what an operator is named by."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache
from inspect import signature
from operator import index
from typing import Any

import derive
from codegen.builder import ALGORITHMS
from derive import LinearMap, Operator
from derive.arguments import choice
from derive.catalogue import LAYERS
from derive.core.sizes import OUTPUT_PADDING
from derive.layers import Interpolate, Layer

Sizes = Sequence[int]


@dataclass(frozen=True, slots=True)
class Chain:
    """Layers of free sizes, the one that is applied first leading; one of them is learned."""

    layers: tuple[Layer, ...]
    algorithm: str

    def __post_init__(self) -> None:
        learned = [layer for layer in self.layers if layer.learned]
        if len(learned) != 1:
            names = ", ".join(map(repr, self.layers)) or "none"
            raise derive.GeometryError(f"layers = {names}: allowed is one that learns, in a chain")
        for inner, outer in zip(self.layers, self.layers[1:], strict=False):
            if inner.channels[1] != outer.channels[0]:
                raise derive.GeometryError(
                    f"{outer!r}: allowed is what {inner!r} gives, {inner.channels[1]} channels"
                )

    @property
    def learned(self) -> Layer:
        """The layer that has the weight."""
        return next(layer for layer in self.layers if layer.learned)

    @property
    def channels(self) -> tuple[int, int]:
        """Of what goes in and of what comes out."""
        return self.layers[0].channels[0], self.layers[-1].channels[1]

    @property
    def dimensions(self) -> int:
        """How many sizes an input has."""
        return len(self.layers[0].rules)

    def at(self, input_size: Sizes) -> Operator:
        """The operator of one input size; GeometryError where there is none.

        >>> Chain((derive.Conv1d(1, 2, 3),), "exact").at((5,)).output_shape
        (2, 3)
        """
        op: LinearMap = self.layers[0].at(tuple(input_size))
        for layer in self.layers[1:]:
            op = layer.at(op.output_size) @ op  # type: ignore[arg-type]
        assert isinstance(op, Operator)
        return op

    def output_size(self, input_size: Sizes) -> tuple[int, ...]:
        """The sizes that come out: the derived formulas, which take symbolic integers too.

        >>> Chain((derive.Conv1d(1, 2, 3, stride=2),), "exact").output_size((8,))
        (3,)
        """
        sizes = tuple(input_size)
        for layer in self.layers:
            rules: Sequence[Any] = layer.rules  # of a layer: all have their size formula
            sizes = tuple(rule.output_size(n) for rule, n in zip(rules, sizes, strict=True))
        return sizes


def words_of(*layers: Layer, algorithm: str = "exact") -> str:
    """The canonical text of layers that are applied one after the other, the first one leading.

    Their sizes are left free, whatever they were made with: a kernel is made for each size that
    comes. GeometryError unless exactly one of them is learned.

    >>> words_of(derive.Conv1d(1, 1, 3))
    '{"algorithm":"exact","layers":[["Conv1d",{"in_channels":1,"kernel_size":3,"out_channels":1}]]}'
    """
    choice("algorithm", algorithm, ALGORITHMS)
    tables = [[type(layer).__name__, _table(layer)] for layer in layers]
    text = json.dumps(
        {"algorithm": algorithm, "layers": tables}, sort_keys=True, separators=(",", ":")
    )
    chain_of(text)
    return text


@lru_cache(maxsize=4096)
def chain_of(words: str) -> Chain:
    """The layers of a text; GeometryError where it is none of ``words_of``.

    >>> chain_of(words_of(derive.Conv1d(1, 1, 3), algorithm="fast"))
    Chain(layers=(Conv1d(1, 1, 3),), algorithm='fast')
    """
    try:
        found = json.loads(words)
        made = [LAYERS[name](**_tuples(table)) for name, table in found["layers"]]
        algorithm = choice("algorithm", found["algorithm"], ALGORITHMS)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        if isinstance(error, derive.GeometryError):
            raise
        raise derive.GeometryError(
            f"layer = {words!r}: allowed is a text of codegen.torch_ops.words_of"
        ) from None
    return Chain(tuple(made), algorithm)


def _table(layer: Layer) -> dict[str, Any]:
    """The parameters of a layer that are not as by default, its sizes left free."""
    words = dict(layer.parameters)
    axes = len(layer.rules)
    words["input_size"] = (None,) * axes if isinstance(layer, Interpolate) else None
    if words.get("output_size") is not None:
        words["output_size"] = None
        words["output_padding"] = tuple(rule.values[OUTPUT_PADDING] for rule in layer.rules)
    defaults = _defaults(type(layer))
    return {
        name: _plain(value)
        for name, value in words.items()
        if name not in defaults or defaults[name] != value
    }


@cache
def _defaults(kind: type[Layer]) -> dict[str, Any]:
    parameters = signature(kind).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def _plain(value: Any) -> Any:
    """A parameter as JSON has it: fractions as their text, NumPy's integers as Python's."""
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, (Fraction, float)):
        return str(value)
    return value if isinstance(value, bool) or not hasattr(value, "__index__") else index(value)


def _tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _tuples(each) for name, each in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
