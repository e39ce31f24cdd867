"""The weights in a cell of a figure, in as few characters as there are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import product
from math import prod

from derive.core.axis import ONE
from derive.linear_map import LinearMap
from derive.operator import Operator

from .by_phase import Weights
from .drawing import fits


def spelled(op: LinearMap, weights: Iterable[Weights], width: float, height: float) -> str:
    """The sum of the products of the axes' weights; what fits of sum, number of terms, nothing.

    >>> from derive import Conv2d
    >>> op = Conv2d(1, 1, 3)
    >>> spelled(op, [[(0, ONE)], [(1, ONE), (2, ONE)]], 20, 8)
    'w01+w02'
    >>> spelled(op, [[(0, ONE)], [(1, ONE), (2, ONE)]], 8, 8)
    'w01+\\nw02'
    """
    terms = [
        (tuple(tap for tap, _ in each), prod((c for _, c in each), start=ONE))
        for each in product(*weights)
    ]
    if isinstance(op, Operator) and not op.learned:
        words = [str(sum(coefficient for _, coefficient in terms))]
    elif isinstance(op, Operator):
        words = [f"{_factor(coefficient)}w{_index(taps)}" for taps, coefficient in terms]
    else:
        words = []
    for per_line in range(len(words), 0, -1):
        lines = ["+".join(words[i : i + per_line]) for i in range(0, len(words), per_line)]
        found = "+\n".join(lines).replace("+-", "-")
        if fits(found, width, height):
            return found
    number = f"{len(terms)}\nterms"
    return number if len(terms) > 1 and fits(number, width, height) else ""


def _index(taps: Sequence[int]) -> str:
    return ("" if max(taps) < 10 else ",").join(map(str, taps))


def _factor(coefficient: Fraction) -> str:
    return "" if coefficient == 1 else f"{coefficient} "
