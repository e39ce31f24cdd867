"""How the threads of a block share out the reading of a patch: positions and pairs of channels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class Readers:
    """``readers`` threads side by side read ``slots`` positions each, of each ``apart``-th pair."""

    readers: int
    slots: int
    apart: int
    pairs: int  # of a thread

    @property
    def words(self) -> int:
        """What a thread holds of a chunk."""
        return self.slots * self.pairs


@cache
def readers_of(positions: int, pairs: int, threads: int) -> Readers:
    """The way with the fewest words, a position, which takes registers too, being half a word.

    >>> readers_of(positions=340, pairs=8, threads=256)
    Readers(readers=128, slots=3, apart=2, pairs=4)
    """
    found = [
        Readers(threads // apart, -(-positions * apart // threads), apart, pairs // apart)
        for apart in (1, 2, 4, 8, 16, 32)
        if pairs % apart == 0 and threads // apart >= 32
    ]
    return min(found, key=lambda each: (2 * each.words + each.slots, each.slots))
