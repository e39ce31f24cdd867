"""Resize and Upsample nodes: the interpolation of ours that has the very same weights, if any."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from math import floor
from typing import Any

import derive
from codegen.models.errors import KeptError
from derive.core.resize_rule import ResizeRule

from .graph import Graph, attributes
from .resize_rows import ROUND, Resizing, Row

LONGEST = 16_384  # outputs of an axis that are compared one by one
# ours: the kernel, and its name for 1, 2 and 3 axes
MODES = {
    "nearest": ("nearest", ("nearest", "nearest", "nearest")),
    "nearest-exact": ("nearest", ("nearest-exact", "nearest-exact", "nearest-exact")),
    "linear": ("linear", ("linear", "bilinear", "trilinear")),
    "cubic": ("cubic", (None, "bicubic", None)),
}


def resize(node: Any, graph: Graph) -> derive.Interpolate:
    """The layer of a Resize or Upsample node; KeptError where no layer has its weights."""
    words = attributes(node)
    shape = graph.shape(node.input[0])
    if not 3 <= len(shape) <= 5 or None in shape[1:]:
        raise KeptError("the size of its input is not known")
    channels, *sizes = (size for size in shape[1:] if size is not None)
    scales, by_scale = _scales(node, graph, words, shape)
    if scales[:2] != [1, 1]:
        raise KeptError("it resizes the batch or the channels")
    axes = [_axis(node, graph, words, n, s) for n, s in zip(sizes, scales[2:], strict=True)]
    for candidate in _candidates(channels, axes, by_scale=by_scale):
        if all(_same(axis, rule) for axis, rule in zip(axes, candidate.rules, strict=True)):
            return candidate
    raise KeptError(
        f"no resize here has the weights of mode = {axes[0].mode!r} with "
        f"coordinate_transformation_mode = {axes[0].coordinates!r}"
        + (f" and nearest_mode = {axes[0].rounding!r}" if axes[0].mode == "nearest" else "")
    )


def _axis(node: Any, graph: Graph, words: Mapping[str, Any], n: int, scale: Fraction) -> Resizing:
    """One axis in exact numbers."""
    m = floor(n * scale)
    if not 1 <= m <= LONGEST or n > LONGEST:
        raise KeptError(f"it resizes {n} positions to {m}; allowed are 1 to {LONGEST:,}")
    mode = words.get("mode", "nearest")
    if graph.opset < 11:
        return _early_axis(mode, n, m, scale)
    rounding = words.get("nearest_mode", "round_prefer_floor")
    if mode not in ("nearest", "linear", "cubic") or rounding not in ROUND:
        raise KeptError(f"mode = {mode!r}, nearest_mode = {rounding!r}")
    return Resizing(
        mode=mode,
        n=n,
        m=m,
        scale=scale,
        coordinates=words.get("coordinate_transformation_mode", "half_pixel"),
        rounding=rounding,
        cubic_a=Fraction(words.get("cubic_coeff_a", -0.75)),
        exclude_outside=bool(words.get("exclude_outside", 0)),
        antialias=bool(words.get("antialias", 0)),
    )


def _early_axis(mode: str, n: int, m: int, scale: Fraction) -> Resizing:
    """Before opset 11 only repeating each pixel is told without a doubt."""
    if mode != "nearest" or scale.denominator != 1:
        raise KeptError(f"mode = {mode!r} by {float(scale)}, which this opset does not define")
    return Resizing(mode=mode, n=n, m=m, scale=scale, coordinates="asymmetric", rounding="floor")


def _scales(
    node: Any, graph: Graph, words: Mapping[str, Any], shape: Sequence[int | None]
) -> tuple[list[Fraction], bool]:
    """The scale of every axis of the input, and whether it was given as one."""
    if words.get("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise KeptError(f"keep_aspect_ratio_policy = {words['keep_aspect_ratio_policy']!r}")
    if node.op_type == "Upsample" and graph.opset < 9:
        given = tuple(words.get("scales", ()))
    else:
        place = 1 if graph.opset < 11 else 2
        given = graph.numbers(_input(node, place), "its scales") or ()
    if given:
        scales = [_fraction(scale) for scale in given]
        return _placed(scales, words, len(shape)), True
    return _sized(node, graph, words, shape), False


def _sized(
    node: Any, graph: Graph, words: Mapping[str, Any], shape: Sequence[int | None]
) -> list[Fraction]:
    """The scales that give the wanted sizes, which inferred shapes know where no constant does."""
    value = _input(node, 3)
    if value in graph.constants:
        given = graph.numbers(value, "its sizes") or ()
        axes = _axes(words, len(shape))
        if len(given) != len(axes):
            raise KeptError(f"sizes = {given}: allowed is one for each axis")
        wanted = list(shape)
        for axis, size in zip(axes, given, strict=True):
            wanted[axis] = size
    else:
        wanted = list(graph.shape(node.output[0]))
    if len(wanted) != len(shape) or None in wanted[1:]:
        raise KeptError("its sizes are computed while the model runs")
    pairs = zip(wanted[1:], shape[1:], strict=True)
    same_batch = wanted[0] == shape[0] or None in (wanted[0], shape[0])
    return [
        Fraction(1 if same_batch else 0),
        *(Fraction(m, n) for m, n in pairs if m is not None and n is not None),
    ]


def _placed(scales: list[Fraction], words: Mapping[str, Any], rank: int) -> list[Fraction]:
    """One scale for every axis, where ``axes`` names some."""
    axes = _axes(words, rank)
    if len(scales) != len(axes):
        raise KeptError(f"scales = {list(map(float, scales))}: allowed is one for each axis")
    found = [Fraction(1)] * rank
    for axis, scale in zip(axes, scales, strict=True):
        found[axis] = scale
    return found


def _axes(words: Mapping[str, Any], rank: int) -> tuple[int, ...]:
    axes = tuple(words.get("axes", ())) or tuple(range(rank))
    found = tuple(axis + rank if axis < 0 else axis for axis in axes)
    if len(set(found)) != len(found) or any(not 0 <= axis < rank for axis in found):
        raise KeptError(f"axes = {axes}: allowed are 0 to {rank - 1}")
    return found


def _fraction(scale: Any) -> Fraction:
    try:
        found = Fraction(scale)
    except (ValueError, OverflowError, TypeError):
        raise KeptError(f"a scale of {scale}") from None
    if found <= 0:
        raise KeptError(f"a scale of {scale}")
    return found


def _candidates(
    channels: int, axes: Sequence[Resizing], *, by_scale: bool
) -> Iterator[derive.Interpolate]:
    """Our resizes of these sizes and this kernel, plain ones first."""
    sizes = tuple(axis.n for axis in axes)
    goal: dict[str, Any] = {"size": tuple(axis.m for axis in axes)}
    if by_scale:
        goal = {"scale_factor": tuple(axis.scale for axis in axes)}
    for kernel, names in MODES.values():
        mode = names[len(axes) - 1]
        if kernel != axes[0].mode or mode is None:
            continue
        for corners in (False, True) if kernel != "nearest" else (None,):
            for antialias in (False, True):
                words = {**goal, "align_corners": corners, "antialias": antialias}
                try:
                    yield derive.Interpolate(channels, sizes, mode=mode, **words)
                except derive.GeometryError:
                    continue


def _same(axis: Resizing, rule: Any) -> bool:
    """Whether a rule of ours has the weights of this axis, output by output."""
    assert isinstance(rule, ResizeRule)
    if rule.output_size(axis.n) != axis.m:
        return False
    ours = rule.at(axis.n)
    return all(axis.row(y) == _row(ours.row(y)) for y in range(axis.m))


def _row(entries: Sequence[tuple[int, int, Fraction]]) -> Row:
    found: Row = {}
    for x, _, weight in entries:
        found[x] = found.get(x, Fraction(0)) + weight
    return {x: weight for x, weight in found.items() if weight}


def _input(node: Any, place: int) -> str:
    return node.input[place] if len(node.input) > place else ""
