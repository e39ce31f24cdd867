"""Interpolation in torch's words: torch.nn.functional.interpolate, in exact weights."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from numbers import Rational
from typing import Any

from derive.arguments import Each, boolean, choice, per_axis, refuse
from derive.core.resize_rule import ResizeRule
from derive.errors import GeometryError

from .base import Channelwise

# mode: the kernel, and the numbers of axes that torch has it for
MODES: dict[str, tuple[str, tuple[int, ...]]] = {
    "nearest": ("nearest", (1, 2, 3)),
    "nearest-exact": ("nearest-exact", (1, 2, 3)),
    "linear": ("linear", (1,)),
    "bilinear": ("linear", (2,)),
    "trilinear": ("linear", (3,)),
    "bicubic": ("cubic", (2,)),
    "area": ("area", (1, 2, 3)),
}
ARITHMETICS = ("exact", "float32")
Factor = int | float | str | Rational


class Interpolate(Channelwise):
    """Resizing of 1 to 3 axes, as torch.nn.functional.interpolate; it learns nothing.

    ``input_size`` gives the number of axes: an int for each, or None for each to leave them free.
    One of ``size`` (an int for every axis) and ``scale_factor`` (int, Fraction, or a float or str
    taken as the decimal it is written as) is given; the output size is floor(n * scale_factor),
    exactly. Every output is a rational combination of inputs whose weights add up to 1.

    Where torch's float32 arithmetic picks another pixel (nearest, nearest-exact), the exact pick
    is ours; ``index_arithmetic="float32"`` reproduces torch's. Like torch, linear and antialiased
    modes copy an axis that keeps its size, even where ``scale_factor`` is not 1.

    >>> op = Interpolate(channels=1, input_size=(2, 2), scale_factor=2, mode="bilinear")
    >>> op.output_shape, op.matrix()[5, :]
    ((1, 4, 4), Matrix([[9/16, 3/16, 3/16, 1/16]]))
    """

    def __init__(
        self,
        channels: int,
        input_size: Each | Sequence[None] | None,
        size: Each | None = None,
        scale_factor: Factor | Sequence[Factor] | None = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
        antialias: bool = False,
        *,
        index_arithmetic: str = "exact",
    ) -> None:
        parameters = locals().copy()
        kind, dimensions = MODES[choice("mode", mode, MODES)]
        axes, sizes = _sizes(input_size, dimensions, mode)
        aligned = _aligned(align_corners, kind, mode)
        boolean("antialias", antialias)
        if antialias and mode not in ("bilinear", "bicubic"):
            refuse(
                "antialias", antialias, f"False with mode={mode!r}; bilinear and bicubic have it"
            )
        float32 = choice("index_arithmetic", index_arithmetic, ARITHMETICS) == "float32"
        if float32 and not kind.startswith("nearest"):
            refuse("index_arithmetic", index_arithmetic, f"'exact' with mode={mode!r}")
        recompute = boolean("recompute_scale_factor", recompute_scale_factor or False)
        if recompute and scale_factor is None:
            refuse("recompute_scale_factor", True, "False where size is given")
        if (size is None) == (scale_factor is None):
            given = "None" if size is None else "given"
            raise GeometryError(
                f"size and scale_factor are both {given}: allowed is exactly one of them"
            )
        fixed = (None,) * axes if size is None else per_axis("size", size, axes, 1)
        factors = (None,) * axes if scale_factor is None else _factors(scale_factor, axes)
        rules = [
            ResizeRule(
                kind=kind,
                fixed=m,
                factor=f,
                recompute=recompute,
                aligned=aligned,
                antialias=antialias,
                float32=float32,
            )
            for m, f in zip(fixed, factors, strict=True)
        ]
        super().__init__(parameters, rules, channels=channels, sizes=sizes)


def _sizes(
    input_size: Any, dimensions: Sequence[int], mode: str
) -> tuple[int, tuple[int, ...] | None]:
    """The number of axes, and the sizes, None where they are free.

    An int, or None, stands for the fewest axes that the mode has.
    """
    several = isinstance(input_size, Sequence) and not isinstance(input_size, (str, bytes))
    axes = len(input_size) if several else dimensions[0]
    if axes not in dimensions:
        allowed = f"{' or '.join(map(str, dimensions))} sizes >= 1 with mode={mode!r}"
        refuse("input_size", input_size, allowed)
    free = all(n is None for n in input_size) if several else input_size is None
    return axes, None if free else per_axis("input_size", input_size, axes, 1)


def _aligned(align_corners: Any, kind: str, mode: str) -> bool:
    if align_corners is None:
        return False
    if kind not in ("linear", "cubic"):
        refuse("align_corners", align_corners, f"None with mode={mode!r}, which has no corners")
    return boolean("align_corners", align_corners)


def _factors(value: Any, axes: int) -> tuple[Fraction, ...]:
    allowed = f"a number > 0, or {axes} of them in a tuple"
    if not isinstance(value, Sequence) or isinstance(value, (str, bytes)):
        return (_factor("scale_factor", value, allowed),) * axes
    if len(value) != axes:
        refuse("scale_factor", value, allowed)
    return tuple(
        _factor(f"scale_factor[{i}]", each, "a number > 0") for i, each in enumerate(value)
    )


def _factor(name: str, value: Any, allowed: str) -> Fraction:
    """A factor as the fraction it is written as: 0.1 is 1/10."""
    if isinstance(value, (bool, bytes)):
        refuse(name, value, allowed)
    try:
        factor = Fraction(value) if isinstance(value, Rational) else Fraction(str(value))
    except (ValueError, ZeroDivisionError):
        refuse(name, value, allowed)
    if factor <= 0:
        refuse(name, value, allowed)
    if factor > 2**31 - 1:
        refuse(name, value, "at most 2**31 - 1")
    return factor
