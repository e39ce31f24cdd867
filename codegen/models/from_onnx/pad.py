"""Pad nodes, where they pad positions only and with zeros or with what is there."""

from __future__ import annotations

from typing import Any

import derive
from codegen.models.errors import KeptError

from .graph import Graph, attributes

MODES = {"constant": "zeros", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}


def pad(node: Any, graph: Graph) -> derive.Pad:
    """The layer of a Pad node; KeptError or GeometryError where there is none."""
    words = attributes(node)
    shape = graph.shape(node.input[0])
    mode = words.get("mode", "constant")
    if mode not in MODES:
        raise KeptError(f"mode = {mode!r}: allowed is one of {', '.join(MODES)}")
    pairs = _pairs(node, graph, words, len(shape))
    if any(map(any, pairs[:2])):
        raise KeptError("it pads the batch or the channels")
    if mode == "constant" and _constant(node, graph, words) != 0:
        raise KeptError("it pads by a number other than 0")
    if None in shape[1:]:
        raise KeptError("the size of its input is not known")
    channels, *sizes = (size for size in shape[1:] if size is not None)
    for n, (before, after) in zip(sizes, pairs[2:], strict=True):
        if min(before, after) < 0 and mode != "constant":
            raise KeptError(f"pads of {(before, after)} with mode = {mode!r}")
        if n + min(before, 0) + min(after, 0) < 1:
            raise KeptError(f"pads of {(before, after)} crop more than the {n} positions there are")
    return derive.Pad(channels, tuple(pairs[2:]), MODES[mode], input_size=tuple(sizes))


def _pairs(node: Any, graph: Graph, words: dict[str, Any], rank: int) -> list[tuple[int, int]]:
    """(before, after) of every axis of the input."""
    given = words.get("pads") if graph.opset < 11 else graph.numbers(_input(node, 1), "its pads")
    axes = graph.numbers(_input(node, 3), "axes") if graph.opset >= 18 else None
    axes = tuple(range(rank)) if axes is None else tuple(a + rank * (a < 0) for a in axes)
    if given is None or len(given) != 2 * len(axes) or len(set(axes)) != len(axes):
        raise KeptError(f"pads = {given}: allowed are two numbers for each axis")
    if any(not 0 <= axis < rank for axis in axes):
        raise KeptError(f"axes = {axes}: allowed are 0 to {rank - 1}")
    pairs = [(0, 0)] * rank
    for axis, before, after in zip(axes, given[: len(axes)], given[len(axes) :], strict=True):
        pairs[axis] = (int(before), int(after))
    return pairs


def _constant(node: Any, graph: Graph, words: dict[str, Any]) -> Any:
    if graph.opset < 11:
        return words.get("value", 0)
    value = graph.numbers(_input(node, 2), "the number to pad with")
    return value[0] if value else 0


def _input(node: Any, place: int) -> str:
    return node.input[place] if len(node.input) > place else ""
