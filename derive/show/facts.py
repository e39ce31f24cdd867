"""What there is to say of an operator besides its matrix, counted on the axes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from math import prod

import sympy

from derive.core.axis import Axis
from derive.core.notation import Equalities
from derive.core.sizes import N_IN, N_OUT
from derive.linear_map import LinearMap
from derive.operator import Operator

from .entries import parts_of


def axes_alike(op: Operator) -> list[list[int]]:
    """The axes of an operator, those with the same rule and size together.

    >>> from derive import Conv3d
    >>> axes_alike(Conv3d(1, 1, (3, 1, 3)))
    [[0, 2], [1]]
    """
    alike: dict[object, list[int]] = defaultdict(list)
    for axis, rule in enumerate(op.rules):
        alike[rule, op.sizes and op.sizes[axis]].append(axis)
    return list(alike.values())


def named(axes: Sequence[int]) -> str:
    """Axes in words.

    >>> named([0]), named([0, 1, 2])
    ('axis 0', 'axes 0, 1 and 2')
    """
    *most, last = map(str, axes)
    return f"axes {', '.join(most)} and {last}" if most else f"axis {last}"


def overlap_counts(axes: Sequence[Axis]) -> dict[int, int]:
    """How many output positions are reached by how many taps: {taps: positions}, sorted.

    ``op.overlap()`` counted without being built, for one pair of channels.

    >>> from derive import ConvTranspose1d
    >>> overlap_counts(ConvTranspose1d(1, 1, 3, stride=2, input_size=4).axes)
    {1: 6, 2: 3}
    """
    counts = Counter({1: 1})
    for axis in axes:
        of_axis: Counter[int] = Counter()
        for run in axis.runs:
            of_axis[sum(len(tap.weights) for tap in run.taps)] += run.count
        both: Counter[int] = Counter()
        for taps, positions in counts.items():
            for more, places in of_axis.items():
                both[taps * more] += positions * places
        counts = both
    return dict(sorted(counts.items()))


def overlap_words(op: LinearMap) -> list[str]:
    """The overlap in plain words: taps per output, dead outputs, inputs that nothing reads.

    >>> from derive import Conv1d
    >>> overlap_words(Conv1d(1, 1, 1, stride=2, input_size=4))
    ['1 tap at 2 outputs', '2 of 4 inputs are never read']
    """
    counts = overlap_counts(op.axes)
    words = [
        f"{counted(taps, 'tap')} at {counted(positions, 'output')}"
        for taps, positions in counts.items()
    ]
    unread = overlap_counts([axis.adjoint() for axis in op.axes]).get(0, 0)
    if unread:
        words.append(f"{unread} of {prod(op.input_shape[1:])} inputs are never read")
    return words


def counted(number: int, thing: str) -> str:
    """A number of things, in the singular for one.

    >>> counted(1, "tap"), counted(9, "tap")
    ('1 tap', '9 taps')
    """
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def size_formula(op: Operator, axis: int) -> sympy.Eq:
    """The output size of one axis as a function of n_in, all parameters put in.

    >>> from derive import Conv1d
    >>> size_formula(Conv1d(1, 1, 3, padding=2, input_size=4), 0)
    Eq(n_out, n_in + 2)
    """
    derivation = op.size_derivation(axis)
    return derivation.formula if op.sizes is None else derivation.steps[-1].statement


def size_formulas(op: Operator, axis: int) -> tuple[str | sympy.Basic, ...]:
    """The size formula and, where the size is fixed, its value, with words in between.

    >>> from derive import Conv1d
    >>> size_formulas(Conv1d(1, 1, 3, padding=2, input_size=4), 0)
    (Equalities(n_out, n_in + 2, 6), ' for ', Eq(n_in, 4))
    """
    formula = size_formula(op, axis)
    if op.sizes is None:
        return (formula,)
    size, fixed = sympy.Integer(op.axes[axis].n_out), op.axes[axis]
    known = formula.rhs in (N_OUT, size)  # given, not computed
    equal = Equalities(N_OUT, *(() if known else (formula.rhs,)), size)
    return equal, " for ", sympy.Eq(N_IN, fixed.n_in)


def multiply_adds(op: LinearMap) -> tuple[int, int]:
    """Multiply-adds of one sample, without zeros and when every output visits every tap.

    >>> from derive import Conv1d
    >>> multiply_adds(Conv1d(1, 1, 3, padding=1, input_size=4))
    (10, 12)
    """
    parts = parts_of(op)
    return sum(part.macs for part in parts), sum(part.naive_macs for part in parts)
