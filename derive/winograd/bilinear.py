"""Bilinear algorithms: three matrices that compute a trilinear form with few products.

    y = AT ((G g) * (BT x))        T[y, t, x] = sum over p of AT[y, p] * G[p, t] * BT[p, x]

The rank decomposition on the right treats its three sides alike. So each algorithm is three: with
y and x exchanged it computes the adjoint, with y and t exchanged the gradient of the taps, by as
many products (the transposition principle: B. Tellegen 1952, S. Winograd, Arithmetic Complexity of
Computations, SIAM 1980, chapter IV).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

from derive.arguments import choice

from .rational import ONE, ZERO, Matrix, Row, primitive, product, transposed

Tensor = Mapping[tuple[int, int, int], Fraction]  # (y, t, x) -> entry, without zeros

SIDES = {  # what may be asked for instead of y, and which places of (y, t, x) change
    "input": (2, 1, 0),
    "taps": (1, 0, 2),
}


@dataclass(frozen=True)
class BilinearAlgorithm:
    """``y = AT ((G g) * (BT x))`` with AT n_out x p, G p x n_tap, BT p x n_in, exact.

    >>> one = Fraction(1)
    >>> karatsuba = BilinearAlgorithm(
    ...     AT=((one, one, 0 * one), (0 * one, one, one)),
    ...     G=((one, -one), (0 * one, one), (-one, one)),
    ...     BT=((one, 0 * one, 0 * one), (0 * one, one, 0 * one), (0 * one, 0 * one, one)),
    ...     n_tap=2, n_in=3)
    >>> karatsuba.products, karatsuba.n_out
    (3, 2)
    """

    AT: Matrix
    G: Matrix
    BT: Matrix
    n_tap: int
    n_in: int

    def __post_init__(self) -> None:
        widths = (
            {len(row) for row in self.AT} <= {self.products}
            and {len(row) for row in self.G} <= {self.n_tap}
            and {len(row) for row in self.BT} <= {self.n_in}
        )
        if len(self.G) != len(self.BT) or not widths:
            raise ValueError(
                f"AT {_shape(self.AT)}, G {_shape(self.G)}, BT {_shape(self.BT)}: allowed are "
                f"n_out x p, p x {self.n_tap} and p x {self.n_in}"
            )

    @property
    def products(self) -> int:
        """Multiplications of one number from the taps with one from the inputs."""
        return len(self.BT)

    @property
    def n_out(self) -> int:
        return len(self.AT)

    @cached_property
    def input_rows(self) -> tuple[Row, ...]:
        """The distinct rows of BT: phases that share a window share these."""
        return tuple(dict.fromkeys(self.BT))

    @cached_property
    def tensor(self) -> dict[tuple[int, int, int], Fraction]:
        """What it computes: the sum over p of the products of its three factors."""
        found: dict[tuple[int, int, int], Fraction] = {}
        for p, (taps, inputs) in enumerate(zip(self.G, self.BT, strict=True)):
            outputs = [(y, row[p]) for y, row in enumerate(self.AT) if row[p]]
            for t, g in enumerate(taps):
                for x, b in enumerate(inputs) if g else ():
                    for y, a in outputs if b else ():
                        found[y, t, x] = found.get((y, t, x), ZERO) + a * g * b
        return {place: value for place, value in found.items() if value}

    def verify(self, tensor: Tensor) -> BilinearAlgorithm:
        """Itself; AssertionError, a fault of this program, unless it computes the tensor."""
        for place in sorted({*tensor, *self.tensor}):
            wanted, found = tensor.get(place, ZERO), self.tensor.get(place, ZERO)
            if wanted != found:
                raise AssertionError(f"T{list(place)} is {wanted}, the algorithm has {found}")
        return self

    def transposed(self, side: str) -> BilinearAlgorithm:
        """The algorithm for the adjoint ("input") or for the gradient of the taps ("taps").

        The factors change places with their roles, so the products stay as many. GeometryError
        for another side.

        >>> from derive.winograd import cook_toom
        >>> forward = cook_toom(2, 3)
        >>> adjoint = forward.transposed("input")
        >>> adjoint.n_in, adjoint.n_tap, adjoint.n_out, adjoint.products
        (2, 3, 4, 4)
        >>> gradient = forward.transposed("taps")
        >>> gradient.n_in, gradient.n_tap, gradient.n_out, gradient.products
        (4, 2, 3, 4)
        >>> all(forward.tensor[y, t, x] == value for (t, y, x), value in gradient.tensor.items())
        True
        """
        order = SIDES[choice("side", side, SIDES)]
        factors = (transposed(self.AT, self.products), self.G, self.BT)
        sizes = (self.n_out, self.n_tap, self.n_in)
        outputs, taps, inputs = (factors[place] for place in order)
        n_out, n_tap, n_in = (sizes[place] for place in order)
        return BilinearAlgorithm(transposed(outputs, n_out), taps, inputs, n_tap, n_in)

    def after_input(self, fixed: Matrix, n_in: int) -> BilinearAlgorithm:
        """The same outputs from x where it read ``fixed`` x: BT becomes BT * fixed.

        Products whose row becomes zero are dropped.
        """
        return replace(self, BT=product(self.BT, fixed, n_in), n_in=n_in)._needed()

    def after_taps(self, fixed: Matrix, n_tap: int) -> BilinearAlgorithm:
        """The same with ``fixed`` g for its taps: G becomes G * fixed; zero rows are dropped."""
        return replace(self, G=product(self.G, fixed, n_tap), n_tap=n_tap)._needed()

    def before_output(self, fixed: Matrix) -> BilinearAlgorithm:
        """Then ``fixed`` y: AT becomes fixed * AT; products that reach no output are dropped."""
        return replace(self, AT=product(fixed, self.AT, self.products))._needed()

    def _needed(self) -> BilinearAlgorithm:
        """Without the products that one of the factors makes zero."""
        columns = transposed(self.AT, self.products)
        factors = zip(columns, self.G, self.BT, strict=True)
        kept = [p for p, each in enumerate(factors) if all(map(any, each))]
        return replace(
            self,
            AT=tuple(tuple(row[p] for p in kept) for row in self.AT),
            G=tuple(self.G[p] for p in kept),
            BT=tuple(self.BT[p] for p in kept),
        )

    def __add__(self, other: BilinearAlgorithm) -> BilinearAlgorithm:
        """The sum of the two forms: the products of both, added up in the outputs."""
        if self.shape != other.shape:
            raise ValueError(f"an algorithm of shape {other.shape} added to one of {self.shape}")
        AT = tuple((*a, *b) for a, b in zip(self.AT, other.AT, strict=True))
        G, BT = (*self.G, *other.G), (*self.BT, *other.BT)
        return BilinearAlgorithm(AT, G, BT, self.n_tap, self.n_in)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(outputs, taps, inputs)."""
        return self.n_out, self.n_tap, self.n_in

    def scaled(self, scaling: str = "unit") -> BilinearAlgorithm:
        """The same with numbers moved between the factors: data meet simple ones, taps the rest.

        A product may be scaled in two factors and unscaled in the third. Columns of AT become
        coprime integers, the first one positive, and rows of BT coprime integers, the last one
        positive ("integral"); "unit" divides those by their smallest magnitude where that is a
        power of 2, which saves multiplications and stays exact in binary floating point. G,
        applied once per weight, takes what is left.
        """
        rows = SCALINGS[choice("scaling", scaling, SCALINGS)]
        columns = transposed(self.AT, self.products)
        outer = [_signed(column, primitive(column)) for column in columns]
        inner = [_signed(row[::-1], rows(row)) for row in self.BT]
        return BilinearAlgorithm(
            tuple(tuple(v * f for v, f in zip(row, outer, strict=True)) for row in self.AT),
            tuple(
                tuple(v / (f * b) for v in row)
                for row, f, b in zip(self.G, outer, inner, strict=True)
            ),
            tuple(tuple(v * b for v in row) for row, b in zip(self.BT, inner, strict=True)),
            self.n_tap,
            self.n_in,
        )


def _unit(row: Row) -> Fraction:
    factor = primitive(row)
    smallest = min((int(abs(value) * factor) for value in row if value), default=1)
    return factor / smallest if smallest & (smallest - 1) == 0 else factor


SCALINGS = {"unit": _unit, "integral": primitive}


def _signed(row: Row, factor: Fraction) -> Fraction:
    """The factor with the sign that makes the first number of the row positive."""
    first = next((value for value in row if value), ONE)
    return factor if first > 0 else -factor


def _shape(a: Matrix) -> str:
    return f"{len(a)} x {len(a[0]) if a else 0}"
