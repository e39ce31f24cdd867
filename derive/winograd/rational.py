"""Small matrices of fractions, as tuples of rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from math import gcd, lcm

Row = tuple[Fraction, ...]
Matrix = tuple[Row, ...]

ZERO, ONE = Fraction(0), Fraction(1)


def matrix(rows: Iterable[Iterable[int | Fraction]]) -> Matrix:
    """The rows as fractions."""
    return tuple(tuple(map(Fraction, row)) for row in rows)


def transposed(a: Matrix, columns: int) -> Matrix:
    """Rows as columns; ``columns`` is how many there are, which no row may tell.

    >>> transposed(matrix([[1, 2]]), 2) == matrix([[1], [2]])
    True
    """
    return tuple(tuple(row[j] for row in a) for j in range(columns))


def product(a: Matrix, b: Matrix, columns: int) -> Matrix:
    """The product of a and b, the latter with so many columns; zeros are passed over.

    >>> product(matrix([[1, 2]]), matrix([[0, 1], [1, 0]]), 2) == matrix([[2, 1]])
    True
    """
    rows = []
    for left in a:
        total = [ZERO] * columns
        for factor, right in zip(left, b, strict=True):
            if factor:
                for j, value in enumerate(right):
                    if value:
                        total[j] += factor * value
        rows.append(tuple(total))
    return tuple(rows)


def placed(rows: Iterable[Mapping[int, Fraction]], columns: Sequence[int]) -> Matrix:
    """The rows {position: value} as a matrix whose columns are these positions.

    >>> placed([{3: ONE}], (1, 3)) == matrix([[0, 1]])
    True
    """
    return tuple(tuple(row.get(x, ZERO) for x in columns) for row in rows)


def primitive(row: Row) -> Fraction:
    """What makes a row coprime integers when multiplied with it; 1 for zeros.

    >>> primitive((Fraction(1, 2), Fraction(-3)))
    Fraction(2, 1)
    """
    values = [value for value in row if value]
    if not values:
        return ONE
    whole = lcm(*(value.denominator for value in values))
    return Fraction(whole, gcd(*(int(value * whole) for value in values)))
