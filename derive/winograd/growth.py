"""How much more a fast algorithm may round than the sum it stands for: exact bounds.

Each factor is computed with a relative error per term, so with n roundings on the longest way of a
term (N. Higham, Accuracy and Stability of Numerical Algorithms, 2nd edition, lemma 3.1)

    |error of y| <= gamma_n * |AT| ((|G| |g|) * (|BT| |x|)),   gamma_n = n*u/(1 - n*u)

and likewise for the tensor product of axes, whose matrices are Kronecker products and whose n add
up. The amplification is the right side without gamma_n for |g| = |x| = 1; over the sum of |T|,
which is what a direct sum has there, it is the growth. It does not change with scaling: a product
scaled in one factor is unscaled in another.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from .bilinear import BilinearAlgorithm
from .rational import ONE, ZERO, Row

EXACT_BITS = 24  # integers of so many bits are exact in float32, and in float64


def amplification(algorithm: BilinearAlgorithm) -> tuple[Fraction, ...]:
    """Of each output: the sum over p of |AT[y, p]| times the row sums of |G| and |BT|.

    >>> from derive.winograd import cook_toom
    >>> amplification(cook_toom(2, 3))
    (Fraction(8, 1), Fraction(8, 1))
    """
    pairs = zip(algorithm.G, algorithm.BT, strict=True)
    sizes = [_magnitude(taps) * _magnitude(inputs) for taps, inputs in pairs]
    return tuple(
        sum((abs(a) * size for a, size in zip(row, sizes, strict=True)), start=ZERO)
        for row in algorithm.AT
    )


def growth(algorithm: BilinearAlgorithm) -> Fraction:
    """The largest amplification of an output over that of its direct sum; 1 without any.

    >>> from derive.winograd import cook_toom, direct
    >>> growth(cook_toom(2, 3)), growth(direct(2, 3))
    (Fraction(8, 3), Fraction(1, 1))
    """
    sums = [ZERO] * algorithm.n_out
    for (y, _, _), value in algorithm.tensor.items():
        sums[y] += abs(value)
    amplified = zip(amplification(algorithm), sums, strict=True)
    return max((size / total for size, total in amplified if total), default=ONE)


@dataclass(frozen=True, slots=True)
class TransformRoundings:
    """Roundings on the longest way through each transform of an axis, for gamma_n.

    A product of the algorithm adds one, and every sum that follows it, over channels or
    untransformed axes, its terms minus one: n = inputs + taps + outputs + terms.
    """

    inputs: int
    taps: int
    outputs: int

    @property
    def count(self) -> int:
        """All but the products and their sums."""
        return self.inputs + self.taps + self.outputs


def transform_roundings(algorithm: BilinearAlgorithm) -> TransformRoundings:
    """Of the transforms with BT, G and AT, whatever the order of their sums.

    Constants of 24 bits over a power of 2 are exact, others count one rounding, as do products
    unless by a power of 2.

    >>> from derive.winograd import cook_toom
    >>> transform_roundings(cook_toom(2, 3))
    TransformRoundings(inputs=1, taps=2, outputs=2)
    """
    factors = (algorithm.BT, algorithm.G, algorithm.AT)
    return TransformRoundings(*(max(map(row_roundings, rows), default=0) for rows in factors))


def row_roundings(row: Row) -> int:
    """Of a sum of numbers, each times its constant, in any order.

    >>> row_roundings((ONE, -ONE)), row_roundings((Fraction(3), Fraction(1, 3)))
    (1, 3)
    """
    constants = [value for value in row if value]
    return max(0, len(constants) - 1) + max(map(_constant, constants), default=0)


def _constant(value: Fraction) -> int:
    """Of a product with it, and of the constant itself: both its numbers, and their quotient."""
    numerator, denominator = abs(value.numerator), value.denominator
    own = [
        numerator.bit_length() > EXACT_BITS and not _power_of_two(numerator),
        denominator.bit_length() > EXACT_BITS and not _power_of_two(denominator),
        not _power_of_two(denominator),
    ]
    return sum(own) + (0 if not any(own) and _power_of_two(numerator) else 1)


def _power_of_two(value: int) -> bool:
    return value & (value - 1) == 0


def _magnitude(row: Row) -> Fraction:
    return sum(map(abs, row), start=ZERO)
