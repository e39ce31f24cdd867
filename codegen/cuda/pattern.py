"""The reads of a single phase in groups that read alike, positions apart by their residue.

With an advance of a, positions that differ by no multiple of a never serve one tap. So a block
stages the residues of a that taps read, and within one of them q and q + 1 are neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from .windows import Reads

NONE = -1  # the tap of a read that a last, smaller group does not have


@dataclass(frozen=True, slots=True)
class Pattern:
    """Read k of group g is of x at bases[g] + residues[rank] + advance*(q + shift).

    ``reads`` holds (rank, shift) of each k, the same in all groups, and ``taps`` those of each.

    >>> pattern_of(((-1, 0), (0, 1), (1, 2)), 2, 3)
    Pattern(advance=2, residues=(0, 1), reads=((0, 0), (1, 0), (0, 1)), bases=(-1,), \
taps=((0, 1, 2),))
    """

    advance: int
    residues: tuple[int, ...]
    reads: tuple[tuple[int, int], ...]
    bases: tuple[int, ...]
    taps: tuple[tuple[int, ...], ...]

    @property
    def reach(self) -> int:
        """The greatest shift."""
        return max(shift for _, shift in self.reads)

    @property
    def spread(self) -> int:
        """From the first group to the last one, counted as a shift."""
        return (self.bases[-1] - self.bases[0]) // self.advance

    def aligned(self, numbers: int) -> bool:
        """Whether the groups begin a multiple of so many outputs from each other."""
        return not any((b - a) % (numbers * self.advance) for a, b in pairwise(self.bases))


def pattern_of(reads: Reads, advance: int, size: int) -> Pattern | None:
    """Sorted reads in groups of ``size``; None where they differ by more than where they begin."""
    groups = [reads[begin : begin + size] for begin in range(0, len(reads), size)]
    bases = tuple(group[0][0] for group in groups)
    offsets = [[offset - group[0][0] for offset, _ in group] for group in groups]
    if any(each != offsets[0][: len(each)] for each in offsets):
        return None
    residues = tuple(sorted({offset % advance for offset in offsets[0]}))
    return Pattern(
        advance,
        residues,
        tuple((residues.index(offset % advance), offset // advance) for offset in offsets[0]),
        bases,
        tuple((*(t for _, t in g), *(NONE,) * (len(groups[0]) - len(g))) for g in groups),
    )
