"""Bank conflicts of shared memory, counted, and the distances between rows that avoid them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

BANKS = 32  # words of 4 bytes that shared memory serves at once


def conflicts(places: Iterable[int]) -> int:
    """How many turns a warp takes to read these words: the most distinct ones in a bank.

    >>> conflicts(range(32)), conflicts(range(0, 64, 2)), conflicts([5] * 32)
    (1, 2, 1)
    """
    banks: dict[int, set[int]] = defaultdict(set)
    for place in places:
        banks[place % BANKS].add(place)
    return max(len(words) for words in banks.values())


def least(first: int, count: int, turns: Callable[[int], int]) -> int:
    """Of ``count`` distances from ``first`` on the one of least turns, and then the least.

    >>> least(36, 32, lambda pitch: conflicts([*range(8), *range(pitch, pitch + 8)]))
    40
    """
    return min(range(first, first + count), key=lambda pitch: (turns(pitch), pitch))
