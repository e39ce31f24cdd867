"""An axis as vectors along its positions: rows split into phases, so that neighbours lie together.

Position y = step*u + phase lies at place u of its phase, x = advance*v + phase at place v. In a
strand v - u stays the same: a vector of y meets a vector of x that lies ``shift`` places further.
Around each phase there are zeros. A lane that belongs to no triple is made 0 on both sides, so that
nothing is multiplied that the operator does not multiply: 0 * infinity would be no zero.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from codegen._runtime.machine import Machine
from derive.core.axis import Axis
from derive.core.polyphase import Strand

LEAST_BYTES = 16  # of a vector that every machine has
FULL_RATE = 32
COPIED, IN_PLACE = 8, 5  # cost of a vector of a row

Kept = tuple[int, int] | None  # the lanes that count, where others hold numbers


@dataclass(frozen=True, slots=True, order=True)
class Use:
    """A vector of y meets the one of x at ``shift`` places further in phase ``x``, for ``tap``."""

    x: int
    shift: int
    tap: int
    keep_y: Kept
    keep_x: Kept


@dataclass(frozen=True, slots=True)
class Span:
    """``count`` vectors of phase ``y`` from place ``first`` on, that meet x alike."""

    y: int
    first: int
    count: int
    uses: tuple[Use, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """Where the numbers of a row lie: ``phases`` of ``pitch`` numbers, after ``margin`` zeros.

    A row that is read where it is (not ``copied``) has one phase and no zeros around.
    """

    phases: int
    places: tuple[int, ...]  # positions of each phase
    margin: int
    pitch: int
    copied: bool

    @property
    def numbers(self) -> int:
        return self.phases * self.pitch


def vector_cost(machine: Machine, size: int) -> int:
    """The cost of an operation on ``size`` bytes: above FULL_RATE that of two halves."""
    return max(size, min(FULL_RATE, machine.vector_bytes))


def lanes_for(axis: Axis, machine: Machine, item: int) -> int:
    """The vector in which a row costs least, the widest of equal ones.

    Rows that no vector fits, or that have several phases, are copied first.

    >>> from derive.core.rules import ConvolutionRule
    >>> machine = Machine("test", 32, 64, frozenset(), ())
    >>> [lanes_for(ConvolutionRule(kernel=1).at(n), machine, 4) for n in (3, 7, 14, 20, 56, 64)]
    [8, 8, 8, 8, 8, 16]
    """
    places = -(-axis.n_out // axis.step)
    lanes = [machine.vector_bytes // item]
    while lanes[-1] * item > LEAST_BYTES:
        lanes.append(lanes[-1] // 2)

    def cost(lanes: int) -> int:
        copied = axis.step > 1 or axis.advance > 1 or min(axis.n_in, axis.n_out) < lanes
        vectors = -(-places // lanes)
        return vectors * vector_cost(machine, lanes * item) * (COPIED if copied else IN_PLACE)

    return min(lanes, key=cost)


def spans(axis: Axis, lanes: int) -> tuple[Span, ...]:
    """All triples of an axis, a vector of y at a time.

    >>> from derive.core.rules import ConvolutionRule
    >>> axis = ConvolutionRule(kernel=3, before=1, after=1).at(20)
    >>> for span in spans(axis, 4):
    ...     print(span.first, span.count, [use.keep_y for use in span.uses])
    0 1 [(1, 4), None, None]
    4 3 [None, None, None]
    16 1 [None, None, (0, 3)]
    """
    phases: dict[int, list[Strand]] = defaultdict(list)
    for strand in axis.strands:
        phases[strand.y % axis.step].append(strand)
    return tuple(
        span
        for phase, strands in sorted(phases.items())
        for span in _spans_of_phase(axis, lanes, phase, strands)
    )


def _spans_of_phase(
    axis: Axis, lanes: int, phase: int, strands: Sequence[Strand]
) -> Iterator[Span]:
    cuts = set()
    for strand in strands:
        begin = strand.y // axis.step
        end = begin + strand.count
        cuts |= {begin // lanes, -(-begin // lanes), end // lanes, -(-end // lanes)}
    for first, behind in pairwise(sorted(cuts)):
        uses = [_use(axis, lanes, strand, first) for strand in strands]
        found = tuple(sorted((use for use in uses if use is not None), key=_place))
        if found:
            yield Span(phase, lanes * first, behind - first, found)


def _place(use: Use) -> tuple[int, int, int]:
    return use.shift, use.x, use.tap


def _use(axis: Axis, lanes: int, strand: Strand, vector: int) -> Use | None:
    u, (v, x_phase) = strand.y // axis.step, divmod(strand.x, axis.advance)
    first = lanes * vector
    low, high = max(0, u - first), min(lanes, u + strand.count - first)
    if low >= high:
        return None
    y_places = _places(axis.n_out, axis.step, strand.y % axis.step)
    x_places = _places(axis.n_in, axis.advance, x_phase)
    shift = v - u
    return Use(
        x_phase,
        shift,
        strand.tap,
        _kept(low, high, -first, y_places - first, lanes),
        _kept(low, high, -first - shift, x_places - first - shift, lanes),
    )


def _kept(low: int, high: int, begin: int, end: int, lanes: int) -> Kept:
    """low..high where a lane outside of it lies in begin..end, and so holds a number."""
    outside = (max(0, begin) < min(low, end)) or (max(high, begin) < min(lanes, end))
    return (low, high) if outside else None


def _places(size: int, step: int, phase: int) -> int:
    return max(0, -(-(size - phase) // step))


def lines(axis: Axis, cover: Sequence[Span], lanes: int) -> tuple[Line, Line]:
    """The rows of y and x: in place where they have one phase and no fewer numbers than lanes."""
    y_places = tuple(_places(axis.n_out, axis.step, phase) for phase in range(axis.step))
    x_places = tuple(_places(axis.n_in, axis.advance, phase) for phase in range(axis.advance))
    touched = [
        (span.first + use.shift, span.first + use.shift + lanes * span.count)
        for span in cover
        for use in span.uses
    ]
    margin = _whole(max(0, -min((begin for begin, _ in touched), default=0)), lanes)
    end = max(*x_places, *(end for _, end in touched))
    y_line = Line(axis.step, y_places, 0, _whole(max(y_places), lanes), copied=True)
    x_line = Line(axis.advance, x_places, margin, margin + _whole(end, lanes), copied=True)
    return _in_place(y_line, lanes), _in_place(x_line, lanes)


def _in_place(line: Line, lanes: int) -> Line:
    if line.phases > 1 or line.places[0] < lanes:
        return line
    return Line(1, line.places, 0, line.places[0], copied=False)


def _whole(numbers: int, lanes: int) -> int:
    return -(-numbers // lanes) * lanes
