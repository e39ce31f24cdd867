"""Conv and ConvTranspose nodes in torch's words, as the ONNX operator specification has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import derive
from codegen.models.errors import KeptError
from derive.layers import Layer

from .graph import Graph, attributes

CONV = {1: derive.Conv1d, 2: derive.Conv2d, 3: derive.Conv3d}
TRANSPOSED = {
    1: derive.ConvTranspose1d,
    2: derive.ConvTranspose2d,
    3: derive.ConvTranspose3d,
}
AUTO = ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")
Sizes = tuple[int, ...] | None
Pairs = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Window:
    """What both kinds of node say of their axes."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    group: int
    auto_pad: str
    sizes: Sizes  # of the input, None where one is not known

    @property
    def reaches(self) -> tuple[int, ...]:
        """d(k - 1) + 1 of each axis."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilations, strict=True))


def convolution(node: Any, graph: Graph) -> Layer:
    """The layer of a Conv node; KeptError or GeometryError where there is none."""
    words = attributes(node)
    window, weight = _window(node, graph, words)
    layer = CONV[len(window.kernel)](
        weight[1] * window.group,
        weight[0],
        window.kernel,
        stride=window.strides,
        padding=_padding(window, words),
        dilation=window.dilations,
        groups=window.group,
        bias=_has_bias(node),
        input_size=window.sizes,
    )
    return layer


def transposed(node: Any, graph: Graph) -> Layer:
    """The layer of a ConvTranspose node; KeptError or GeometryError where there is none."""
    words = attributes(node)
    window, weight = _window(node, graph, words)
    axes = len(window.kernel)
    extra = _ints("output_padding", words, (0,) * axes)
    wanted = words.get("output_shape")
    if wanted is not None:
        wanted = _ints("output_shape", words, ())[-axes:]
    elif window.auto_pad.startswith("SAME"):
        if window.sizes is None:
            raise KeptError(f"auto_pad = {window.auto_pad} needs an input size")
        wanted = tuple(n * s for n, s in zip(window.sizes, window.strides, strict=True))
    pads = _pads(words, axes) if wanted is None else _shared(window, wanted, extra)
    layer = TRANSPOSED[axes](
        weight[0],
        weight[1] * window.group,
        window.kernel,
        stride=window.strides,
        padding=pads,
        output_padding=extra,
        groups=window.group,
        bias=_has_bias(node),
        dilation=window.dilations,
        input_size=window.sizes,
    )
    return layer


def _window(node: Any, graph: Graph, words: Mapping[str, Any]) -> tuple[Window, tuple[int, ...]]:
    """The window, and the shape of the weight."""
    if len(node.input) < 2:
        raise KeptError("it has no weight")
    weight, shape = graph.shape(node.input[1]), graph.shape(node.input[0])
    axes = len(shape) - 2
    if axes not in CONV:
        raise KeptError(f"it has {axes} spatial axes; allowed are 1, 2 and 3")
    if len(weight) != len(shape) or None in weight:
        raise KeptError(f"its weight has shape {weight}")
    known = tuple(size for size in weight if size is not None)
    kernel = _ints("kernel_shape", words, known[2:])
    if kernel != known[2:]:
        raise KeptError(f"kernel_shape = {kernel}, but its weight has shape {known}")
    auto = words.get("auto_pad", "NOTSET")
    if auto not in AUTO:
        raise KeptError(f"auto_pad = {auto!r}: allowed is one of {', '.join(AUTO)}")
    sizes = tuple(size for size in shape[2:] if size is not None)
    group = words.get("group", 1)
    channels = known[0] if node.op_type == "ConvTranspose" else known[1] * group
    if shape[1] not in (None, channels):
        raise KeptError(f"its input has {shape[1]} channels, its weight takes {channels}")
    window = Window(
        kernel,
        _ints("strides", words, (1,) * axes),
        _ints("dilations", words, (1,) * axes),
        group,
        auto,
        sizes if len(sizes) == axes else None,
    )
    return window, known


def _padding(window: Window, words: Mapping[str, Any]) -> Pairs:
    """(before, after) of a Conv: given, none, or what makes n_out = ceil(n / stride)."""
    if window.auto_pad == "VALID":
        return ((0, 0),) * len(window.kernel)
    if window.auto_pad == "NOTSET":
        return _pads(words, len(window.kernel))
    if window.sizes is None and any(s > 1 for s in window.strides):
        raise KeptError(f"auto_pad = {window.auto_pad} with a stride needs an input size")
    sizes = window.sizes or (1,) * len(window.kernel)  # with stride 1 any gives the same
    totals = [
        max((-(-n // s) - 1) * s + reach - n, 0)
        for n, s, reach in zip(sizes, window.strides, window.reaches, strict=True)
    ]
    return tuple(_split(total, window.auto_pad == "SAME_UPPER") for total in totals)


def _shared(window: Window, wanted: Sequence[int], extra: Sequence[int]) -> Pairs:
    """(before, after) of a ConvTranspose that gives the wanted sizes."""
    if window.auto_pad == "VALID":
        raise KeptError("auto_pad = VALID and output_shape contradict each other")
    if window.sizes is None:
        raise KeptError("output_shape needs an input size")
    if len(wanted) != len(window.kernel):
        raise KeptError(f"output_shape = {tuple(wanted)}: allowed is a size for each axis")
    axes = zip(window.sizes, window.strides, window.reaches, extra, wanted, strict=True)
    totals = [s * (n - 1) + o + reach - m for n, s, reach, o, m in axes]
    if min(totals) < 0:
        raise KeptError(f"the pads would add up to {min(totals)}, which no two runtimes do alike")
    return tuple(_split(total, window.auto_pad == "SAME_UPPER") for total in totals)


def _split(total: int, upper: bool) -> tuple[int, int]:
    """Half on either side; the odd one after for SAME_UPPER, before otherwise."""
    less, more = total // 2, total - total // 2
    return (less, more) if upper else (more, less)


def _pads(words: Mapping[str, Any], axes: int) -> Pairs:
    pads = _ints("pads", words, (0,) * (2 * axes))
    if len(pads) != 2 * axes:
        raise KeptError(f"pads = {pads}: allowed are {2 * axes} numbers")
    if min(pads) < 0:
        raise KeptError(f"pads = {pads}: allowed are numbers >= 0")
    return tuple(zip(pads[:axes], pads[axes:], strict=True))


def _ints(name: str, words: Mapping[str, Any], default: tuple[int, ...]) -> tuple[int, ...]:
    value = words.get(name, default)
    if not isinstance(value, Sequence) or not all(isinstance(each, int) for each in value):
        raise KeptError(f"{name} = {value!r}: allowed are integers")
    return tuple(value)


def _has_bias(node: Any) -> bool:
    return len(node.input) > 2 and bool(node.input[2])
