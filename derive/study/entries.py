"""The entries of an operator's matrix as polynomials in its weights, found on the axes.

The entry at output (o, y) and input (i, x) is a sum over paths of channels from i to o and over
tuples of taps: one factor w_p[channels, taps] for each learned part p, and as coefficient the
product of the axes' P[y, t, x]. Taps of a chain are counted in one number per axis.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import product
from math import prod

import sympy

from derive.composite import Composite
from derive.core.axis import Axis
from derive.linear_map import LinearMap
from derive.operator import Operator

Path = tuple[tuple[int, int], ...]  # of each learned part: the two channel indices of its weight
Taps = tuple[int, ...]  # one number per axis


@dataclass(frozen=True)
class Entries:
    """The matrix of ``op``, looked up entry by entry."""

    op: LinearMap

    @cached_property
    def parts(self) -> tuple[Operator, ...]:
        """The operators of the chain, outermost first."""
        if isinstance(self.op, Composite):
            return self.op.parts
        assert isinstance(self.op, Operator)
        return (self.op,)

    @property
    def weight_shapes(self) -> tuple[tuple[int, ...] | None, ...]:
        """Of the learned parts."""
        return tuple(part.weight_shape for part in self.parts if part.learned)

    @property
    def channel_structure(self) -> tuple[tuple[int, int, int, bool, bool], ...]:
        """Equal structures have equal paths; which channel leads matters if there are several."""
        return tuple(
            (
                part.groups,
                part.channels_in,
                part.channels_out,
                part.output_leads and (part.channels_in, part.channels_out) != (1, 1),
                part.learned,
            )
            for part in self.parts
        )

    def paths(self, output: int, given: int) -> tuple[Path, ...]:
        """The paths that lead from an input channel to an output channel, sorted."""
        if given not in self._found:
            self._found[given] = self._paths_from(given)
        return self._found[given].get(output, ())

    @cached_property
    def _found(self) -> dict[int, Mapping[int, tuple[Path, ...]]]:
        return {}

    def _paths_from(self, given: int) -> Mapping[int, tuple[Path, ...]]:
        found: dict[int, list[Path]] = {given: [()]}
        for part in reversed(self.parts):
            reached: dict[int, list[Path]] = defaultdict(list)
            for channel, paths in found.items():
                for output, indices in _steps(part, channel):
                    reached[output] += [(*indices, *path) for path in paths]
            found = reached
        return {channel: tuple(sorted(paths)) for channel, paths in found.items()}

    def expression(
        self, paths: tuple[Path, ...], taps: Mapping[Taps, Fraction], name: str
    ) -> sympy.Expr:
        """The sum over paths and taps, in the symbols that ``matrix()`` has."""
        learned = [part for part in self.parts if part.learned]
        several = len(self.parts) > 1
        bases = [
            sympy.IndexedBase(f"{name}_{i}" if several else name)
            for i, part in enumerate(self.parts)
            if part.learned
        ]
        terms = []
        for path, (each, coefficient) in product(paths, taps.items()):
            places = self._places(each, learned)
            factors = (b[(*c, *t)] for b, c, t in zip(bases, path, places, strict=True))
            terms.append(sympy.Mul(sympy.Rational(coefficient), *factors))
        return sympy.Add(*terms)

    @staticmethod
    def _places(taps: Taps, learned: list[Operator]) -> list[Taps]:
        """The taps of each learned part, from the one number per axis."""
        places: list[list[int]] = [[] for _ in learned]
        for axis, tap in enumerate(taps):
            rest = tap
            for place, part in zip(reversed(places), reversed(learned), strict=True):
                rest, own = divmod(rest, part.rules[axis].n_tap)
                place.append(own)
        return [tuple(place) for place in places]


def _steps(part: Operator, channel: int) -> Iterator[tuple[int, Path]]:
    """Where a part leads from an input channel: (output channel, its weight's indices)."""
    group, i = divmod(channel, part.channels_in)
    for o in range(part.channels_out):
        output = group * part.channels_out + o
        indices = (output, i) if part.output_leads else (channel, o)
        yield output, (indices,) if part.learned else ()


def row(axes: tuple[Axis, ...], place: tuple[int, ...]) -> dict[Taps, dict[Taps, Fraction]]:
    """What an output position reads, {input position: {taps: coefficient}}, from the axes."""
    result: dict[Taps, dict[Taps, Fraction]] = defaultdict(dict)
    for entries in product(*(axis.row(y) for axis, y in zip(axes, place, strict=True))):
        position, taps = tuple(x for x, _, _ in entries), tuple(t for _, t, _ in entries)
        result[position][taps] = Fraction(prod(c for _, _, c in entries))
    return dict(result)
