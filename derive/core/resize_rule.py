"""A resize along one axis as a rule: which scale and which kernel, for every size."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import sympy

from . import float_index, resize, sizes
from .axis import ONE, Axis
from .derivation import Derivation
from .notation import Near
from .statements import FORWARD, Names, Stated, Statement


@dataclass(frozen=True, slots=True, kw_only=True)
class ResizeRule(Stated):
    """Resizing to ``fixed`` positions or by ``factor``; ``kind`` is a kernel of core.resize.

    The scale is n_in/n_out, unless a factor is given and not to be recomputed: then 1/factor, as
    torch has it. ``float32`` picks nearest positions by torch's arithmetic instead of exactly.

    >>> ResizeRule(kind="linear", fixed=4).at(2).row(1)
    ((0, 0, Fraction(3, 4)), (1, 0, Fraction(1, 4)))
    """

    kind: str
    fixed: int | None = None
    factor: Fraction | None = None
    recompute: bool = False
    aligned: bool = False
    antialias: bool = False
    float32: bool = False

    @property
    def n_tap(self) -> int:
        return 1

    @property
    def follows_factor(self) -> bool:
        """Whether the scale is 1/factor whatever the sizes are."""
        sized = self.recompute or self.aligned or self.kind == "area"
        return self.factor is not None and not sized

    def output_size(self, n: int) -> int:
        return sizes.resized(n, self.factor, self.fixed)

    def at(self, n: int) -> Axis:
        n_out = self.output_size(n)
        smooth = self.kind in resize.SMOOTH
        copies = n == n_out and (self.kind == "linear" or (smooth and self.antialias))
        if n == 1 or copies:  # torch, too, copies an axis that keeps its size
            return resize.nearest(ONE).at(n, n_out)
        if self.float32:
            factor = self.factor if self.follows_factor else None
            return float_index.picked(self.kind, n, n_out, factor)
        scale = self.scale(n, n_out)
        if smooth:
            weighted = resize.smooth(
                self.kind, scale, aligned=self.aligned, antialias=self.antialias
            )
            return weighted.at(n, n_out)
        return resize.BOXES[self.kind](scale).at(n, n_out)

    def scale(self, n: int, n_out: int) -> Fraction:
        if self.aligned:
            return Fraction(n - 1, n_out - 1) if n_out > 1 else Fraction(0 if self.antialias else 1)
        if self.factor is not None and self.follows_factor:
            return 1 / self.factor
        return Fraction(n, n_out)

    def statements(self, names: Names = FORWARD) -> tuple[Statement, ...]:
        """The source position of output y; the kernel weighs or rounds it."""
        scale = names.n_in / names.n_out
        if self.aligned:
            scale = (names.n_in - 1) / (names.n_out - 1)
        if self.factor is not None and self.follows_factor:
            scale = sympy.Rational(1 / self.factor)
        centred = self.kind == "nearest-exact" or (self.kind in resize.SMOOTH and not self.aligned)
        place = scale * names.y
        if (centred or self.antialias) and scale != 1:
            half = sympy.Rational(1, 2)
            middle = sympy.Mul(scale, names.y + half, evaluate=False)
            place = sympy.Add(middle, -half, evaluate=False)
        return (Statement(Near(names.x, place), self.kind),)

    @property
    def period(self) -> int:
        """Of n; a scale that changes with n has none."""
        if self.factor is None or not self.follows_factor or self.float32:
            raise ValueError(
                "scale_factor: a resize has a normal form for free sizes only where its scale is "
                "a given factor, in exact arithmetic"
            )
        return self.factor.denominator

    @property
    def settled(self) -> int:
        factor = self.factor or ONE
        return 8 * (1 + factor.numerator) * (1 + factor.denominator)

    @property
    def size(self) -> Derivation:
        return sizes.resized_size(self.factor, self.fixed)

    @property
    def adjoint_size(self) -> Derivation:
        return sizes.adjoint_of_resized()

    @property
    def values(self) -> dict[sympy.Symbol, int]:
        return {}

    @property
    def adjoint_values(self) -> dict[sympy.Symbol, int]:
        return {}
