"""Folding: where one input position collects several taps, or a coefficient, make it one tap.

After a resize, or at a reflecting border, the weight of a position is a fixed combination of the
weights, such as w1 + w2. Each distinct combination becomes a tap of its own: fold the weight
once, then every position is one multiply-add. The gradient of folding is its transpose.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from .axis import ONE, Axis, disjoint
from .polyphase import Strand

Combination = tuple[tuple[int, Fraction], ...]  # ((tap, coefficient), ...)


@dataclass(frozen=True, slots=True)
class Folding:
    """An axis whose taps are ``combinations`` of the taps of another, all coefficients 1."""

    axis: Axis
    combinations: tuple[Combination, ...]

    @property
    def trivial(self) -> bool:
        """Whether the taps are those of the other axis, one for one."""
        return self.combinations == tuple(((t, ONE),) for t in range(len(self.combinations)))


def worth_folding(axis: Axis) -> bool:
    """Whether there is a coefficient, or folding saves a quarter of the multiply-adds."""
    return any(s.coefficient != 1 for s in axis.strands) or 4 * axis.nnz < 3 * axis.triples


def fold(axis: Axis) -> Folding:
    """The axis folded where that is worth it, else as it is.

    >>> from derive.core.rules import ConvolutionRule
    >>> from derive.core.resize import nearest
    >>> twice = nearest(Fraction(1, 2)).at(4, 8)
    >>> folding = fold(ConvolutionRule(kernel=3, before=1, after=1).at(8).after(twice))
    >>> [[t for t, _ in combination] for combination in folding.combinations]
    [[0], [0, 1], [1, 2], [2]]
    """
    if not worth_folding(axis):
        return Folding(axis, tuple(((t, ONE),) for t in range(axis.n_tap)))
    combinations = sorted({tap.weights for run in axis.runs for tap in run.taps})
    place = {combination: f for f, combination in enumerate(combinations)}
    strands = (
        Strand(run.first, place[tap.weights], run.source + tap.offset, run.count, ONE)
        for run in axis.runs
        for tap in run.taps
    )
    folded = Axis(
        axis.n_in,
        axis.n_out,
        len(combinations),
        axis.step,
        axis.advance,
        disjoint(strands, axis.step, axis.advance),
    )
    return Folding(folded, tuple(combinations))
