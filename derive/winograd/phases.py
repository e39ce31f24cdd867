"""Phase by phase: each is a few ordinary convolutions of parts of the input, added up.

Within a phase, input offsets that agree modulo the advance of the axis belong to one polyphase part
of the input, and along it the phase is a convolution with stride 1. So a stride splits the taps
into parts, one of which may hold a single tap, which needs no transform; a dilation splits the
outputs into images that never meet; several taps on one position are one tap of the sum of their
weights; and the phases of a transposed convolution, each shifted so that its window begins where
the others begin, share the input transform.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from itertools import groupby
from math import gcd
from operator import add

from derive.core.folding import Combination
from derive.core.polyphase import Tap

from .bilinear import BilinearAlgorithm
from .cook_toom import cook_toom, direct
from .interior import Interior
from .rational import placed, transposed
from .tile import Tile, selection, window


@dataclass(frozen=True, slots=True)
class Part:
    """Taps of one phase on one part of the input: q reads advance*(q + start + j) + residue."""

    residue: int
    start: int
    taps: tuple[Combination, ...]  # of j = 0, 1, ...; empty where no tap falls

    def reads(self, q: int, advance: int) -> int:
        """The position of the first tap."""
        return advance * (q + self.start) + self.residue

    def products(self, count: int, most: int) -> int:
        """Of ``count`` outputs, by Cook-Toom of at most so many points or one by one."""
        return min(self._transformed(count, most), self._one_by_one(count))

    def _transformed(self, count: int, most: int) -> int:
        n = count + len(self.taps) - 1
        return n if n <= most else self._one_by_one(count)

    def _one_by_one(self, count: int) -> int:
        return count * sum(map(bool, self.taps))

    def algorithm(self, count: int, n_tap: int, points: Sequence[Fraction]) -> BilinearAlgorithm:
        """The one with the fewest products; where equal, the one without error growth."""
        n = count + len(self.taps) - 1
        if self.products(count, len(points) + 1) < self._one_by_one(count):
            plain = cook_toom(count, len(self.taps), points[: n - 1])
        else:
            plain = direct(count, len(self.taps))
        combined = placed([dict(taps) for taps in self.taps], range(n_tap))
        return plain.after_taps(combined, n_tap)


def images(interior: Interior) -> int:
    """Into how many images, which share no input, the outputs of each phase fall.

    >>> from derive.core.rules import ConvolutionRule
    >>> images(Interior.of(ConvolutionRule(kernel=3, stride=2, dilation=3)))
    3
    """
    starts = [
        [quotient for quotient, _ in part]
        for taps in interior.phases
        for _, part in _by_residue(taps, interior.advance)
    ]
    return gcd(*(start - each[0] for each in starts for start in each)) or 1


def parts(interior: Interior) -> list[list[Part]]:
    """Those of each phase of one image, shifted so that all phases begin to read at once.

    >>> from derive.core.rules import TransposedRule
    >>> for phase in parts(Interior.of(TransposedRule(kernel=4, stride=2, before=1))):
    ...     print([(part.residue, part.start) for part in phase])
    [(0, -1)]
    [(0, 0)]
    """
    advance = interior.advance * images(interior)
    return [
        [_part(residue, found) for residue, found in _by_residue(taps, advance)]
        for taps in interior.phases
    ]


def _by_residue(taps: Sequence[Tap], advance: int) -> list[tuple[int, list[tuple[int, Tap]]]]:
    """(residue, [(quotient, tap), ...]) of the offsets divided by the advance, sorted."""
    divided = sorted(
        ((tap.offset % advance, tap.offset // advance, tap) for tap in taps),
        key=lambda each: each[:2],
    )
    return [
        (residue, [(quotient, tap) for _, quotient, tap in group])
        for residue, group in groupby(divided, key=lambda each: each[0])
    ]


def _part(residue: int, found: Sequence[tuple[int, Tap]]) -> Part:
    at = {quotient: tap.weights for quotient, tap in found}
    start = min(at)
    return Part(residue, start, tuple(at.get(j, ()) for j in range(start, max(at) + 1)))


def products(interior: Interior, m: int, most: int) -> int:
    """How many ``phase_tile`` needs, known before it is built."""
    count = m // interior.step
    return sum(part.products(count, most) for phase in parts(interior) for part in phase)


def phase_tile(interior: Interior, m: int, points: Sequence[Fraction]) -> Tile:
    """m outputs, m/step of each phase; m is a multiple of the step.

    >>> from derive.core.rules import ConvolutionRule
    >>> from derive.winograd import POINTS
    >>> tile = phase_tile(Interior.of(ConvolutionRule(kernel=3, stride=2)), 4, POINTS)
    >>> tile.products, [sum(map(bool, row)) for row in tile.algorithm.BT]
    (9, [4, 3, 3, 2, 4, 1, 1, 1, 1])
    """
    n_image = images(interior)
    step, advance, count = interior.step * n_image, interior.advance * n_image, m // interior.step
    each = parts(interior)
    latest = max((part.start for phase in each for part in phase[:1]), default=0)
    shifts = [latest - phase[0].start if phase else 0 for phase in each]
    written = [
        tuple(step * (shift + q) + r for q in range(count)) for r, shift in enumerate(shifts)
    ]
    read = [
        [
            tuple(part.reads(shift + i, advance) for i in range(count + len(part.taps) - 1))
            for part in phase
        ]
        for phase, shift in zip(each, shifts, strict=True)
    ]
    outputs = tuple(sorted(y for positions in written for y in positions))
    inputs = window([x for phase in read for positions in phase for x in positions], advance)
    pieces = [
        part.algorithm(count, interior.n_tap, points)
        .after_input(selection(positions, inputs), len(inputs))
        .before_output(transposed(selection(ys, outputs), m))
        for phase, ys, reads in zip(each, written, read, strict=True)
        for part, positions in zip(phase, reads, strict=True)
    ]
    nothing = BilinearAlgorithm(((),) * m, (), (), interior.n_tap, len(inputs))
    return Tile(
        reduce(add, pieces, nothing),
        interior,
        outputs,
        inputs,
        step * count,
        advance * count,
        n_image,
        interior.step,
        interior.advance,
    )
