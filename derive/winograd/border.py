"""Tiles at a border that does not read zeros: the same products from another input transform.

Where padding reflects, repeats or wraps, or a resize is clamped, the outputs of a border tile are
still convolutions of something, often of the padded or resized signal. So AT and G, and with them
the transformed weights, may stay, and BT is what has to be found: linear equations

    sum over p of AT[y, p] * G[p, t] * BT[p, x]  =  P[y, t, x]        for each x

with the exact rows of the border on the right. Outputs beyond the axis ask for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from sympy import QQ
from sympy.polys.matrices import DomainMatrix

from derive.core.axis import Axis

from .bilinear import BilinearAlgorithm
from .rational import Matrix, Row, transposed
from .tile import Tile


@dataclass(frozen=True, slots=True)
class BorderTile:
    """The tile that writes shift + tile.outputs, reading ``inputs`` with ``BT`` for its rows."""

    shift: int
    inputs: tuple[int, ...]  # positions of the axis, inside it
    BT: Matrix


@dataclass(frozen=True, slots=True)
class Borders:
    """Tiles with another input transform, and outputs that only a direct sum computes."""

    tiles: tuple[BorderTile, ...]
    direct: tuple[int, ...]


def borders(tile: Tile, axis: Axis) -> Borders:
    """What is to be done where reading zeros beyond the axis would be wrong.

    Every tile with such an output is solved for; where there is no solution, for a product that
    the interior does not need is missing there, its outputs that differ are to be summed directly.
    GeometryError for an axis of other steps.

    >>> from derive.core.rules import ConvolutionRule
    >>> from derive.winograd import fast_axis
    >>> reflect = ConvolutionRule(kernel=3, before=1, after=1, mode="reflect")
    >>> found = borders(fast_axis(reflect, 2), reflect.at(4))
    >>> found.direct, [(each.shift, each.inputs) for each in found.tiles]
    ((), [(0, (0, 1, 2)), (2, (1, 2, 3))])
    >>> [str(value) for value in found.tiles[0].BT[0]]  # x_1 for the x_-1 of (-1, 0, 1, 0)
    ['0', '0', '0']
    """
    solved: list[BorderTile] = []
    direct: list[int] = []
    wrong = set(tile.unlike(axis))
    for shift in sorted({_shift(tile, y) for y in wrong}):
        found = _solved(tile, axis, shift)
        if found is None:
            direct += sorted({y + shift for y in tile.outputs} & wrong)
        else:
            solved.append(found)
    return Borders(tuple(solved), tuple(sorted(direct)))


def _shift(tile: Tile, y: int) -> int:
    """Of the one tile that writes output y."""
    for image in range(tile.images):
        for own in tile.outputs:
            shift = y - own - tile.output_image * image
            if shift % tile.output_step == 0:
                return y - own
    raise AssertionError(f"no tile writes output {y}")


def _solved(tile: Tile, axis: Axis, shift: int) -> BorderTile | None:
    there = [j for j, y in enumerate(tile.outputs) if 0 <= y + shift < axis.n_out]
    rows = {j: axis.row(tile.outputs[j] + shift) for j in there}
    inputs = tuple(sorted({x for row in rows.values() for x, _, _ in row}))
    places = [(j, t) for j in there for t in range(axis.n_tap)]
    wanted = {(j, t, x): c for j, row in rows.items() for x, t, c in row}
    left = _products(tile.algorithm, places)
    right = [[wanted.get((j, t, x), Fraction(0)) for x in inputs] for j, t in places]
    BT = _solution(left, right, tile.products, len(inputs))
    return None if BT is None else BorderTile(shift, inputs, BT)


def _products(algorithm: BilinearAlgorithm, places: Sequence[tuple[int, int]]) -> list[Row]:
    """AT[y, p] * G[p, t], a row for each (y, t) and a column for each p."""
    taps = transposed(algorithm.G, algorithm.n_tap)
    return [tuple(a * g for a, g in zip(algorithm.AT[j], taps[t], strict=True)) for j, t in places]


def _solution(
    left: Sequence[Row], right: Sequence[Sequence[Fraction]], unknowns: int, columns: int
) -> Matrix | None:
    """One X with left * X = right, free unknowns zero; None where there is none."""
    rows = [
        [QQ(v.numerator, v.denominator) for v in (*a, *b)] for a, b in zip(left, right, strict=True)
    ]
    reduced, pivots = DomainMatrix(rows, (len(rows), unknowns + columns), QQ).rref()
    if pivots and pivots[-1] >= unknowns:
        return None
    entries = reduced.to_list()
    found = {pivot: entries[i][unknowns:] for i, pivot in enumerate(pivots)}
    zeros = [QQ(0)] * columns
    return tuple(
        tuple(Fraction(int(v.numerator), int(v.denominator)) for v in found.get(p, zeros))
        for p in range(unknowns)
    )
