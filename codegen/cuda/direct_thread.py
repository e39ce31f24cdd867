"""What one thread of a direct schedule computes: a block of outputs held in registers.

It reads a row of x from shared memory as vectors of columns, taken apart by the advance, and
multiplies it by every tap that touches it. The sums of all its phases, rows and columns for
``outputs`` channels stay in registers until the end.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from math import gcd, prod

from .slides import Slide

VECTOR_WORDS = 4  # of 4 bytes, in one read of shared memory
MOST_WRITTEN = 8192  # multiply-adds of an input channel that are written out
UNROLLED = 256  # multiply-adds that a loop over input channels should at least have
AROUND_CHANNEL = 11  # instructions of the loop over input channels, beside reads and sums
AROUND = 44  # registers for places, counters and pointers, as ptxas takes them


@dataclass(frozen=True, slots=True)
class Use:
    """A tap at ``column`` places from the first of a thread, for one of its phases.

    ``tap`` counts (tap of z, y, x) within the phases (z, y, x) of a group.
    """

    column: int
    phase: tuple[int, int, int]
    tap: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class TapRow:
    """The taps that read one row of x; their weights begin at ``slot``, in order of uses."""

    depth: int
    row: int
    slot: int
    uses: tuple[Use, ...]


@dataclass(frozen=True)
class DirectThread:
    """``outputs`` channels, ``rows`` x ``columns`` places of q, all phases of a group."""

    slides: tuple[Slide, Slide, Slide]
    outputs: int
    rows: int
    columns: int
    words: int  # of 4 bytes, in a number of shared memory

    @property
    def phases(self) -> int:
        """Of a group, of all axes."""
        return prod(slide.phases for slide in self.slides)

    @property
    def sums(self) -> int:
        """Numbers that it keeps."""
        return self.outputs * self.rows * self.columns * self.phases

    @property
    def vector(self) -> int:
        """Columns that are read at once."""
        return gcd(self.columns, self.weight_vector)

    @property
    def weight_vector(self) -> int:
        """Weights that are read at once."""
        return VECTOR_WORDS // self.words

    @cached_property
    def tap_rows(self) -> tuple[TapRow, ...]:
        """All its taps by the row of x that they read, for its first row of outputs."""
        z, y, x = self.slides
        found: dict[tuple[int, int], list[Use]] = defaultdict(list)
        across = [
            (offset, px, tx)
            for px, offsets in enumerate(x.offsets)
            for tx, offset in enumerate(offsets)
        ]
        for pz, depths in enumerate(z.offsets):
            for tz, depth in enumerate(depths):
                for py, offsets in enumerate(y.offsets):
                    for ty, row in enumerate(offsets):
                        found[depth, row] += [
                            Use(column, (pz, py, px), (tz, ty, tx)) for column, px, tx in across
                        ]
        made, slot = [], 0
        for (depth, row), uses in sorted(found.items()):
            uses.sort(key=lambda use: (use.column, use.phase))
            made.append(TapRow(depth, row, slot, tuple(uses)))
            slot += self.padded(len(uses))
        return tuple(made)

    @property
    def _uses(self) -> list[Use]:
        return [use for taps in self.tap_rows for use in taps.uses]

    def padded(self, taps: int) -> int:
        """Slots for so many taps, so that the next ones begin on a vector."""
        whole = self.weight_vector // gcd(self.weight_vector, self.outputs)
        return -(-taps // whole) * whole

    @cached_property
    def slots(self) -> int:
        """Places of taps, ``outputs`` weights each."""
        return sum(self.padded(len(each.uses)) for each in self.tap_rows)

    @cached_property
    def taps(self) -> int:
        """Of all its phases."""
        return sum(len(each.uses) for each in self.tap_rows)

    @property
    def multiplies(self) -> int:
        """Multiply-adds for one input channel."""
        return self.taps * self.outputs * self.rows * self.columns

    @property
    def even(self) -> bool:
        """Whether its tap rows are alike and evenly apart, so that loops say them."""
        z, y, _ = self.slides
        return self.rows == 1 and z.even is not None and y.even is not None

    @property
    def holds_weights(self) -> bool:
        """Whether all weights of an input channel are in registers: rows of x meet several."""
        return self.rows > 1

    def chunks(self, column: int) -> range:
        """Where the vectors begin that a tap at a column reads, within its residue."""
        advance = self.slides[2].advance
        first = column // advance
        return range(first // self.vector * self.vector, first + self.columns, self.vector)

    @cached_property
    def window(self) -> int:
        """Columns of a residue from the first one to the last that it reads."""
        return max((self.chunks(use.column)[-1] + self.vector for use in self._uses), default=0)

    @cached_property
    def x_rows(self) -> dict[tuple[int, int], list[tuple[int, TapRow]]]:
        """The rows of x by (depth, row), with (row of outputs, taps) that read each."""
        found: dict[tuple[int, int], list[tuple[int, TapRow]]] = defaultdict(list)
        for row in range(self.rows):
            for taps in self.tap_rows:
                found[taps.depth, taps.row + row * self.slides[1].advance].append((row, taps))
        return dict(sorted(found.items()))

    @cached_property
    def window_reads(self) -> int:
        """Vectors of x that it reads for one input channel."""
        return sum(
            len(
                {
                    (use.column % self.slides[2].advance, at)
                    for _, taps in readers
                    for use in taps.uses
                    for at in self.chunks(use.column)
                }
            )
            for readers in self.x_rows.values()
        )

    @property
    def weight_reads(self) -> int:
        """Vectors of weights that it reads for one input channel."""
        return -(-self.slots * self.outputs // self.weight_vector)

    @property
    def share(self) -> float:
        """Of multiply-adds among the instructions of the hot loop."""
        channels = max(1, UNROLLED // max(1, self.multiplies))
        others = self.window_reads + self.weight_reads + AROUND_CHANNEL / channels
        return self.multiplies / (self.multiplies + others)

    @cached_property
    def registers(self) -> int:
        """About how many it takes, without those of the copies."""
        residues = {use.column % self.slides[2].advance for use in self._uses}
        in_row = len(residues) * (self.columns // self.vector + 1)
        weights = self.slots * self.outputs if self.holds_weights else 2 * max(4, self.outputs)
        return AROUND * (self.words + 3) // 4 + self.words * (
            self.sums + in_row * self.vector + weights
        )

    def tap_in_weight(self, group: tuple[int, int, int], use: Use) -> int:
        """Which tap of the weight of a pair of channels it is, for a group of phases."""
        return sum(
            slide.weight * slide.taps[g][p][t]
            for slide, g, p, t in zip(self.slides, group, use.phase, use.tap, strict=True)
        )
