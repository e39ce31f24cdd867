"""The axes of a form as a tile of shared memory sees them: three, each sliding over x.

Phases of an axis are cut into groups: one thread computes all phases of a group, a block one
group. Positions between those that no tap reads are left out of the tile.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from math import gcd, prod

from derive.core.form import TrilinearForm

from .windows import Reads, Window, window_of

AXES = 3
ALONE = Window(1, 1, 1, 1, (((0, 0),),), 0, 1, ())  # an axis that is not there


@dataclass(frozen=True, slots=True)
class Slide:
    """Output step*q + first phase of group g + phase reads position stride*q + bases[g] +
    spacing * offsets[phase][i] of x with tap taps[g][phase][i].

    ``weight`` and ``place`` tell how far apart its taps are in the weight, its positions in x.
    """

    window: Window
    weight: int
    spacing: int
    bases: tuple[int, ...]
    offsets: tuple[tuple[int, ...], ...]
    taps: tuple[tuple[tuple[int, ...], ...], ...]

    @property
    def phases(self) -> int:
        """Those of a group."""
        return len(self.offsets)

    @property
    def advance(self) -> int:
        """Places in the tile from one q to the next."""
        return self.window.advance // self.spacing

    @property
    def reach(self) -> int:
        """The greatest offset."""
        return max((offset for each in self.offsets for offset in each), default=0)

    def positions(self, count: int) -> int:
        """What ``count`` neighbouring q read, and what lies between."""
        return (count - 1) * self.advance + self.reach + 1

    @property
    def even(self) -> int | None:
        """The distance of the offsets of its single phase, if they all are as far apart."""
        if self.phases > 1 or not self.offsets[0]:
            return None
        (offsets,) = self.offsets
        gaps = {b - a for a, b in pairwise(offsets)} or {1}
        return gaps.pop() if len(gaps) == 1 else None


def slide_of(window: Window, group: int, weight: int = 1) -> Slide | None:
    """A window with ``group`` phases to a thread; None where the groups do not read alike.

    >>> from derive.core.rules import ConvolutionRule
    >>> window = window_of(ConvolutionRule(kernel=4, stride=2, before=1, after=1).at(8).adjoint())
    >>> slide = slide_of(window, 1)
    >>> slide.bases, slide.offsets, slide.taps
    ((-1, 0), ((0, 1),), (((3, 1),), ((2, 0),)))
    >>> slide_of(window, 2).offsets
    ((0, 1), (1, 2))
    """
    phases = window.phases
    if len(phases) % group:
        return None
    groups = [phases[at : at + group] for at in range(0, len(phases), group)]
    bases = [min((o for reads in each for o, _ in reads), default=0) for each in groups]
    distances = {
        tuple(tuple(offset - base for offset, _ in reads) for reads in each)
        for each, base in zip(groups, bases, strict=True)
    }
    if len(distances) > 1:
        return None
    (apart,) = distances
    spacing = 1 if window.elsewhere else _spacing(window, apart)
    return Slide(
        window,
        weight,
        spacing,
        tuple(bases),
        tuple(tuple(distance // spacing for distance in each) for each in apart),
        tuple(tuple(tuple(tap for _, tap in reads) for reads in each) for each in groups),
    )


def _spacing(window: Window, apart: tuple[tuple[int, ...], ...]) -> int:
    return gcd(window.advance, *(distance for each in apart for distance in each))


@cache
def axes_of(form: TrilinearForm) -> tuple[tuple[Window, int], ...]:
    """Three windows and how far apart their taps are in the weight, the columns last.

    Neighbouring axes that only copy are one axis: nothing tells rows from columns there.

    >>> from derive import Conv2d
    >>> [window.n_in for window, _ in axes_of(Conv2d(1, 1, 1, input_size=(5, 7)).form)]
    [1, 1, 35]
    """
    taps = [axis.n_tap for axis in form.axes]
    found: list[tuple[Window, int]] = []
    for d, axis in enumerate(form.axes):
        window = window_of(axis)
        if found and _copies(window) and _copies(found[-1][0]):
            n = found.pop()[0].n_in * window.n_in
            window = Window(n, n, 1, 1, (((0, 0),),), 0, n, ())
        found.append((window, prod(taps[d + 1 :])))
    return ((ALONE, 0),) * (AXES - len(found)) + tuple(found)


def _copies(window: Window) -> bool:
    one: Reads = ((0, 0),)
    alike = window.n_in == window.n_out == window.count and window.first == 0
    return alike and window.step == window.advance == 1 and window.phases == (one,)
