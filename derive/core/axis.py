"""The exact tensor P[y, t, x] of one axis, as a sum of strands.

A strand is a line of triples, y and x advancing together in fixed steps while the tap stays.
The set of such sums is closed under everything an axis needs: the adjoint exchanges y and x,
a composition intersects two lines, and neither ever looks at a single position. So the work
depends on the number of taps and border rows, never on the size of the axis.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import gcd

from .polyphase import Run, Strand, sweep
from .relation import Relation

ONE = Fraction(1)


@dataclass(frozen=True)
class Axis:
    """P[y, t, x] for y < n_out, t < n_tap, x < n_in, rational entries.

    ``strands`` all advance by ``step`` in y and ``advance`` in x; they are disjoint and sorted,
    so equal tensors with equal steps are equal objects.

    >>> axis = Axis.of(Relation(stride=2, pad=1), n_in=5, n_out=3, n_tap=3)
    >>> axis.row(0)
    ((0, 1, Fraction(1, 1)), (1, 2, Fraction(1, 1)))
    >>> axis.adjoint().adjoint() == axis
    True
    """

    n_in: int
    n_out: int
    n_tap: int
    step: int
    advance: int
    strands: tuple[Strand, ...]

    @classmethod
    def of(cls, relation: Relation, *, n_in: int, n_out: int, n_tap: int) -> Axis:
        """All triples of the relation that lie inside the three ranges.

        With g = gcd(up, stride), y = (up/g)*q + r: tap t takes part in phase r when up divides
        stride*r + dilation*t - pad, which one residue of t does, and then reads
        x = (stride/g)*q + that quotient.
        """
        common = gcd(relation.up, relation.stride)
        step, advance = relation.up // common, relation.stride // common
        strands = []
        for phase in range(min(step, n_out)):
            for tap in relation.taps(phase, n_tap):
                offset = relation.source(phase, tap)
                assert offset is not None
                begin = max(0, -(offset // advance))
                end = min((n_out - phase - 1) // step, (n_in - 1 - offset) // advance) + 1
                if begin < end:
                    y, x = phase + step * begin, offset + advance * begin
                    strands.append(Strand(y, tap, x, end - begin, ONE))
        return cls(n_in, n_out, n_tap, step, advance, tuple(sorted(strands)))

    @cached_property
    def runs(self) -> tuple[Run, ...]:
        """The polyphase normal form: every output position in exactly one run."""
        return sweep(self.strands, self.n_out, self.step, self.advance)

    @cached_property
    def nnz(self) -> int:
        """Number of (y, x) pairs with a nonzero entry for some tap."""
        return sum(run.count * len(run.taps) for run in self.runs)

    @cached_property
    def triples(self) -> int:
        """Number of (y, t, x) with a nonzero entry: the multiply-adds of one row of channels."""
        return sum(strand.count for strand in self.strands)

    def row_sums(self) -> set[Fraction]:
        """The sums of coefficients that occur among the outputs: {1} keeps constants."""
        return {
            sum((c for tap in run.taps for _, c in tap.weights), start=Fraction(0))
            for run in self.runs
        }

    def row(self, y: int) -> tuple[tuple[int, int, Fraction], ...]:
        """The (x, tap, coefficient) of output position ``y``, sorted."""
        found = []
        for strand in self.strands:
            q, remainder = divmod(y - strand.y, self.step)
            if not remainder and 0 <= q < strand.count:
                found.append((strand.x + self.advance * q, strand.tap, strand.coefficient))
        return tuple(sorted(found))

    def entries(self) -> Iterator[tuple[int, int, int, Fraction]]:
        """Every (y, t, x, coefficient), strand by strand."""
        for strand in self.strands:
            for q in range(strand.count):
                y, x = strand.y + self.step * q, strand.x + self.advance * q
                yield y, strand.tap, x, strand.coefficient

    def adjoint(self) -> Axis:
        """P with y and x exchanged."""
        return Axis(
            self.n_out,
            self.n_in,
            self.n_tap,
            self.advance,
            self.step,
            disjoint(
                (Strand(s.x, s.tap, s.y, s.count, s.coefficient) for s in self.strands),
                self.advance,
                self.step,
            ),
        )

    def after(self, inner: Axis) -> Axis:
        """Composition: this axis reads what ``inner`` writes; tap = own*inner.n_tap + inner's.

        Two strands meet where advance*j + x = inner.step*i + y, a linear Diophantine equation:
        its solutions are again a line.
        """
        if self.n_in != inner.n_out:
            raise ValueError(f"an axis of {self.n_in} inputs cannot read {inner.n_out} outputs")
        common = gcd(self.advance, inner.step)
        own, other = inner.step // common, self.advance // common  # steps of j and of i
        step, advance = self.step * own, inner.advance * other
        inverse = pow(other, -1, own)
        met = []
        for a in self.strands:
            for b in inner.strands:
                distance, remainder = divmod(b.y - a.x, common)
                if remainder:
                    continue
                j = distance * inverse % own
                i = (other * j - distance) // own
                begin = max(0, -(i // other))
                end = min((a.count - 1 - j) // own, (b.count - 1 - i) // other) + 1
                if begin < end:
                    y = a.y + self.step * (j + own * begin)
                    x = b.x + inner.advance * (i + other * begin)
                    tap = a.tap * inner.n_tap + b.tap
                    met.append(Strand(y, tap, x, end - begin, a.coefficient * b.coefficient))
        return Axis(
            inner.n_in,
            self.n_out,
            self.n_tap * inner.n_tap,
            step,
            advance,
            disjoint(met, step, advance),
        )


def disjoint(strands: Iterable[Strand], step: int, advance: int) -> tuple[Strand, ...]:
    """The same sum with each triple in one strand and each strand as long as possible."""
    lines: dict[tuple[int, int, int], list[Strand]] = defaultdict(list)
    for strand in strands:
        q, phase = divmod(strand.y, step)
        lines[phase, strand.tap, strand.x - advance * q].append(strand)
    result: list[Strand] = []
    for line in lines.values():
        result += line if len(line) == 1 else _summed(line, step, advance)
    return tuple(sorted(result))


def _summed(line: Sequence[Strand], step: int, advance: int) -> Iterator[Strand]:
    """The sum of strands of one line, cut where its coefficient changes."""
    first = min(line)
    jumps: dict[int, Fraction] = defaultdict(Fraction)
    for strand in line:
        q = (strand.y - first.y) // step
        jumps[q] += strand.coefficient
        jumps[q + strand.count] -= strand.coefficient
    value, begin = Fraction(0), 0
    for q in sorted(q for q, jump in jumps.items() if jump):
        if value:
            y, x = first.y + step * begin, first.x + advance * begin
            yield Strand(y, first.tap, x, q - begin, value)
        value, begin = value + jumps[q], q
