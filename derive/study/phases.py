"""The phases of an axis: what each takes of a constant input, and where the border ramps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import reduce

from derive.composite import Composite
from derive.core.axis import Axis
from derive.core.polyphase import Run
from derive.core.resize_rule import ResizeRule
from derive.core.rules import AxisRule, ChainRule, sized_by_output
from derive.linear_map import LinearMap
from derive.operator import Operator

MOST_SETTLED = 2**16  # positions up to which an axis is made larger to see its interior

Sums = tuple[Fraction, ...]


@dataclass(frozen=True)
class AxisPhases:
    """One axis, phase by phase; all numbers exact.

    ``sums[r][t]`` is the sum over the inputs x of P[y, t, x] for the outputs y of phase r between
    the borders: what tap t contributes there if the input is 1 everywhere.
    """

    sums: tuple[Sums, ...]
    ramp: tuple[int, int]
    dead: int  # outputs of no tap, of n_out
    unread: int  # inputs that no output reads, of n_in
    live_phases: Fraction  # share of the output phases that any tap reaches
    read_phases: Fraction  # share of the input phases that any output reads

    @property
    def overlaps(self) -> Sums:
        """N_r: the number of taps of a phase, or the sum of their coefficients."""
        return tuple(sum(row, start=Fraction(0)) for row in self.sums)


def axis_phases(axis: Axis, rule: AxisRule | None) -> AxisPhases:
    """The phases of an axis; ``rule``, if there is one, shows more interior than a small axis.

    >>> from derive.core.rules import TransposedRule
    >>> rule = TransposedRule(kernel=3, stride=2)
    >>> found = axis_phases(rule.at(6), rule)
    >>> [str(n) for n in found.overlaps], found.ramp
    (['2', '1'], (1, 1))
    """
    wide = _settled(axis, rule)
    inside = list(_interior(wide))
    read = list(_interior(wide.adjoint()))
    sums = tuple(_sums(run, axis.n_tap) for run in inside)
    return AxisPhases(
        sums,
        _ramp(axis, tuple(sum(row, start=Fraction(0)) for row in sums)),
        _empty(axis.runs),
        _empty(axis.adjoint().runs),
        _share(inside),
        _share(read),
    )


def interior_of(axis: Axis, rule: AxisRule | None) -> tuple[Run, ...]:
    """What each phase reads between the borders, seen on a larger axis where the rule has one."""
    return tuple(_interior(_settled(axis, rule)))


def rules_of(op: LinearMap) -> tuple[AxisRule, ...] | None:
    """One rule per axis for every size; None where a part is sized by its output."""
    if isinstance(op, Operator):
        return op.rules
    assert isinstance(op, Composite)
    if any(map(sized_by_output, (r for part in op.parts[:-1] for r in part.rules))):
        return None
    each = zip(*(part.rules for part in op.parts), strict=True)
    return tuple(reduce(_before, reversed(rules)) for rules in each)


def _before(inner: AxisRule, outer: AxisRule) -> AxisRule:
    return ChainRule(outer, inner)


def _settled(axis: Axis, rule: AxisRule | None) -> Axis:
    """The axis at a size where its borders do not meet, if the rule has such a size."""
    try:
        wide = axis if rule is None else _wide(rule, axis.n_in)
    except ValueError:  # an adjoint, or a resize of what another made, belongs to one size
        return axis
    return wide if (wide.step, wide.advance) == (axis.step, axis.advance) else axis


def _wide(rule: AxisRule, n: int, least: int = 8) -> Axis:
    """The rule at ``least`` positions or more, no border near another; ValueError if it cannot.

    A resize whose scale follows from its sizes has them multiplied alike.
    """
    if isinstance(rule, ChainRule) and rule.between is None:
        inner = _wide(rule.inner, n, max(least, 2 * rule.outer.settled))
        _ = rule.outer.period  # a ValueError where the scale follows from the size
        return rule.outer.at(inner.n_out).after(inner)
    if isinstance(rule, ResizeRule) and not rule.float32 and not rule.follows_factor:
        m, edge = rule.output_size(n), int(rule.aligned)
        times = -(-_bounded(least) // min(n, m))
        n, m = ((size - edge) * times + edge for size in (n, m))
        return replace(rule, fixed=m, factor=None, recompute=False).at(n)
    size = _bounded(max(least, rule.settled))
    return rule.at(rule.period * -(-size // rule.period))


def _bounded(size: int) -> int:
    if size > MOST_SETTLED:
        raise ValueError(f"{size} positions are too many to look at")
    return size


def _interior(axis: Axis) -> Iterator[Run]:
    """The longest run of each phase, of equal ones the one in the middle."""
    phases: dict[int, list[Run]] = defaultdict(list)
    for run in axis.runs:
        phases[run.first % axis.step].append(run)
    for phase in sorted(phases):
        longest = max(run.count for run in phases[phase])
        found = [run for run in phases[phase] if run.count == longest]
        yield found[len(found) // 2]


def _sums(run: Run, n_tap: int) -> Sums:
    sums = [Fraction(0)] * n_tap
    for tap in run.taps:
        for t, coefficient in tap.weights:
            sums[t] += coefficient
    return tuple(sums)


def _ramp(axis: Axis, overlaps: Sums) -> tuple[int, int]:
    """The outputs before and after all of which have the overlap of their phase."""
    before = after = 0
    half = -(-axis.n_out // 2)
    for run in axis.runs:
        own = sum(_sums(run, axis.n_tap), start=Fraction(0))
        if own == overlaps[run.first % axis.step]:
            continue
        last = run.first + run.step * (run.count - 1)
        if run.first < half:
            within = (min(last, half - 1) - run.first) // run.step
            before = max(before, run.first + run.step * within + 1)
        if last >= half:
            skipped = max(0, -((run.first - half) // run.step))
            after = max(after, axis.n_out - run.first - run.step * skipped)
    return before, after


def _empty(runs: Sequence[Run]) -> int:
    return sum(run.count for run in runs if not run.taps)


def _share(runs: Sequence[Run]) -> Fraction:
    """The share of phases that have a tap at all."""
    return Fraction(sum(bool(run.taps) for run in runs), len(runs))
