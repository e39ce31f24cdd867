"""Resizing: the relation of an axis with fixed rational weights on its taps.

An output j looks at the source position src = j*a/b (corners aligned, and nearest) or
(j + 1/2)*a/b - 1/2 (half pixel), a/b the scale n_in/n_out in lowest terms. Input x gets the weight
K(x - src) of a kernel K. On the grid of 1/b, or 1/(2b), every distance x - src is a tap of one
relation; K of that distance is the tap's weight:

    2b*x = 2a*y + t - pad      half pixel, |x - src| < R:   t < 4bR - 1,  pad = 2bR - 1 - a + b

Beyond the border linear and cubic resizing read the border's pixel again (replicate padding);
antialiasing and area averaging leave out what is not there and divide by the sum of the rest.

Kernels: box (nearest), triangle (linear), Keys' cubic convolution (R. Keys, IEEE ASSP 29, 1981)
with a = -3/4 as torch and OpenCV, and a = -1/2 for antialiasing as Pillow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from math import gcd

from .axis import ONE, Axis, disjoint
from .padding import pad_map
from .polyphase import Strand
from .relation import Relation

Kernel = Callable[[Fraction], Fraction]


def triangle(d: Fraction) -> Fraction:
    """1 - |d| inside |d| < 1.

    >>> triangle(Fraction(-1, 4))
    Fraction(3, 4)
    """
    return max(Fraction(0), 1 - abs(d))


def keys(a: Fraction) -> Kernel:
    """The cubic convolution kernel with slope ``a`` at 1 (Keys 1981, equation 4).

    >>> keys(Fraction(-3, 4))(Fraction(1, 2))
    Fraction(19, 32)
    """

    def kernel(d: Fraction) -> Fraction:
        d = abs(d)
        if d <= 1:
            return (a + 2) * d**3 - (a + 3) * d**2 + 1
        return a * (d**3 - 5 * d**2 + 8 * d - 4) if d < 2 else Fraction(0)

    return kernel


TORCH_CUBIC, PILLOW_CUBIC = keys(Fraction(-3, 4)), keys(Fraction(-1, 2))
SMOOTH: dict[str, tuple[Kernel, Kernel, int]] = {  # plain, antialiased, radius
    "linear": (triangle, triangle, 1),
    "cubic": (TORCH_CUBIC, PILLOW_CUBIC, 2),
}


@dataclass(frozen=True, slots=True)
class Weighted:
    """A relation whose tap t < n_tap has a weight; clamped at the border, or cut and normalised."""

    relation: Relation
    n_tap: int
    weight: Callable[[int], Fraction]
    clamped: bool

    def at(self, n: int, n_out: int) -> Axis:
        """The axis of one tap from n positions to n_out."""
        relation = self.relation
        repeats = relation.up // gcd(relation.up, relation.stride) < n_out
        if not self.clamped:
            return normalised(self._lines(relation, n, n_out) if repeats else self._each(n, n_out))
        if not repeats:
            return self._each(n, n_out)
        reads = [x for y in (0, n_out - 1) for x in self._window(y)]
        before, after = max(0, -min(reads)), max(0, max(reads) + 1 - (n - 1))
        shifted = replace(relation, pad=relation.pad - relation.up * before)
        inside = self._lines(shifted, before + n + after, n_out)
        return inside.after(pad_map(n, before, after, "replicate"))

    def _lines(self, relation: Relation, n: int, n_out: int) -> Axis:
        """All taps as strands: outputs that repeat are one."""
        axis = Axis.of(relation, n_in=n, n_out=n_out, n_tap=self.n_tap)
        return contracted(axis, tuple(map(self.weight, range(self.n_tap))))

    def _each(self, n: int, n_out: int) -> Axis:
        """Output by output, where no two are alike: there may be more taps than positions."""
        r = self.relation
        common = gcd(r.up, r.stride)
        strands = []
        for y in range(n_out):
            first, last = sorted(self._window(y))
            for x in range(first, last + 1):
                tap, remainder = divmod(r.up * x - r.stride * y + r.pad, r.dilation)
                inside = min(max(x, 0), n - 1)
                if remainder or not 0 <= tap < self.n_tap or (inside != x and not self.clamped):
                    continue
                if weight := self.weight(tap):
                    strands.append(Strand(y, 0, inside, 1, weight))
        step, advance = r.up // common, r.stride // common
        return Axis(n, n_out, 1, step, advance, disjoint(strands, step, advance))

    def _window(self, y: int) -> tuple[int, int]:
        """The inputs, beyond the border too, at or below the first and the last tap of y."""
        r = self.relation
        first, last = ((r.stride * y + r.dilation * t - r.pad) // r.up for t in (0, self.n_tap - 1))
        return first, last


def contracted(axis: Axis, weights: tuple[Fraction, ...]) -> Axis:
    """The axis of one tap that has every tap's weight put in."""
    strands = (
        Strand(s.y, 0, s.x, s.count, s.coefficient * weights[s.tap])
        for s in axis.strands
        if weights[s.tap]
    )
    return Axis(
        axis.n_in,
        axis.n_out,
        1,
        axis.step,
        axis.advance,
        disjoint(strands, axis.step, axis.advance),
    )


def normalised(axis: Axis) -> Axis:
    """Every row divided by its sum."""
    strands = []
    for run in axis.runs:
        total = sum((c for tap in run.taps for _, c in tap.weights), start=Fraction(0))
        for tap in run.taps:
            for t, c in tap.weights:
                strands.append(Strand(run.first, t, run.source + tap.offset, run.count, c / total))
    return Axis(
        axis.n_in,
        axis.n_out,
        axis.n_tap,
        axis.step,
        axis.advance,
        disjoint(strands, axis.step, axis.advance),
    )


def _one(tap: int) -> Fraction:
    return ONE


def nearest(scale: Fraction) -> Weighted:
    """x = floor(y*a/b): b*x = a*y - t with the remainder t < b."""
    a, b = scale.numerator, scale.denominator
    return Weighted(Relation(up=b, stride=a, dilation=-1), b, _one, clamped=True)


def nearest_exact(scale: Fraction) -> Weighted:
    """x = floor((y + 1/2)*a/b): 2b*x = 2a*y + a - t with the remainder t < 2b."""
    a, b = scale.numerator, scale.denominator
    relation = Relation(up=2 * b, stride=2 * a, dilation=-1, pad=-a)
    return Weighted(relation, 2 * b, _one, clamped=True)


def area(scale: Fraction) -> Weighted:
    """The mean over floor(y*a/b) <= x < ceil((y + 1)*a/b), that is -b < b*x - a*y < a."""
    a, b = scale.numerator, scale.denominator
    relation = Relation(up=b, stride=a, pad=b - 1)
    return Weighted(relation, a + b - 1, _one, clamped=False)


def smooth(kind: str, scale: Fraction, *, aligned: bool, antialias: bool) -> Weighted:
    """Linear or cubic resizing, half pixel or with aligned corners.

    Antialiasing stretches the kernel by the scale where that is above 1; torch applies it to
    half-pixel centres whether or not the corners are aligned, which only changes the scale; to a
    single output it makes it 0.
    """
    a, b = scale.numerator, scale.denominator
    plain, antialiased, radius = SMOOTH[kind]
    if antialias:
        unit = 2 * max(a, b)  # of the kernel, in steps of 1/(2b)
        reach = radius * unit - 1
        relation = Relation(up=2 * b, stride=2 * a or 1, pad=reach - a + b)
        kernel = antialiased
    elif aligned:
        unit, reach = b, radius * b - 1
        relation, kernel = Relation(up=b, stride=a, pad=reach), plain
    else:
        unit, reach = 2 * b, 2 * radius * b - 1
        relation, kernel = Relation(up=2 * b, stride=2 * a, pad=reach - a + b), plain

    def weight(tap: int) -> Fraction:
        return kernel(Fraction(tap - reach, unit))

    return Weighted(relation, 2 * reach + 1, weight, clamped=not antialias)


BOXES = {"nearest": nearest, "nearest-exact": nearest_exact, "area": area}
