"""Nodes of a graph of torch.export -> layers of derive, by the arguments of their calls.

The graph holds what is computed, whoever wrote it: a module, a function of torch.nn.functional.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import derive
from derive.layers import Layer

from .errors import KeptError

CONV = re.compile(r"aten\.conv([123])d\.(default|padding)")
TRANSPOSED = re.compile(r"aten\.conv_transpose([123])d\.(default|input)")
RESIZE = re.compile(
    r"aten\._?upsample_(nearest_exact|nearest|linear|bilinear|trilinear|bicubic)([123])d(_aa)?\.vec"
)
PAD = re.compile(r"aten\.(pad|constant_pad_nd|reflection_pad[123]d|replication_pad[123]d)\.default")
PAD_MODES = {
    "constant": "zeros",
    "reflect": "reflect",
    "replicate": "replicate",
    "circular": "circular",
    "constant_pad_nd": "zeros",
    "reflection_pad": "reflect",
    "replication_pad": "replicate",
}


def kind_of(target: object) -> str:
    """What a node of this target does: "convolution", "resize", "pad", or nothing of these.

    >>> kind_of("aten.conv2d.default"), kind_of("aten.upsample_nearest2d.vec"), kind_of("aten.relu")
    ('convolution', 'resize', '')
    """
    name = str(target)
    if CONV.fullmatch(name) or TRANSPOSED.fullmatch(name):
        return "convolution"
    if RESIZE.fullmatch(name):
        return "resize"
    return "pad" if PAD.fullmatch(name) else ""


def layer_of(node: Any) -> Layer:
    """The layer of a node at the size it is called with; KeptError or GeometryError if none."""
    name, words = str(node.target), arguments(node)
    shape = sizes_of(node.args[0])
    if match := CONV.fullmatch(name):
        return _convolution(int(match[1]), words, shape)
    if match := TRANSPOSED.fullmatch(name):
        return _transposed(int(match[1]), words, shape)
    if match := RESIZE.fullmatch(name):
        return _resize(match, words, shape)
    if match := PAD.fullmatch(name):
        return _pad(match[1], words, shape)
    raise KeptError(f"{name} is no layer")


def arguments(node: Any) -> dict[str, Any]:
    """The arguments of a node by the names in its operator's schema, defaults filled in."""
    schema = node.target._schema.arguments
    given = {a.name: value for a, value in zip(schema, node.args, strict=False)}
    defaults = {a.name: a.default_value for a in schema if a.has_default_value()}
    return {**defaults, **given, **node.kwargs}


def sizes_of(node: Any) -> tuple[int, ...]:
    """The shape of the value of a node; KeptError where it depends on data."""
    shape = tuple(node.meta["val"].shape)
    if not all(isinstance(size, int) for size in shape):
        raise KeptError(f"its input has shape {shape}, which depends on data")
    return shape


def _convolution(axes: int, words: dict[str, Any], shape: Sequence[int]) -> Layer:
    out, per_group, *kernel = sizes_of(words["weight"])
    kinds = {1: derive.Conv1d, 2: derive.Conv2d, 3: derive.Conv3d}
    return kinds[axes](
        per_group * words["groups"],
        out,
        _each(kernel, axes),
        stride=_each(words["stride"], axes),
        padding=_each(words["padding"], axes),
        dilation=_each(words["dilation"], axes),
        groups=words["groups"],
        bias=words["bias"] is not None,
        input_size=shape[-axes:],
    )


def _transposed(axes: int, words: dict[str, Any], shape: Sequence[int]) -> Layer:
    inputs, per_group, *kernel = sizes_of(words["weight"])
    kinds = {1: derive.ConvTranspose1d, 2: derive.ConvTranspose2d, 3: derive.ConvTranspose3d}
    return kinds[axes](
        inputs,
        per_group * words["groups"],
        _each(kernel, axes),
        stride=_each(words["stride"], axes),
        padding=_each(words["padding"], axes),
        output_padding=_each(words["output_padding"], axes),
        groups=words["groups"],
        bias=words["bias"] is not None,
        dilation=_each(words["dilation"], axes),
        input_size=shape[-axes:],
    )


def _resize(match: re.Match[str], words: dict[str, Any], shape: Sequence[int]) -> Layer:
    axes = int(match[2])
    channels, *sizes = shape[-axes - 1 :]
    size, factors = words["output_size"], words["scale_factors"]
    return derive.Interpolate(
        channels,
        tuple(sizes),
        size=None if size is None else tuple(size),
        scale_factor=None if size is not None else tuple(factors),
        mode=match[1].replace("_", "-"),
        align_corners=words.get("align_corners"),
        antialias=match[3] is not None,
    )


def _pad(name: str, words: dict[str, Any], shape: Sequence[int]) -> Layer:
    amounts = words["pad"] if "pad" in words else words["padding"]
    mode = words.get("mode") or name.rstrip("123d")
    if words.get("value") not in (None, 0):
        raise KeptError(f"it pads by {words['value']}, not by 0")
    axes = len(shape) - 2
    if not 1 <= axes <= 3 or len(amounts) % 2:
        raise KeptError(f"it pads {len(amounts)} sides of an array of {len(shape)} axes")
    pairs = list(zip(amounts[::2], amounts[1::2], strict=True))[::-1]  # torch: the last axis first
    more, pairs = pairs[:-axes], pairs[-axes:]
    if any(map(any, more)):
        raise KeptError("it pads the batch or the channels")
    pairs = [(0, 0)] * (axes - len(pairs)) + pairs
    return derive.Pad(shape[1], tuple(pairs), PAD_MODES[mode], input_size=tuple(shape[2:]))


def _each(value: Any, axes: int) -> Any:
    """A word, or one number for each axis, one number where they are alike."""
    if isinstance(value, str):
        return value
    values = tuple(value) * (axes if len(value) == 1 else 1)
    return values[0] if len(set(values)) == 1 else values
