"""Whether two operators are one and the same, whatever the weight."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod

import sympy

from derive.arguments import refuse
from derive.linear_map import LinearMap, Position

from .differences import rows_to_compare, same_product
from .entries import Entries, row


@dataclass(frozen=True)
class Equal:
    """The verdict that two operators are equal for every weight; true in a condition."""

    equal: bool = True

    def __bool__(self) -> bool:
        return True

    def __str__(self) -> str:
        return "equal for every weight"


@dataclass(frozen=True)
class Difference:
    """The verdict that they are not, and ``reason`` in words; false in a condition.

    Where the matrices have one shape and take one weight, ``row`` and ``column`` are the place of
    the first entry that differs, in C order of (channel, *position), and ``entries`` are the two
    entries there, in the symbols of ``matrix()``. Else they are None.
    """

    reason: str
    row: int | None = None
    column: int | None = None
    entries: tuple[sympy.Expr, sympy.Expr] | None = None
    equal: bool = False

    def __bool__(self) -> bool:
        return False

    def __str__(self) -> str:
        return self.reason


def equivalent(a: LinearMap, b: LinearMap) -> Equal | Difference:
    """Whether two operators of fixed size are equal for every weight, both taking the same one.

    Decided on the axes, in exact numbers; the matrices are never built.

    >>> from derive import Conv1d, ConvTranspose1d
    >>> down = Conv1d(1, 1, 3, stride=2, bias=False, input_size=5)
    >>> up = ConvTranspose1d(1, 1, 3, stride=2, bias=False, input_size=2)
    >>> print(equivalent(down.T, up))
    equal for every weight
    >>> moved = ConvTranspose1d(1, 1, 3, stride=2, padding=((1, -1),), bias=False, input_size=2)
    >>> found = equivalent(up, moved)
    >>> bool(found), found.row, found.column, found.entries
    (False, 0, 0, (w[0, 0, 0], w[0, 0, 1]))
    """
    for name, op in (("a", a), ("b", b)):
        if not isinstance(op, LinearMap):
            refuse(name, op, "an operator")
    one, other = Entries(a), Entries(b)
    for what, left, right in (
        ("input", a.input_shape, b.input_shape),
        ("output", a.output_shape, b.output_shape),
        ("weight", one.weight_shapes, other.weight_shapes),
        ("bias", _biases(one), _biases(other)),
    ):
        if left != right:
            return Difference(f"the {what} has shape {_plain(left)}, the other's {_plain(right)}")
    axes_agree = same_product(a.axes, b.axes)
    if axes_agree and one.channel_structure == other.channel_structure:
        return Equal()
    return _first_difference(one, other, axes_agree)


def _first_difference(a: Entries, b: Entries, axes_agree: bool) -> Equal | Difference:
    rows = list(rows_to_compare(a.op.axes, b.op.axes))
    same_channels = a.channel_structure == b.channel_structure
    inputs = range(a.op.input_shape[0])
    for output in range(a.op.output_shape[0]):
        for place in rows:
            ours, theirs = row(a.op.axes, place), row(b.op.axes, place)
            for i in inputs:
                p, q = a.paths(output, i), b.paths(output, i)
                if axes_agree and p == q:
                    continue
                for x in sorted({*ours, *theirs}):
                    left, right = ours.get(x, {}), theirs.get(x, {})
                    if (left, p) == (right, q) or not ((left and p) or (right and q)):
                        continue
                    found = a.expression(p, left, "w"), b.expression(q, right, "w")
                    return _difference(a.op, (output, *place), (i, *x), found)
        if same_channels:
            break  # every output channel reads alike
    return Equal()


def _difference(
    op: LinearMap, output: Position, given: Position, found: tuple[sympy.Expr, sympy.Expr]
) -> Difference:
    reason = (
        f"output channel {output[0]} at {output[1:]} reads input channel {given[0]} at {given[1:]} "
        f"with {found[0]}, the other with {found[1]}"
    )
    return Difference(reason, _flat(output, op.output_shape), _flat(given, op.input_shape), found)


def _flat(place: Iterable[int], shape: tuple[int, ...]) -> int:
    return sum(p * prod(shape[i + 1 :]) for i, p in enumerate(place))


def _biases(op: Entries) -> tuple[tuple[int, ...] | None, ...]:
    return tuple(part.bias_shape for part in op.parts if part.learned)


def _plain(shape: tuple[object, ...]) -> object:
    """A tuple of one shape as that shape."""
    return shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape
