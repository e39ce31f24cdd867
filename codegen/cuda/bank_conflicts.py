"""Cycles that a warp's reads of vectors from shared memory take, by enumeration.

Reads of 16 bytes are served for 8 lanes at a time,
of 8 bytes for 16, of 4 bytes for 32 (CUDA C++ Best Practices Guide, shared memory).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from .banks import BANKS, conflicts

LANES = 32


@cache
def cycles(places: tuple[int, ...], words: int) -> int:
    """Cycles that shared memory takes for a warp whose lanes read ``words`` words at ``places``.

    ``places`` count words. Lanes that read the same are served together.

    >>> cycles(tuple(range(32)), 1), cycles((0,) * 32, 4), cycles(tuple(range(0, 128, 4)), 4)
    (1, 1, 4)
    >>> cycles(tuple(range(0, 64, 2)), 1)
    2
    """
    served = LANES // words
    if len(set(places)) == 1:
        return 1
    return sum(_turns(places[at : at + served], words) for at in range(0, len(places), served))


def of_pixels(
    pixels: tuple[int, ...], counts: tuple[int, int], strides: tuple[int, int, int], words: int
) -> int:
    """The same for lanes that read at a pixel each, which lies at z, y, x of its block.

    ``counts`` are the pixels along y and x, ``strides`` the words between them along z, y and x.

    >>> of_pixels(tuple(range(32)), (4, 8), (0, 64, 4), 4)
    4
    """
    z, y, x = strides
    far = BANKS * counts[0] * counts[1] * x  # whole rows of banks apart, however far, is alike
    return _of_pixels(pixels, counts, (z % BANKS + far * far, y % BANKS + far, x), words)


@cache
def _of_pixels(
    pixels: tuple[int, ...], counts: tuple[int, int], strides: tuple[int, int, int], words: int
) -> int:
    (along_y, along_x), (z, y, x) = counts, strides
    places = (
        pixel // along_x // along_y * z + pixel // along_x % along_y * y + pixel % along_x * x
        for pixel in pixels
    )
    return cycles(tuple(places), words)


def _turns(places: Sequence[int], words: int) -> int:
    return conflicts(word for place in places for word in range(place, place + words))
