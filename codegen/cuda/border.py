"""The outputs that windows do not hold for, as disjoint boxes of positions: see windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from .windows import Window


@dataclass(frozen=True, slots=True)
class OutputBox:
    """Positions of y from ``firsts``, so many along each axis."""

    firsts: tuple[int, ...]
    sizes: tuple[int, ...]

    @property
    def count(self) -> int:
        """Its positions."""
        return prod(self.sizes)


def border_of(windows: Sequence[Window]) -> tuple[OutputBox, ...]:
    """All outputs beyond the windows; none where they are whole.

    >>> window = Window(9, 9, 1, 1, (((0, 0),),), 2, 6, ())
    >>> [(box.firsts, box.sizes) for box in border_of([window])]
    [((0,), (2,)), ((8,), (1,))]
    """
    inside = [_held(window) for window in windows]
    found = []
    for d, window in enumerate(windows):
        before = inside[:d]
        after = [(0, other.n_out) for other in windows[d + 1 :]]
        low, high = inside[d]
        for begin, end in ((0, low), (high, window.n_out)):
            ranges = [*before, (begin, end), *after]
            box = OutputBox(tuple(a for a, _ in ranges), tuple(b - a for a, b in ranges))
            if box.count:
                found.append(box)
    return tuple(found)


def _held(window: Window) -> tuple[int, int]:
    """The outputs that the window holds for: from, to."""
    low = window.step * window.first
    return low, max(low, min(window.n_out, window.step * (window.first + window.count)))
