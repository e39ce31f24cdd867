"""The sum between the transforms, term after term, with the errors of its additions."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from derive.winograd.rational import Matrix

from .rounded import EXPONENT, Arithmetic, Array, Rounded
from .schedule import Transform

BLOCK = 1 << 15  # sums side by side, which a cache holds three times


@dataclass(frozen=True, slots=True)
class Weights:
    """U = G w as a kernel packs it, and ``drift``, how far rounding took it: value - exact.

    The drift is known up to the error.
    """

    value: Array
    error: Array
    drift: Array

    @property
    def reach(self) -> Array:
        return np.asarray(np.abs(self.value) + np.abs(self.drift) + 2 * self.error)


def weights(transform: Transform, taps: Array, arithmetic: Arithmetic, own: float) -> Weights:
    """U (down, across, depth, channel in, channel out) of taps (out, in, depth, down, across).

    It is computed in float64, by constants that are ours to the last bit, and rounded once.
    ``own`` is our relative rounding.
    """
    wide = Arithmetic.of("float64")
    u = Rounded(taps, np.zeros_like(taps))
    for place, tiles in enumerate(transform.axes, start=2):
        u = _multiplied(tiles.tile.algorithm.G, u.moved(place, 0), wide).moved(0, place)
    low, value, high = (
        (u.value + sign * 2 * u.error).astype(arithmetic.dtype).astype(np.float64)
        for sign in (-1, 0, 1)
    )
    drift = value - u.value + of_constants(transform, taps)
    error = (1 + own) * u.error + own * np.abs(drift)
    if arithmetic.unit > wide.unit:  # else the last rounding is the only one
        error = error + np.maximum(value - low, high - value)
    error = arithmetic.within(error, u.reach)
    turned = (3, 4, 2, 1, 0)
    return Weights(*(a.transpose(turned) for a in (value, error, drift)))


def _multiplied(matrix: Matrix, x: Rounded, arithmetic: Arithmetic) -> Rounded:
    """The rows in order of their columns, which is how weights are transformed."""
    rows = []
    for row in matrix:
        parts = [x.at(t).times(c, arithmetic, same=True) for t, c in enumerate(row) if c]
        total = parts[0]
        for part in parts[1:]:
            total = total.plus(part, arithmetic)
        rows.append(total)
    return Rounded.stacked(rows)


def of_constants(transform: Transform, taps: Array) -> Array:
    """How far U is from G w because constants are rounded; their errors do not meet but once."""
    total = np.zeros(1)
    for chosen in range(2, 2 + len(transform.axes)):
        part = taps
        for place, tiles in enumerate(transform.axes, start=2):
            off = _error if place == chosen else float
            matrix = np.array([[off(c) for c in row] for row in tiles.tile.algorithm.G])
            part = np.moveaxis(np.tensordot(matrix, part, (1, place)), 0, place)
        total = total + part
    return total


def _error(constant: Fraction) -> float:
    """Of its nearest float64."""
    return float(Fraction(float(constant)) - constant)


def products(
    u: Weights, v: Rounded, arithmetic: Arithmetic, *, in_order: bool
) -> tuple[Rounded, Array]:
    """M = the sum over k of v u, as a kernel adds it: from k = 0 on, fused or not; and its drift.

    ``u`` is (..., terms, outputs) and ``v`` (..., terms, tiles); M is (..., tiles, outputs). Not
    ``in_order``, partial sums are taken to be as large as can be.

    >>> u, v = np.ones((4, 1)), Rounded(np.ones((4, 1)), np.zeros((4, 1)))
    >>> M, _ = products(Weights(u, 0 * u, 0 * u), v, Arithmetic.of("float32"), in_order=True)
    >>> float(M.value[0, 0]), round(float(M.error[0, 0]) * 2**24)  # 4 products, and 1 + 2 + 2 + 4
    (4.0, 13)
    """
    terms = v.value.shape[-2]
    left, passed, exact = (a.swapaxes(-1, -2) for a in (v.error, v.reach, v.value))
    reach = passed @ u.reach
    error = left @ u.reach + passed @ u.error + (reach > 0) * (terms * arithmetic.smallest)
    most = error + arithmetic.gamma(terms + 1) * reach
    drift = exact @ u.drift
    if not in_order:
        return Rounded(exact @ u.value, arithmetic.within(most, reach)), drift
    value, spacings = _in_order(u.value, v.value, 2 * most)
    error += arithmetic.unit * (reach + spacings)
    return Rounded(value, arithmetic.within(error, reach)), drift


def _in_order(u: Array, v: Array, margin: Array) -> tuple[Array, Array]:
    """The sums, and the sum of the powers of 2 below each of their partial sums.

    A partial sum of the kernel is within ``margin`` of ours.
    """
    value, spacings = np.zeros_like(margin), np.zeros_like(margin)
    height = max(1, BLOCK // margin.shape[-1])
    for place in np.ndindex(margin.shape[:-2]):
        for begin in range(0, margin.shape[-2], height):
            tiles = slice(begin, begin + height)
            at = (*place, tiles)
            _block(u[place], v[place][:, tiles], margin[at], value[at], spacings[at])
    return value, spacings


def _block(u: Array, v: Array, margin: Array, value: Array, spacings: Array) -> None:
    room = np.empty_like(margin)
    bits = room.view(np.int64)
    for k in np.flatnonzero(v.any(axis=-1)):
        np.multiply(v[k, :, None], u[k], out=room)
        value += room
        np.abs(value, out=room)
        room += margin
        np.bitwise_and(bits, EXPONENT, out=bits)
        spacings += room
