"""The polyphase normal form with the size left free.

For n in one residue class modulo the rule's period the runs are the same list for every n from
``least`` on: firsts, counts, sources and offsets are linear in n, and nothing else changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import sympy

from .polyphase import Run, Tap
from .rules import AxisRule

N = sympy.Symbol("n", integer=True, positive=True)


@dataclass(frozen=True, slots=True)
class FreeTap:
    """A tap whose ``offset`` may depend on n: circular padding reads the other border."""

    offset: sympy.Expr
    weights: tuple[tuple[int, Fraction], ...]

    def at(self, n: int) -> Tap:
        return Tap(_at(self.offset, n), self.weights)


@dataclass(frozen=True, slots=True)
class FreeRun:
    """A run whose ``first``, ``count`` and ``source`` are expressions in the size n."""

    first: sympy.Expr
    step: int
    count: sympy.Expr
    source: sympy.Expr
    advance: int
    taps: tuple[FreeTap, ...]

    def at(self, n: int) -> Run:
        first, count, source = (_at(e, n) for e in (self.first, self.count, self.source))
        taps = tuple(tap.at(n) for tap in self.taps)
        return Run(first, self.step, count, source, self.advance, taps)


@dataclass(frozen=True, slots=True)
class FreePolyphase:
    """``residues[n % period]`` is the normal form for every such n >= ``least``."""

    period: int
    least: int
    residues: tuple[tuple[FreeRun, ...], ...]

    def at(self, n: int) -> tuple[Run, ...]:
        """The runs at a size; ValueError below ``least``, where the borders may meet."""
        if n < self.least:
            raise ValueError(f"n = {n}: the free normal form holds from n = {self.least} on")
        return tuple(run.at(n) for run in self.residues[n % self.period])


def free_polyphase(rule: AxisRule) -> FreePolyphase:
    """The normal form for all sizes, from one size of each residue class and the next of it.

    >>> from derive.core.rules import ConvolutionRule
    >>> (low, inside, high), = free_polyphase(ConvolutionRule(kernel=3, before=1, after=1)).residues
    >>> inside.first, inside.count, high.first
    (1, n - 2, n - 1)
    """
    period, least = rule.period, rule.settled
    residues: list[tuple[FreeRun, ...]] = [()] * period
    for n in range(least, least + period):
        pairs = zip(rule.at(n).runs, rule.at(n + period).runs, strict=True)
        residues[n % period] = tuple(_through(a, b, n, period) for a, b in pairs)
    return FreePolyphase(period, least, tuple(residues))


def _through(run: Run, longer: Run, n: int, period: int) -> FreeRun:
    if [tap.weights for tap in run.taps] != [tap.weights for tap in longer.taps]:
        raise AssertionError(f"runs differ in more than their place: {run}, {longer}")

    def line(at_n: int, at_next: int) -> sympy.Expr:
        return at_n + sympy.Rational(at_next - at_n, period) * (N - n)

    taps = zip(run.taps, longer.taps, strict=True)
    return FreeRun(
        line(run.first, longer.first),
        run.step,
        line(run.count, longer.count),
        line(run.source, longer.source),
        run.advance,
        tuple(FreeTap(line(a.offset, b.offset), a.weights) for a, b in taps),
    )


def _at(expression: sympy.Expr, n: int) -> int:
    return int(expression.subs(N, n))
