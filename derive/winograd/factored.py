"""Through a signal in between: an axis that is a convolution of something fixed.

Where what tap t of output y reads depends on u = s*y + d*t alone, the axis is a convolution with
stride s and dilation d of the signal z_u = sum over x of R[u, x] x_x: a resize, and R is read from
the interior. So its fast algorithm is that of the convolution with BT * R for BT: z is formed
inside the input transform. Rows that become zero are products saved. R repeats with the phases, so
it matters with which phase a tile begins.

Nearest x2 shows why rows vanish: the row of the point -1 is z (z - 1) q(z^2), the z from the point
0, so it adds up differences within pairs z_1, z_2 and z_3, z_4 and so on; where the tile begins to
read at the second of two equal positions, each of these is one position twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import product
from math import gcd

from derive.core.polyphase import Tap

from . import phases
from .interior import Interior
from .rational import ONE, placed
from .tile import Tile, window


def factor(interior: Interior) -> tuple[int, int] | None:
    """The smallest (s, d) such that y and t matter by s*y + d*t only, None where no taps share.

    >>> from derive.core.rules import ChainRule, ConvolutionRule
    >>> from derive.core.resize_rule import ResizeRule
    >>> nearest = ResizeRule(kind="nearest", factor=Fraction(2))
    >>> factor(Interior.of(ChainRule(ConvolutionRule(kernel=3, before=1, after=1), nearest)))
    (1, 1)
    """
    offsets = [tap.offset for taps in interior.phases for tap in taps]
    reach = interior.step * (1 + (max(offsets, default=0) - min(offsets, default=0)))
    for s in range(1, max(2, interior.n_tap)):
        for d in (sign * size for size in range(1, reach + 1) for sign in (1, -1)):
            if gcd(s, d) == 1 and _depends_on_sum(interior, s, d):
                return s, d
    return None


def _depends_on_sum(interior: Interior, s: int, d: int) -> bool:
    return all(
        interior.reads(y + d, t) == interior.reads(y, t + s)
        for t in range(interior.n_tap - s)
        for y in range(interior.step)
    )


def factored_tiles(
    interior: Interior, m: int, points: Sequence[Fraction], most: int
) -> Iterator[Tile]:
    """The tiles of m outputs by a convolution of the signal between, one for each beginning.

    There are none where the convolution takes more than ``most`` products before rows vanish, or
    where images of a dilation would begin with different phases. Points in pairs a, -a are tried
    too: only whole pairs leave an even polynomial, whose rows may vanish.
    """
    found = factor(interior)
    if found is None:
        return
    s, d = found
    taps = tuple(
        Tap(d * t, ((t, ONE),)) for t in sorted(range(interior.n_tap), key=lambda t: d * t)
    )
    between = Interior(1, s, (taps,), interior.n_tap)
    many = interior.step > 1 and phases.images(between) > 1
    if many or phases.products(between, m, len(points) + 1) > most:
        return
    outer_tiles = [phases.phase_tile(between, m, order) for order in (points, paired(points))]
    for outer, first in product(outer_tiles, range(interior.step)):
        signal = [_signal(interior, s, d, s * first + u) for u in outer.inputs]
        inputs = window([x for row in signal for x in row], interior.advance)
        algorithm = outer.algorithm.after_input(placed(signal, inputs), len(inputs))
        yield Tile(
            algorithm.scaled(),
            interior,
            tuple(first + y for y in outer.outputs),
            inputs,
            outer.output_step,
            interior.advance * outer.output_step // interior.step,
            outer.images,
            1,
            interior.advance,
        )


def paired(points: Sequence[Fraction]) -> tuple[Fraction, ...]:
    """The same points, each followed by its negative.

    >>> [str(point) for point in paired([Fraction(2), Fraction(-1, 2), Fraction(-2)])]
    ['2', '-2', '-1/2']
    """
    both = (each for point in points for each in (point, -point) if each in points)
    return tuple(dict.fromkeys(both))


def _signal(interior: Interior, s: int, d: int, u: int) -> dict[int, Fraction]:
    """What z_u is made of, read where tap t of output y has s*y + d*t = u."""
    t = next(t for t in range(interior.n_tap) if (u - d * t) % s == 0)
    return interior.reads((u - d * t) // s, t)
