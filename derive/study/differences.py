"""Where two tensor products of axes differ, decided axis by axis.

A product of tensors none of which is zero determines its factors up to scalars: two products are
equal when each pair of factors is proportional and the ratios multiply to 1. The same holds for
one row of each. So no n-dimensional tensor is ever expanded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import product
from math import lcm, prod

from derive.core.axis import Axis, disjoint
from derive.core.polyphase import Strand

Ratio = Fraction | None  # of a to b; None where they are not proportional


def same_product(a: tuple[Axis, ...], b: tuple[Axis, ...]) -> bool:
    """Whether two tensor products of axes are one tensor; the axes have equal ranges."""
    if not all(axis.strands for axis in a) or not all(axis.strands for axis in b):
        return _is_zero(a) and _is_zero(b)
    ratios = [_ratio(*in_step(*pair)) for pair in zip(a, b, strict=True)]
    return all(ratio is not None for ratio in ratios) and prod(r for r in ratios if r) == 1


def _is_zero(axes: tuple[Axis, ...]) -> bool:
    return not all(axis.strands for axis in axes)


def in_step(a: Axis, b: Axis) -> tuple[Axis, Axis]:
    """Both with strands of one step and advance, so that equal tensors are equal objects."""
    if a.step * b.advance == b.step * a.advance:
        step = lcm(a.step, b.step)
        return _cut(a, step // a.step), _cut(b, step // b.step)
    singles = (_cut(axis, -(-axis.n_out // axis.step)) for axis in (a, b))
    one, other = (replace(axis, step=axis.n_out, advance=1) for axis in singles)
    return one, other


def _cut(axis: Axis, pieces: int) -> Axis:
    """The same tensor with every strand dealt out to ``pieces`` strands of longer steps."""
    if pieces == 1:
        return axis
    strands = tuple(
        Strand(
            s.y + axis.step * i,
            s.tap,
            s.x + axis.advance * i,
            -(-(s.count - i) // pieces),
            s.coefficient,
        )
        for s in axis.strands
        for i in range(min(pieces, s.count))
    )
    step, advance = axis.step * pieces, axis.advance * pieces
    return replace(axis, step=step, advance=advance, strands=tuple(sorted(strands)))


def _ratio(a: Axis, b: Axis) -> Ratio:
    """The r with a = r*b, both in step and not zero."""
    ratio = a.strands[0].coefficient / b.strands[0].coefficient
    left = [*a.strands, *(replace(s, coefficient=-ratio * s.coefficient) for s in b.strands)]
    return None if disjoint(left, a.step, a.advance) else ratio


def rows_to_compare(a: tuple[Axis, ...], b: tuple[Axis, ...]) -> Iterator[tuple[int, ...]]:
    """Output positions in order, among them the first at which anything differs.

    Whether products of rows differ depends on each pair of rows only through its kind: either is
    zero, or they are proportional with some ratio, or not. Kinds change where a run begins.
    """
    yield from product(*(_firsts(*in_step(*pair)) for pair in zip(a, b, strict=True)))


def _firsts(a: Axis, b: Axis) -> list[int]:
    """The first output position of each kind, sorted."""
    kinds: dict[tuple[bool, bool, Ratio], int] = {}
    for y in sorted({run.first for axis in (a, b) for run in axis.runs}):
        one, other = a.row(y), b.row(y)
        ratio = None
        if one and other and [e[:2] for e in one] == [e[:2] for e in other]:
            ratios = {p[2] / q[2] for p, q in zip(one, other, strict=True)}
            ratio = ratios.pop() if len(ratios) == 1 else None
        kinds.setdefault((bool(one), bool(other), ratio), y)
    return sorted(kinds.values())
