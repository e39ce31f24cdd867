"""The interior of an axis: what an output reads that no border touches.

Output y = step*q + phase reads x = advance*q + offset for the taps of its phase, for every q. Read
from the polyphase normal form, so pads, strides, dilations, resizes and chains all look alike.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from derive.core.axis import Axis, disjoint
from derive.core.polyphase import Run, Strand, Tap
from derive.core.rules import AxisRule
from derive.errors import GeometryError


@dataclass(frozen=True, slots=True)
class Interior:
    """``phases[r]`` holds the offsets and taps of outputs step*q + r, reading advance*q + offset.

    >>> from derive.core.rules import TransposedRule
    >>> interior = Interior.of(TransposedRule(kernel=4, stride=2, before=1, after=1))
    >>> interior.step, [[tap.offset for tap in phase] for phase in interior.phases]
    (2, [[-1, 0], [0, 1]])
    """

    step: int
    advance: int
    phases: tuple[tuple[Tap, ...], ...]
    n_tap: int

    @classmethod
    def of(cls, axis: Axis | AxisRule) -> Interior:
        """Of a rule, or of an axis large enough to have one: the fullest, longest run per phase.

        GeometryError for a rule whose scale follows from its size and for a chain of one size
        only: those are to be given as an axis.
        """
        if not isinstance(axis, Axis):
            axis = _settled(axis)
        found: dict[int, Run] = {}
        for run in axis.runs:
            phase = run.first % axis.step
            if phase not in found or _fullness(found[phase]) < _fullness(run):
                found[phase] = run
        phases = tuple(_offsets(found[r]) if r in found else () for r in range(axis.step))
        return cls(axis.step, axis.advance, phases, axis.n_tap)

    def reads(self, y: int, t: int) -> dict[int, Fraction]:
        """The inputs that tap t of output y reads, with their coefficients; y and x any integers.

        >>> from derive.core.rules import ConvolutionRule
        >>> Interior.of(ConvolutionRule(kernel=3, stride=2, before=1)).reads(5, 0)
        {9: Fraction(1, 1)}
        """
        q, phase = divmod(y, self.step)
        return {
            self.advance * q + tap.offset: coefficient
            for tap in self.phases[phase]
            for each, coefficient in tap.weights
            if each == t
        }

    def tensor(
        self, outputs: tuple[int, ...], inputs: tuple[int, ...]
    ) -> dict[tuple[int, int, int], Fraction]:
        """P[y, t, x] of these outputs, y and x counted within the two lists."""
        place = {x: i for i, x in enumerate(inputs)}
        return {
            (j, t, place[x]): coefficient
            for j, y in enumerate(outputs)
            for t in range(self.n_tap)
            for x, coefficient in self.reads(y, t).items()
        }

    def within(self, axis: Axis) -> Axis:
        """The axis of this interior in the ranges of another: beyond them, inputs are zeros."""
        strands = []
        for phase, taps in enumerate(self.phases):
            for tap in taps:
                begin = max(0, -(tap.offset // self.advance))
                end = min(
                    (axis.n_out - phase - 1) // self.step,
                    (axis.n_in - 1 - tap.offset) // self.advance,
                )
                if begin <= end:
                    y, x = phase + self.step * begin, tap.offset + self.advance * begin
                    strands += [Strand(y, t, x, end + 1 - begin, c) for t, c in tap.weights]
        lines = disjoint(strands, self.step, self.advance)
        return replace(axis, step=self.step, advance=self.advance, strands=lines)


def _settled(rule: AxisRule) -> Axis:
    try:
        return rule.at(rule.settled + rule.period)
    except ValueError as error:
        raise GeometryError(f"axis = {rule.equation}: give an axis of one size; {error}") from None


def _fullness(run: Run) -> tuple[int, int]:
    return sum(len(tap.weights) for tap in run.taps), run.count


def _offsets(run: Run) -> tuple[Tap, ...]:
    """The taps with offsets that belong to q = 0."""
    base = run.source - run.advance * (run.first // run.step)
    return tuple(Tap(base + tap.offset, tap.weights) for tap in run.taps)
