"""Folding and its transpose as loop nests: small matrices applied axis by axis to a weight.

A weight of one pair of channels is (taps of axis 0, taps of axis 1, ...). Each axis in turn gets
its folded taps; the gradient of the folded weight goes the other way, last axis first.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from derive import Operator
from derive.core.folding import Folding, fold

from .nests import Affine, Assignment, AxisFold, Loop


def axis_folds(foldings: Sequence[Folding], taps: Sequence[int]) -> tuple[AxisFold, ...]:
    """The steps of folding a weight, for the axes that need one.

    >>> from fractions import Fraction
    >>> from derive.core.folding import fold
    >>> from derive.core.resize import nearest
    >>> from derive.core.rules import ConvolutionRule
    >>> axis = ConvolutionRule(kernel=2).at(8).after(nearest(Fraction(1, 2)).at(4, 8))
    >>> (step,) = axis_folds([fold(axis)], [2])
    >>> [(str(each.target), len(each.terms)) for each in step.fold]
    [('0', 1), ('1', 2), ('2', 1)]
    """
    sizes = list(taps)
    steps = []
    for axis, folding in enumerate(foldings):
        if folding.trivial:
            continue
        outer, inner = prod(sizes[:axis]), prod(sizes[axis + 1 :])
        before, after = sizes[axis], len(folding.combinations)
        loops = tuple(Loop(v, n) for v, n in (("a", outer), ("j", inner)) if n > 1)
        at_t = [_place(t, before, inner).within(loops) for t in range(before)]
        at_f = [_place(f, after, inner).within(loops) for f in range(after)]
        folded = tuple(
            Assignment((), at_f[f], tuple((c, at_t[t]) for t, c in combination))
            for f, combination in enumerate(folding.combinations)
        )
        transposed = tuple(
            Assignment(
                (),
                at_t[t],
                tuple(
                    (c, at_f[f])
                    for f, combination in enumerate(folding.combinations)
                    for tap, c in combination
                    if tap == t
                ),
            )
            for t in range(before)
        )
        entries = prod(sizes)
        sizes[axis] = after
        steps.append(AxisFold(axis, loops, entries, prod(sizes), folded, transposed))
    return tuple(steps)


def _place(tap: int, count: int, inner: int) -> Affine:
    """Where a tap of the axis is among ``count``, the outer axes at a, the inner ones at j."""
    return Affine.of(tap * inner, a=count * inner, j=1)


def folded_numbers(op: Operator) -> int:
    """Numbers of the folded weight, 0 where nothing is folded."""
    foldings = [fold(axis) for axis in op.form.axes]
    if all(folding.trivial for folding in foldings):
        return 0
    pairs = prod(op.form.weight_shape[:2])
    return pairs * prod(len(folding.combinations) for folding in foldings)
