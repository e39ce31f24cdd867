"""What a tile of outputs reads: for each axis a span of positions, gathered into a patch of x.

A tile is ``width`` neighbouring q along each axis, with all their phases. Its patch holds x taken
apart by the advance, [residue][j], so that neighbouring q read neighbouring numbers whatever the
stride; residues that no tap reads are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from .windows import Window


@dataclass(frozen=True)
class Span:
    """One axis of a tile; ``residues`` of the advance, counted from the least offset.

    >>> from derive.core.rules import ConvolutionRule
    >>> from .windows import window_of
    >>> window = window_of(ConvolutionRule(kernel=3, stride=2, before=1, after=1).at(16))
    >>> span = Span(window, 4)
    >>> span.tiles, span.residues, span.reach, [span.place(offset) for offset in (-1, 0, 1)]
    (2, (0, 1), 5, [0, 5, 1])
    """

    window: Window
    width: int

    @property
    def tiles(self) -> int:
        """How many of them hold all q of the window."""
        return -(-self.window.count // self.width)

    @cached_property
    def offsets(self) -> tuple[int, ...]:
        """Where taps read, in order; 0 where none does."""
        found = {offset for reads in self.window.phases for offset, _ in reads}
        return tuple(sorted(found)) or (0,)

    @cached_property
    def residues(self) -> tuple[int, ...]:
        """Of the offsets, from the least one, by the advance."""
        least = self.offsets[0]
        return tuple(sorted({(offset - least) % self.window.advance for offset in self.offsets}))

    @cached_property
    def reach(self) -> int:
        """Numbers of each residue."""
        return self.width + (self.offsets[-1] - self.offsets[0]) // self.window.advance

    @property
    def positions(self) -> int:
        """Numbers in all."""
        return len(self.residues) * self.reach

    def place(self, offset: int) -> int:
        """Where the first q of the tile reads at this offset; the others follow."""
        j, residue = divmod(offset - self.offsets[0], self.window.advance)
        return self.residues.index(residue) * self.reach + j

    def source(self, i: int) -> int:
        """The position of x that is i-th in order, from advance * (first q of the tile)."""
        j, rank = divmod(i, len(self.residues))
        return self.window.advance * j + self.residues[rank] + self.offsets[0]

    def target(self, i: int) -> int:
        """Where the i-th position lies in the patch."""
        j, rank = divmod(i, len(self.residues))
        return rank * self.reach + j
