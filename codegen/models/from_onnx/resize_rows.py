"""The weights of an ONNX Resize along one axis, exactly, as the operator specification has them.

Each output position looks at a source position x, a rational number; neighbours of x are weighed
by a kernel of their distance; positions outside are those of the border, or left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

from codegen.models.errors import KeptError
from derive.core.resize import keys, triangle

HALF = Fraction(1, 2)
Row = dict[int, Fraction]  # input position -> weight
RADIUS = {"linear": 1, "cubic": 2}
ROUND = {
    "round_prefer_floor": lambda x: ceil(x - HALF),
    "round_prefer_ceil": lambda x: floor(x + HALF),
    "floor": floor,
    "ceil": ceil,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Resizing:
    """One axis of a Resize: from n positions to m, by a scale that need not be m/n.

    >>> half = Resizing(mode="linear", n=2, m=4, scale=Fraction(2))
    >>> half.row(1)
    {0: Fraction(3, 4), 1: Fraction(1, 4)}
    """

    mode: str
    n: int
    m: int
    scale: Fraction
    coordinates: str = "half_pixel"
    rounding: str = "round_prefer_floor"
    cubic_a: Fraction = Fraction(-3, 4)
    exclude_outside: bool = False
    antialias: bool = False

    def row(self, y: int) -> Row:
        """The weight of each input in output y; zeros are left out."""
        x = self.source(y)
        if self.mode == "nearest":
            return {self._inside(ROUND[self.rounding](x)): Fraction(1)}
        weights = list(self._taps(x))
        if self.exclude_outside:
            weights = [(i, w) for i, w in weights if 0 <= i < self.n]
        total = sum(weight for _, weight in weights)
        if total == 0:
            raise KeptError("the weights of an output add up to 0")
        found: Row = {}
        for i, weight in weights:
            place = self._inside(i)
            found[place] = found.get(place, Fraction(0)) + weight / total
        return {i: weight for i, weight in found.items() if weight}

    def source(self, y: int) -> Fraction:
        """The source position of output y."""
        match self.coordinates:
            case "half_pixel":
                return (y + HALF) / self.scale - HALF
            case "pytorch_half_pixel":
                return (y + HALF) / self.scale - HALF if self.m > 1 else Fraction(0)
            case "asymmetric":
                return y / self.scale
            case "align_corners":
                self._whole()
                return Fraction(y * (self.n - 1), self.m - 1) if self.m > 1 else Fraction(0)
            case "half_pixel_symmetric":
                self._whole()
                return (y + HALF) / self.scale - HALF
        raise KeptError(f"coordinate_transformation_mode = {self.coordinates!r}")

    def _taps(self, x: Fraction) -> Iterator[tuple[int, Fraction]]:
        """Neighbours of x, outside too, and their weights; antialiasing widens the kernel."""
        squeeze = min(self.scale, Fraction(1)) if self.antialias else Fraction(1)
        kernel = triangle if self.mode == "linear" else keys(self.cubic_a)
        reach = RADIUS[self.mode] / squeeze
        for i in range(floor(x - reach) + 1, ceil(x + reach)):
            yield i, kernel((i - x) * squeeze)

    def _inside(self, i: int) -> int:
        return min(max(i, 0), self.n - 1)

    def _whole(self) -> None:
        """Runtimes take the scaled length or the rounded one: they must be the same."""
        if self.scale * self.n != self.m:
            raise KeptError(
                f"{self.n} positions by the scale {float(self.scale)} are no whole number, which "
                f"coordinate_transformation_mode = {self.coordinates!r} leaves open"
            )
