"""The finished loop nests that templates print: frozen data, no decisions left.

Every access is affine in the loop variables and counts elements from the start of an array.
Loops that run once are left out, with their variable.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from derive.core.form import TrilinearForm


@dataclass(frozen=True, slots=True)
class Loop:
    """``for variable < count``."""

    variable: str
    count: int | str  # a name where it is known at run time only


@dataclass(frozen=True, slots=True)
class Affine:
    """constant + sum of coefficient * variable; prints as C and as Python.

    >>> row = Affine.of(1, q=2) + Affine.of(0, i=9)
    >>> str(row), str(row.within([Loop("q", 4)])), str(Affine.of(0))
    ('2*q + 9*i + 1', '2*q + 1', '0')
    """

    constant: int
    terms: tuple[tuple[str, int], ...]

    @classmethod
    def of(cls, constant: int, **coefficients: int) -> Affine:
        return cls(constant, tuple((v, c) for v, c in coefficients.items() if c))

    def __add__(self, other: Affine) -> Affine:
        return Affine(self.constant + other.constant, self.terms + other.terms)

    def within(self, loops: Iterable[Loop]) -> Affine:
        """Without the variables of no loop, which are always 0."""
        names = {loop.variable for loop in loops}
        return Affine(self.constant, tuple(term for term in self.terms if term[0] in names))

    def __str__(self) -> str:
        parts = [variable if c == 1 else f"{c}*{variable}" for variable, c in self.terms]
        if self.constant or not parts:
            parts.append(str(self.constant))
        return " + ".join(parts).replace("+ -", "- ")


@dataclass(frozen=True, slots=True)
class Update:
    """Inside one row: ``target[...] += sum of left[...] * right[...]``, in its loops."""

    loops: tuple[Loop, ...]
    target: Affine
    terms: tuple[tuple[Affine, Affine], ...]


@dataclass(frozen=True, slots=True)
class Call:
    """One use of the row function: where its rows of y, x and w begin, in its loops."""

    loops: tuple[Loop, ...]
    y: Affine
    x: Affine
    w: Affine


@dataclass(frozen=True, slots=True)
class Rows:
    """Output rows that begin at ``y`` inside their loops, and the calls that add up to each."""

    loops: tuple[Loop, ...]
    y: Affine
    calls: tuple[Call, ...]


@dataclass(frozen=True, slots=True)
class Gather:
    """y from x and w, every output written where it stands: forward and input gradient.

    Inside the loops over ``channels``, x, y and w begin at these places.
    """

    channels: tuple[Loop, ...]
    y: Affine
    x: Affine
    w: Affine
    bias: Affine
    row_length: int
    rows: tuple[Rows, ...]
    columns: tuple[Update, ...]


@dataclass(frozen=True, slots=True)
class Correlation:
    """w from y and x, every tap a sum over the positions it joins: the weight gradient.

    The places of x and y also hold the sample ``b``, whose loop is inside ``channels``.
    """

    channels: tuple[Loop, ...]
    y: Affine
    x: Affine
    w: Affine
    taps: int
    calls: tuple[Call, ...]
    columns: tuple[Update, ...]


@dataclass(frozen=True, slots=True)
class Assignment:
    """``target[...] = sum of coefficient * source[...]`` in its loops."""

    loops: tuple[Loop, ...]
    target: Affine
    terms: tuple[tuple[Fraction, Affine], ...]


@dataclass(frozen=True, slots=True)
class AxisFold:
    """Folding along one axis of the weight of one pair of channels, and its transpose.

    ``entries`` numbers go in, ``folded`` come out.
    """

    axis: int
    loops: tuple[Loop, ...]
    entries: int
    folded: int
    fold: tuple[Assignment, ...]
    unfold: tuple[Assignment, ...]


@dataclass(frozen=True, slots=True)
class Nests:
    """The kernels of one learned operator: three derivatives of its trilinear form.

    Their weight is folded by ``folds``, one pair of channels after the other.
    """

    form: TrilinearForm
    forward: Gather
    input_gradient: Gather
    weight_gradient: Correlation
    folds: tuple[AxisFold, ...]
    pairs: int


@dataclass(frozen=True, slots=True)
class BlendedRows:
    """Output rows at ``y``: ``blends`` (none or one) makes the row that the columns read.

    Where the blend would be one row as it is, the columns read that row at ``x``.
    """

    loops: tuple[Loop, ...]
    y: Affine
    x: Affine
    blends: tuple[tuple[tuple[Fraction, Affine], ...], ...]


@dataclass(frozen=True, slots=True)
class Resample:
    """y from x without a weight, channel by channel."""

    channels: tuple[Loop, ...]
    y: Affine
    x: Affine
    row_length: int
    rows: tuple[BlendedRows, ...]
    columns: tuple[Assignment, ...]
