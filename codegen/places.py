"""Where things begin in the arrays of a form: channels, rows and taps as affine expressions."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from derive.core.form import TrilinearForm

from .nests import Affine, Loop


def channel_places(form: TrilinearForm) -> tuple[Affine, Affine, Affine]:
    """Where sample b, group g and channels o and i begin in y, x and w."""
    y, x, w = (prod(shape) for shape in (form.output_shape, form.input_shape, form.weight_shape))
    y_plane, x_plane = y // form.output_shape[0], x // form.input_shape[0]
    taps = prod(form.weight_shape[2:])
    leading, other = taps * form.weight_shape[1], taps
    o, i = (leading, other) if form.output_leads else (other, leading)
    return (
        Affine.of(0, b=y, g=y // form.groups, o=y_plane),
        Affine.of(0, b=x, g=x // form.groups, i=x_plane),
        Affine.of(0, g=w // form.groups, o=o, i=i),
    )


def row_of(
    shape: Sequence[int],
    firsts: Sequence[int],
    q_steps: Sequence[int] = (),
    a_steps: Sequence[int] = (),
) -> Affine:
    """Where the row at firsts + q_steps*q + a_steps*a on the outer axes begins in its channel."""
    strides = [prod(shape[d + 2 :]) for d in range(len(firsts))]
    return Affine.of(
        sum(first * stride for first, stride in zip(firsts, strides, strict=True)),
        **{f"q{d}": step * strides[d] for d, step in enumerate(q_steps)},
        **{f"a{d}": step * strides[d] for d, step in enumerate(a_steps)},
    )


def loops_of(**counts: int | str) -> tuple[Loop, ...]:
    """One loop per variable, those that run once left out."""
    return tuple(Loop(variable, count) for variable, count in counts.items() if count != 1)
