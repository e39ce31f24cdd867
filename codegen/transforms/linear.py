"""A matrix of fractions times a column, in few operations: rows that differ by signs share work.

Two rows with the same magnitudes are e + o and e - o of what they have in common and what differs
in sign: at the points +a and -a of an interpolation all rows come in such pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from derive.winograd.rational import Row

Terms = tuple[tuple[Fraction, str], ...]


@dataclass(frozen=True, slots=True)
class Step:
    """``target`` = sum of coefficient * source; a target is given once."""

    target: str
    terms: Terms


def steps(rows: Sequence[Row], inputs: Sequence[str], outputs: Sequence[str]) -> list[Step]:
    """The steps that make ``outputs`` of ``inputs``, one row of the matrix for each output.

    >>> one = Fraction(1)
    >>> for step in steps([(one, one, -4), (one, -one, -4)], ["a", "b", "c"], ["y", "z"]):
    ...     print(step.target, [(str(c), x) for c, x in step.terms])
    y_even [('1', 'a'), ('-4', 'c')]
    y_odd [('1', 'b')]
    y [('1', 'y_even'), ('1', 'y_odd')]
    z [('1', 'y_even'), ('-1', 'y_odd')]
    """
    found: list[Step] = []
    left = list(range(len(rows)))
    moduli = [[abs(a) for a in row] for row in rows]
    while left:
        i, *left = left
        alike = (k for k in left if moduli[i] == moduli[k])
        mate = next((k for k in alike if _pair(rows[i], rows[k])), None)
        if mate is None:
            found.append(Step(outputs[i], _terms(rows[i], inputs)))
            continue
        left.remove(mate)
        same = [a if a == b else Fraction(0) for a, b in zip(rows[i], rows[mate], strict=True)]
        other = [a if a != b else Fraction(0) for a, b in zip(rows[i], rows[mate], strict=True)]
        even, odd = f"{outputs[i]}_even", f"{outputs[i]}_odd"
        one = Fraction(1)
        found += [
            Step(even, _terms(same, inputs)),
            Step(odd, _terms(other, inputs)),
            Step(outputs[i], ((one, even), (one, odd))),
            Step(outputs[mate], ((one, even), (-one, odd))),
        ]
    return found


def operations(rows: Sequence[Row]) -> int:
    """Additions and multiplications of ``steps``, a sum with a product counted once."""
    names = [str(j) for j in range(len(rows[0]))] if rows else []
    return sum(
        max(1, len(step.terms)) for step in steps(rows, names, [f"y{i}" for i in range(len(rows))])
    )


def _pair(one: Sequence[Fraction], other: Sequence[Fraction]) -> bool:
    """Whether sharing pays for equal magnitudes: at least three, with equal and opposite signs."""
    both = [(a, b) for a, b in zip(one, other, strict=True) if a]
    return len(both) > 2 and len({a == b for a, b in both}) == 2


def _terms(row: Sequence[Fraction], inputs: Sequence[str]) -> Terms:
    """Unit coefficients first, so that a sum begins without a product."""
    terms = [(c, x) for c, x in zip(row, inputs, strict=True) if c]
    return tuple(sorted(terms, key=lambda term: (abs(term[0]) != 1, term[0] < 0)))
