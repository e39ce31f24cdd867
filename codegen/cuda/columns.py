"""Columns of tensor-core fragments as positions of a tile, and where they lie in its patch.

The patch holds words [pair of channels][sample][position of each axis]. A warp reads 8 columns of
4 pairs at once: rows of the patch and pairs lie apart so that these 32 words are in 32 banks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

from .banks import conflicts, least
from .patch import Span

COLUMNS = 8  # of a fragment
PAIRS = 4  # of channels that a warp reads at once
PITCH_PADS = 32  # distances between pairs that are tried


def order(runs: int, fragment: int, column: int) -> int:
    """The column of a block that a column of a fragment is, where a thread holds 2 * runs in a row.

    A thread holds columns 2t and 2t + 1 of each fragment; those of ``runs`` fragments in turn are
    made neighbours.

    >>> [order(4, fragment, column) for fragment in (0, 1) for column in (0, 1, 2)]
    [0, 1, 8, 2, 3, 10]
    >>> [order(1, fragment, column) for fragment in (0, 1) for column in (0, 1, 2)]
    [0, 1, 2, 8, 9, 10]
    """
    turn, j = divmod(fragment, runs)
    return turn * runs * COLUMNS + column // 2 * 2 * runs + 2 * j + column % 2


@dataclass(frozen=True)
class Patch:
    """The patch of a tile: ``row`` words between rows, ``pitch`` between pairs of channels."""

    spans: tuple[Span, ...]
    samples: int
    row: int
    pitch: int

    @cached_property
    def strides(self) -> tuple[int, ...]:
        """Words from one place to the next along each axis."""
        outer = [span.positions for span in self.spans[1:-1]]
        if len(self.spans) == 1:
            return (1,)
        return (*(self.row * prod(outer[d:]) for d in range(len(outer) + 1)), 1)

    @cached_property
    def sample(self) -> int:
        """Words of one sample."""
        if len(self.spans) == 1:
            return self.row
        return self.strides[0] * self.spans[0].positions

    def place(self, column: int) -> int:
        """Where a column of a block reads at the least offsets; those too many read as one does."""
        if column >= self.samples * prod(span.width for span in self.spans):
            return 0
        place = 0
        for span, stride in zip(reversed(self.spans), reversed(self.strides), strict=True):
            column, q = divmod(column, span.width)
            place += q * stride
        return place + column * self.sample

    def turns(self, columns: Iterable[Sequence[int]]) -> int:
        """How many times a warp waits for the columns of its fragments."""
        return sum(
            conflicts(pair * self.pitch + place for pair in range(PAIRS) for place in places)
            for places in ([self.place(each) for each in eight] for eight in columns)
        )


def patch_of(spans: tuple[Span, ...], samples: int, runs: int, fragments: int) -> Patch:
    """The patch with the fewest bank conflicts, and of those the smallest.

    >>> from derive.core.rules import ConvolutionRule
    >>> from .windows import window_of
    >>> span = Span(window_of(ConvolutionRule(kernel=3, before=1, after=1).at(14)), 14)
    >>> patch = patch_of((span, span), 1, 1, 4)
    >>> patch.row, patch.pitch % 32, patch.turns([[*range(8, 16)]])
    (22, 8, 1)
    """
    columns = [[order(runs, j, c) for c in range(COLUMNS)] for j in range(fragments)]
    regular = spans[-1].width % (COLUMNS * runs) == 0
    row = spans[-1].positions
    if not regular and len(spans) > 1:
        row += (spans[-1].width - row) % COLUMNS  # eight columns are then eight places modulo 8
    words = samples * Patch(spans, samples, row, 0).sample
    seen = columns[:1] if regular else columns
    pitch = least(words, PITCH_PADS, lambda pitch: Patch(spans, samples, row, pitch).turns(seen))
    return Patch(spans, samples, row, pitch)
