"""What frameworks do otherwise with a resize, where it matters for this one.

Sources: torch's UpSample.h; ONNX operator Resize; tf.image.resize; Pillow's Resample.c.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from math import floor

from derive.core.axis import Axis
from derive.core.resize_rule import ResizeRule
from derive.core.rules import AxisRule

DOUBLE = 53  # bits of a double, the leading one included
MOST_POSITIONS = 4_096  # that are compared one by one
ONNX_MODES = {
    "nearest": "asymmetric with nearest_mode floor",
    "nearest-exact": "half_pixel with nearest_mode round_prefer_ceil",
    "linear": "half_pixel",
    "cubic": "half_pixel with cubic_coeff_a -0.75",
}


def resize_elsewhere(rule: AxisRule, n: int | None) -> Iterator[str]:
    """A resize: its name in ONNX, torch's floats, TensorFlow's centres, copies."""
    if not isinstance(rule, ResizeRule):
        return
    if rule.kind == "area":
        yield "ONNX has no area mode; TensorFlow's method 'area' is the same mean."
    elif rule.antialias:
        yield _antialiased(rule)
    else:
        words = "align_corners" if rule.aligned else ONNX_MODES[rule.kind]
        yield f"ONNX's Resize writes this coordinate_transformation_mode {words}."
    if rule.kind == "cubic" and not rule.antialias:
        yield "Pillow and TensorFlow have another cubic, a = -1/2 where torch and OpenCV have -3/4."
    if n is None:
        return
    yield from _sizes(rule, n)
    if rule.output_size(n) <= MOST_POSITIONS:
        yield from _nearest(rule, n)


def _antialiased(rule: ResizeRule) -> str:
    cubic = " and the cubic with a = -1/2 instead of -3/4" if rule.kind == "cubic" else ""
    return f"antialias follows Pillow: windows cut at the border and normalised{cubic}."


def _sizes(rule: ResizeRule, n: int) -> Iterator[str]:
    size = rule.output_size(n)
    if rule.factor is not None and (in_floats := torch_size(rule, n)) != size:
        refused = "" if in_floats else ", which it refuses"
        yield f"torch multiplies in floats and gives {in_floats} outputs, not {size}{refused}."
    if rule.aligned and size == 1:
        yield "with one output align_corners reads input 0, not the middle."
    elif size == 1 and n > 1 and rule.kind in ("linear", "cubic") and not rule.antialias:
        yield "ONNX's pytorch_half_pixel reads input 0 for a single output, torch does not."
    if rule.follows_factor and rule.factor != 1 and size == n and rule.kind == "linear":
        yield (
            f"the axis keeps its size, so that torch copies it; ONNX moves it by the factor "
            f"{rule.factor}."
        )


def torch_size(rule: ResizeRule, n: int) -> int:
    """The size that torch computes, in double precision.

    >>> from fractions import Fraction
    >>> torch_size(ResizeRule(kind="nearest", factor=Fraction(1, 49)), 49)
    0
    """
    return floor(in_double(n * in_double(rule.factor or Fraction(1))))


def in_double(value: Fraction) -> Fraction:
    """The number of 53 bits nearest to one above 0, half to even: what a double holds of it.

    >>> from fractions import Fraction
    >>> in_double(Fraction(1, 10)) - Fraction(1, 10)
    Fraction(1, 180143985094819840)
    """
    exponent = value.numerator.bit_length() - value.denominator.bit_length()
    if value >= Fraction(2) ** exponent:
        exponent += 1  # now value < 2**exponent <= 2*value
    unit = Fraction(2) ** (exponent - DOUBLE)
    return round(value / unit) * unit


def _nearest(rule: ResizeRule, n: int) -> Iterator[str]:
    if not rule.kind.startswith("nearest"):
        return
    exact = replace(rule, float32=False)
    picked = different(exact.at(n), replace(rule, float32=True).at(n))
    if picked:
        other = "this operator follows it" if rule.float32 else 'index_arithmetic="float32" follows'
        yield f"torch picks another input for {picked} outputs, by its float32 index; {other}."
    if rule.kind == "nearest":
        centred = different(exact.at(n), replace(exact, kind="nearest-exact").at(n))
        if centred:
            yield (
                f"tf.image.resize and Pillow look from the middle of an output, which is "
                f"nearest-exact, and pick another input for {centred} outputs."
            )


def different(a: Axis, b: Axis) -> int:
    """How many outputs read otherwise in two axes of equal sizes."""
    return sum(a.row(y) != b.row(y) for y in range(a.n_out))
