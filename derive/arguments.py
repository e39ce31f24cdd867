"""Reading arguments as torch spells them: an int for every axis, or one value per axis.

Every refusal names the parameter, its value and what is allowed.
"""

from __future__ import annotations

import operator
from collections.abc import Collection, Sequence
from typing import Any, NoReturn, TypeGuard

from .errors import GeometryError

LARGEST = 2**31 - 1  # of one parameter; sizes and products are checked against 2**63 - 1
Pair = tuple[int, int]
Each = int | Sequence[int]
Padding = str | int | Sequence[int | Pair]


def refuse(name: str, value: object, allowed: str) -> NoReturn:
    """Raise the GeometryError for one parameter.

    >>> refuse("stride", 0, "an int >= 1")
    Traceback (most recent call last):
    derive.errors.GeometryError: stride = 0: allowed is an int >= 1
    """
    raise GeometryError(f"{name} = {value!r}: allowed is {allowed}") from None


def integer(name: str, value: object, least: int, *, most: int = LARGEST, allowed: str = "") -> int:
    """``value`` as an int in least..most; bool and float are refused, NumPy's ints are not."""
    allowed = allowed or f"an int >= {least}"
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        refuse(name, value, allowed)
    if isinstance(value, bool) or type(value).__name__ == "bool" or number < least:
        refuse(name, value, allowed)
    if number > most:
        refuse(name, value, f"at most {most}")
    return number


def per_axis(name: str, value: object, axes: int, least: int) -> tuple[int, ...]:
    """An int for every axis, or a sequence of one int per axis.

    >>> per_axis("stride", 2, 3, 1)
    (2, 2, 2)
    """
    if not _is_list(value):
        return (integer(name, value, least, allowed=_one_or_each(axes, least)),) * axes
    if len(value) != axes:
        refuse(name, value, _one_or_each(axes, least))
    return tuple(integer(f"{name}[{i}]", each, least) for i, each in enumerate(value))


def _is_list(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def _one_or_each(axes: int, least: int) -> str:
    return f"an int >= {least}, or {axes} of them in a tuple"


def pairs_per_axis(name: str, value: object, axes: int) -> tuple[Pair, ...]:
    """Padding: an int >= 0, one per axis, or per axis a (before, after) pair of any sign.

    >>> pairs_per_axis("padding", (1, (0, -2)), 2)
    ((1, 1), (0, -2))
    """
    allowed = f"an int >= 0, or a tuple of {axes}, each an int >= 0 or a pair (before, after)"
    if not _is_list(value):
        return ((integer(name, value, 0, allowed=allowed),) * 2,) * axes
    if len(value) != axes:
        if axes == 1 and len(value) == 2:
            allowed += f"; for this pair write ({tuple(value)!r},)"
        refuse(name, value, allowed)
    return tuple(_pair(f"{name}[{i}]", each) for i, each in enumerate(value))


def _pair(name: str, value: object) -> Pair:
    if not _is_list(value):
        return (integer(name, value, 0),) * 2
    if len(value) != 2:
        refuse(name, value, "an int >= 0 or a pair (before, after)")
    before, after = (integer(f"{name}[{i}]", each, -LARGEST) for i, each in enumerate(value))
    return before, after


def choice(name: str, value: Any, allowed: Collection[str]) -> str:
    """``value`` if it is one of the words."""
    if not isinstance(value, str) or value not in allowed:
        refuse(name, value, "one of " + ", ".join(map(repr, allowed)))
    return value


def boolean(name: str, value: object) -> bool:
    """``value`` if it is True or False."""
    if not isinstance(value, bool):
        refuse(name, value, "True or False")
    return value
