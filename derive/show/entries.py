"""A few entries of a matrix, computed alone: what fits on a page of a matrix of any size.

An entry of row (o, y) and column (i, x) is a sum over the chains of channels from o to i and the
taps that lead from y to x on each axis: one term for each, a product of one weight per part.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import islice, pairwise, product
from math import prod

from derive.composite import Composite
from derive.core.axis import ONE
from derive.linear_map import LinearMap
from derive.operator import Operator

MOST_TERMS = 4  # that are looked at in one entry, besides the last
Reads = dict[int, list[tuple[int, Fraction]]]  # x -> [(tap, coefficient)]


@dataclass(frozen=True, slots=True)
class Term:
    """``coefficient`` times one weight of each part, given by its index in the weight array."""

    coefficient: Fraction
    weights: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """The first terms of an entry, at most MOST_TERMS, and the last one where there are more."""

    terms: tuple[Term, ...] = ()
    last: Term | None = None

    def shown(self, most: int) -> tuple[Term | None, ...]:
        """At most so many terms; None where some are left out."""
        terms: list[Term | None] = [*self.terms, *([] if self.last is None else [self.last])]
        if self.last is not None or len(terms) > most:
            terms[most - 1 : -1] = [None]
        return tuple(terms)

    def spelled(self, spell: Callable[[Term], str], dots: str, most: int) -> str:
        """The sum in words of ``spell``, with dots in it beyond ``most`` terms; empty for a zero.

        >>> terms = tuple(Term(ONE, ((tap,),)) for tap in range(3))
        >>> Entry(terms).spelled(lambda term: f"w{term.weights[0][0]}", "...", 2)
        'w0+...+w2'
        """
        words = (dots if term is None else spell(term) for term in self.shown(most))
        return "+".join(words).replace("+-", "-")


def parts_of(op: LinearMap) -> tuple[Operator, ...]:
    """The operators of a chain, outermost first; one for an operator alone."""
    if isinstance(op, Composite):
        return op.parts
    return (op,) if isinstance(op, Operator) else ()


def one_pair(part: Operator) -> bool:
    """Whether the weight belongs to a single pair of channels, so that its taps name it."""
    return part.groups == part.channels_in == part.channels_out == 1


class Entries:
    """The entries of the matrix of an operator, each computed when it is asked for.

    >>> from derive import Conv1d
    >>> Entries(Conv1d(1, 1, 3, input_size=10**9))(10**6, 10**6 + 2).terms[0].weights
    ((0, 0, 2),)
    """

    def __init__(self, op: LinearMap) -> None:
        self.op, self.parts = op, parts_of(op)
        self.reads: list[dict[int, Reads]] = [{} for _ in op.axes]

    def __call__(self, row: int, column: int) -> Entry:
        o, *ys = _unravelled(row, self.op.output_shape)
        i, *xs = _unravelled(column, self.op.input_shape)
        taps = [self._taps(*each) for each in zip(range(len(ys)), ys, xs, strict=True)]
        if not all(taps):
            return Entry()
        first = tuple(islice(self._terms(o, i, taps), MOST_TERMS + 1))
        if len(first) <= MOST_TERMS:
            return Entry(first)
        backwards = [each[::-1] for each in taps]
        return Entry(first[:MOST_TERMS], next(self._terms(o, i, backwards, step=-1)))

    def _taps(self, axis: int, y: int, x: int) -> list[tuple[int, Fraction]]:
        reads = self.reads[axis].get(y)
        if reads is None:
            reads = self.reads[axis][y] = defaultdict(list)
            for at, tap, coefficient in self.op.axes[axis].row(y):
                reads[at].append((tap, coefficient))
        return reads.get(x, [])

    def _terms(
        self, o: int, i: int, taps: Sequence[Sequence[tuple[int, Fraction]]], step: int = 1
    ) -> Iterator[Term]:
        for chain in _chains(o, self.parts, self._connected(i), step):
            for each in product(*taps):
                of_parts = zip(*(self._split(a, t) for a, (t, _) in enumerate(each)), strict=True)
                weights = tuple(
                    (*_channels(part, *pair), *at)
                    for part, pair, at in zip(self.parts, pairwise(chain), of_parts, strict=True)
                )
                yield Term(prod((c for _, c in each), start=ONE), weights)

    def _split(self, axis: int, tap: int) -> tuple[int, ...]:
        """The tap of each part, of which a tap of the chain is made like a number of digits."""
        return _unravelled(tap, tuple(part.axes[axis].n_tap for part in self.parts))

    def _connected(self, i: int) -> list[set[int]]:
        """For each part the output channels that input channel ``i`` of the last one reaches."""
        reached = [{i}]
        for part in reversed(self.parts):
            groups = {channel // part.channels_in for channel in reached[0]}
            size = part.channels_out
            reached.insert(0, {g * size + c for g in groups for c in range(size)})
        return reached


def _chains(
    o: int, parts: Sequence[Operator], connected: Sequence[set[int]], step: int
) -> Iterator[tuple[int, ...]]:
    """The channels passed on the ways from output channel ``o`` to the input, in order."""
    if o not in connected[0]:
        return
    if not parts:
        yield (o,)
        return
    begin = o // parts[0].channels_out * parts[0].channels_in
    for channel in range(begin, begin + parts[0].channels_in)[::step]:
        for chain in _chains(channel, parts[1:], connected[1:], step):
            yield (o, *chain)


def _channels(part: Operator, o: int, i: int) -> tuple[int, int]:
    """The first two indices of the weight of a part for its channels ``o`` and ``i``."""
    if part.output_leads:
        return o, i % part.channels_in
    return i, o % part.channels_out


@lru_cache(maxsize=4096)  # the rows and columns of a page meet often
def _unravelled(index: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The position of a flat index in C order."""
    position: list[int] = []
    for n in reversed(shape):
        index, at = divmod(index, n)
        position.insert(0, at)
    return tuple(position)
