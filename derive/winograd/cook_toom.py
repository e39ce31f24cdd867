"""F(m, r): m outputs of a convolution with r taps by m + r - 1 products, the fewest possible.

The product of two polynomials, g of degree r - 1 and h of degree m - 1, has m + r - 1
coefficients. Evaluate both at as many points, infinity among them, multiply, interpolate (A. Toom
1963, S. Cook 1966). Transposed, that is y_i = sum over t of g_t x_(i + t):

    AT[i, p] = a_p^i    G[p, t] = a_p^t / N_p    BT[p, x] = coefficient of z^x in M(z)/(z - a_p)

with M(z) = product of (z - a_q) and N_p that of a_p - a_q over q != p; at infinity AT and G keep
the highest power and BT is M itself. S. Winograd 1980 shows that no algorithm has fewer products;
A. Lavin, S. Gray, CVPR 2016, brought it to convolutional layers.

``POINTS``: 0, 1, -1, then a, -1/a, -a, 1/a for a = 2 and 4, then 3/4 and -3/4. Magnitudes that come
with their reciprocals keep powers small, and opposite signs let rows be formed in pairs (B.
Barabasz, A. Anderson, K. Soodhalter, D. Gregg, ACM TOMS 46, 2020, who searched for good points).
The first seven are each the best next one for r = 3 among small fractions, which a test compares;
denominators of 2 keep the constants exact in floating point.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from math import prod

from derive.arguments import integer, refuse

from .bilinear import BilinearAlgorithm
from .rational import ONE, ZERO, Row

POINTS: tuple[Fraction, ...] = tuple(
    Fraction(*point)
    for point in (
        *((0, 1), (1, 1), (-1, 1)),
        *((2, 1), (-1, 2), (-2, 1), (1, 2)),
        *((4, 1), (-1, 4), (-4, 1), (1, 4)),
        *((3, 4), (-3, 4)),
    )
)
LARGEST = len(POINTS) + 1  # products that the points suffice for


def cook_toom(
    m: int,
    r: int,
    points: Sequence[int | Fraction] | None = None,
    scaling: str = "unit",
) -> BilinearAlgorithm:
    """F(m, r) at infinity and m + r - 2 finite points, verified against the definition.

    ``points`` are distinct ints or Fractions, by default the first of ``POINTS``, which suffice
    for m + r - 1 <= 14. ``scaling`` as in ``BilinearAlgorithm.scaled``. GeometryError otherwise.

    >>> winograd = cook_toom(2, 3)
    >>> for row in winograd.BT:
    ...     print(*row)
    -1 0 1 0
    0 1 1 0
    0 -1 1 0
    0 -1 0 1
    >>> [str(value) for value in winograd.G[1]]
    ['1/2', '1/2', '1/2']
    """
    m, r = integer("m", m, 1), integer("r", r, 1)
    n = m + r - 1
    if points is None:
        if n > LARGEST:
            allowed = f"at most {LARGEST}, or points = {n - 1} distinct ones"
            refuse("m + r - 1", n, allowed)
        points = POINTS[: n - 1]
    return _cook_toom(m, r, distinct(points, n - 1), scaling)


def direct(n_out: int, n_tap: int) -> BilinearAlgorithm:
    """y_i = sum over t of g_t x_(i + t) with a product for each: no transform, no error growth.

    GeometryError for sizes below 1.

    >>> direct(2, 3).products
    6
    """
    n_out, n_tap = integer("n_out", n_out, 1), integer("n_tap", n_tap, 1)
    places = [(i, t) for t in range(n_tap) for i in range(n_out)]
    n_in = n_out + n_tap - 1
    return BilinearAlgorithm(
        tuple(tuple(ONE if i == y else ZERO for i, _ in places) for y in range(n_out)),
        tuple(tuple(ONE if t == tap else ZERO for tap in range(n_tap)) for _, t in places),
        tuple(tuple(ONE if i + t == x else ZERO for x in range(n_in)) for i, t in places),
        n_tap,
        n_in,
    )


def distinct(points: Sequence[int | Fraction], count: int) -> tuple[Fraction, ...]:
    """The points as fractions; GeometryError unless they are ``count`` different numbers."""
    for each in points:
        if isinstance(each, bool) or not isinstance(each, (int, Fraction)):
            refuse("points", each, "ints and Fractions")
    chosen = tuple(map(Fraction, points))
    if len(set(chosen)) != len(chosen) or len(chosen) != count:
        refuse("points", list(map(str, chosen)), f"{count} distinct ones")
    return chosen


@cache
def _cook_toom(m: int, r: int, points: tuple[Fraction, ...], scaling: str) -> BilinearAlgorithm:
    n = m + r - 1
    highest = tuple(ONE if i == m - 1 else ZERO for i in range(m))
    outputs = [*(_powers(a, m) for a in points), highest]
    taps = [tuple(v / _norm(a, points) for v in _powers(a, r)) for a in points]
    taps.append(tuple(ONE if t == r - 1 else ZERO for t in range(r)))
    inputs = [_with_roots([q for q in points if q != a], n) for a in points]
    inputs.append(_with_roots(points, n))
    AT = tuple(tuple(column[i] for column in outputs) for i in range(m))
    algorithm = BilinearAlgorithm(AT, tuple(taps), tuple(inputs), r, n).scaled(scaling)
    return algorithm.verify({(y, t, y + t): ONE for y in range(m) for t in range(r)})


def _powers(a: Fraction, count: int) -> Row:
    return tuple(a**i for i in range(count))


def _norm(a: Fraction, points: Sequence[Fraction]) -> Fraction:
    return prod((a - q for q in points if q != a), start=ONE)


def _with_roots(roots: Sequence[Fraction], length: int) -> Row:
    """The coefficients of the polynomial with these roots, lowest first, filled up with zeros."""
    coefficients = [ONE]
    for root in roots:
        higher, lower = [ZERO, *coefficients], [*coefficients, ZERO]
        coefficients = [h - root * low for h, low in zip(higher, lower, strict=True)]
    return (*coefficients, *[ZERO] * (length - len(coefficients)))
