"""The layers that are measured, as data: what each is, its channels, kernel and input size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import derive
from derive.layers import Interpolate, Layer

from .case import Case

CONVOLUTIONS = {1: derive.Conv1d, 2: derive.Conv2d, 3: derive.Conv3d}
Channels = tuple[int, int]


def case(what: str, layer: Layer, family: str = "", resize: Interpolate | None = None) -> Case:
    """A measurement of the whole family ``what``, or of a part of it that has its own goal."""
    ends = [layer.parameters[f"{side}_channels"] for side in ("in", "out")]
    n = (resize or layer).input_shape[-1]
    return Case(f"{what}: {ends[0]} to {ends[1]} @ {n}", family or what, layer, resize)


def conv(
    what: str, ends: Channels, k: int, n: int, dims: int = 2, family: str = "", **words: Any
) -> Case:
    """A convolution of n positions on each axis, padded by half its kernel."""
    padding = words.get("dilation", 1) * (k - 1) // 2
    layer = CONVOLUTIONS[dims](*ends, k, padding=padding, input_size=n, **words)
    return case(what, layer, family)


def transposed(what: str, ends: Channels, k: int, n: int, family: str = "", **words: Any) -> Case:
    """A transposed convolution of an image."""
    return case(what, derive.ConvTranspose2d(*ends, k, input_size=n, **words), family)


def sound(ends: Channels, n: int) -> Case:
    """A transposed convolution of a signal."""
    layer = derive.ConvTranspose1d(*ends, 16, stride=8, padding=4, input_size=n)
    return case("transposed 1-D k16 s8", layer)


def depthwise(what: str, channels: int, k: int, n: int, stride: int = 1) -> Case:
    """A convolution of every channel by itself."""
    family = f"depthwise s{stride}"
    ends = channels, channels
    return conv(what, ends, k, n, family=family, groups=channels, stride=stride)


def resized(mode: str, channels: int, n: int, family: str = "") -> Case:
    """A resize by 2, then a 3x3 convolution."""
    up = derive.Interpolate(channels, (n, n), scale_factor=2, mode=mode)
    layer = derive.Conv2d(channels, channels, 3, padding=1, input_size=2 * n)
    return case(f"{mode} x2, 3x3", layer, family, up)


# layers of networks that everybody knows
KNOWN = (
    conv("7x7 s2", (3, 64), 7, 224, stride=2),
    conv("3x3", (64, 64), 3, 56),
    conv("3x3", (128, 128), 3, 28),
    conv("3x3", (512, 512), 3, 7),
    conv("1x1", (256, 64), 1, 56),
    conv("3x3 s2", (128, 128), 3, 56, stride=2),
    depthwise("depthwise 3x3", 32, 3, 112),
    depthwise("depthwise 3x3 s2", 96, 3, 112, stride=2),
    depthwise("depthwise 3x3", 144, 3, 56),
    depthwise("depthwise 3x3", 576, 3, 14),
    conv("1x1", (24, 144), 1, 56),
    transposed("transposed k4 s2", (512, 256), 4, 8, stride=2, padding=1),
    transposed("transposed k4 s2", (128, 64), 4, 32, stride=2, padding=1),
    transposed(
        "transposed k4 s2", (64, 3), 4, 64, "transposed k4 s2 to 3 channels", stride=2, padding=1
    ),
    transposed("transposed k9 s4", (56, 1), 9, 64, stride=4, padding=4, output_padding=3),
    transposed("transposed k2 s2", (128, 64), 2, 64, stride=2),
    sound((512, 256), 128),
    resized("nearest", 64, 64, "nearest x2, 3x3, 64 channels"),
    resized("nearest", 128, 64, "nearest x2, 3x3, 128 channels"),
    resized("nearest", 256, 64, "nearest x2, 3x3, 256 channels"),
    resized("bilinear", 64, 64),
    conv("3x3 d2", (64, 64), 3, 56, family="3x3 dilated", dilation=2),
    conv("3x3", (3, 16), 3, 224, family="3x3, 3 channels"),
    conv("3-D 3x3x3", (16, 16), 3, 32, dims=3),
    conv("grouped by 4", (128, 128), 3, 56, groups=32),
)
# layers that no schedule was tuned on
OTHERS = (
    conv("3x3", (96, 96), 3, 40),
    conv("3x3", (256, 256), 3, 14),
    conv("3x3", (32, 32), 3, 112),
    conv("3x3", (64, 128), 3, 80),
    conv("3x3 s2", (64, 128), 3, 56, stride=2),
    conv("3x3 s2", (32, 64), 3, 112, stride=2),
    transposed("transposed k4 s2", (256, 128), 4, 16, stride=2, padding=1),
    transposed("transposed k4 s2", (64, 32), 4, 48, stride=2, padding=1),
    transposed("transposed k3 s2", (64, 32), 3, 32, stride=2, padding=1, output_padding=1),
    resized("nearest", 96, 48, "nearest x2, 3x3, 64 channels"),
    resized("nearest", 128, 32, "nearest x2, 3x3, 128 channels"),
    resized("bilinear", 128, 32),
    conv("3x3 d2", (128, 128), 3, 28, family="3x3 dilated", dilation=2),
    conv("3x3 d4", (64, 64), 3, 48, family="3x3 dilated", dilation=4),
    depthwise("depthwise 3x3", 240, 3, 28),
    depthwise("depthwise 5x5", 120, 5, 28),
    conv("1x1", (96, 576), 1, 14),
    conv("1x1", (128, 128), 1, 40),
    conv("5x5", (48, 64), 5, 32),
    conv("3x3", (3, 32), 3, 160, family="3x3, 3 channels"),
    conv("3-D 3x3x3", (16, 16), 3, 24, dims=3),
)


def _named(*names: str) -> list[Case]:
    found = {each.name: each for each in KNOWN}
    return [found[name] for name in names]


OF_EACH_KIND = _named(
    "3x3: 64 to 64 @ 56",
    "3x3 s2: 128 to 128 @ 56",
    "7x7 s2: 3 to 64 @ 224",
    "1x1: 256 to 64 @ 56",
    "depthwise 3x3: 32 to 32 @ 112",
    "3x3 d2: 64 to 64 @ 56",
    "grouped by 4: 128 to 128 @ 56",
    "transposed k4 s2: 128 to 64 @ 32",
    "transposed k4 s2: 64 to 3 @ 64",
    "3-D 3x3x3: 16 to 16 @ 32",
)
DOUBLE = tuple(
    replace(each, family="float64", dtype="float64")
    for each in [*OF_EACH_KIND, *_named("nearest x2, 3x3: 64 to 64 @ 64")]
)
GRADIENTS = tuple(
    replace(each, name=f"{each.name}, by {by}", family=f"{by} gradient", direction=f"{by}_gradient")
    for each in [*OF_EACH_KIND, sound((128, 64), 128)]
    for by in ("input", "weight")
)


def _growing(grown: Case, sizes: Iterable[int], batches: Iterable[int]) -> list[Case]:
    """A layer as its input grows, and as its batch does."""
    at = [case(grown.family, grown.layer.at(n)) for n in sizes]
    batched = [replace(grown, name=f"{grown.name}, batch {b}", batch=b) for b in batches]
    return [*at, *batched]


GROWTH = (
    *_growing(conv("3x3", (64, 64), 3, 56), (32, 64, 128, 256, 512), (2, 4, 8, 16)),
    *_growing(
        transposed("transposed k4 s2", (128, 64), 4, 32, stride=2, padding=1),
        (16, 32, 64, 128, 256),
        (2, 4, 8, 16),
    ),
)
SECTIONS: Mapping[str, tuple[Case, ...]] = {
    "layers": KNOWN,
    "others": OTHERS,
    "float64": DOUBLE,
    "gradients": GRADIENTS,
    "growth": GROWTH,
}
