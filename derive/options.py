"""How the parameters of a layer are written on a command line: numbers for axes, paddings."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    AnyType = click.ParamType[Any]
else:
    AnyType = click.ParamType  # not generic before click 8.4


class Several(AnyType):
    """A value for every axis, or one per axis: ``2``, ``2,1``, and ``2 1`` on a command line.

    >>> Several().convert("2,1", None, None), Several().convert("2", None, None)
    ((2, 1), 2)
    """

    name = "integers"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return self.read([self.one(word) for word in value.split(",")])
        except ValueError:
            self.fail(f"{value!r}: allowed is {self.allowed}", param, ctx)

    allowed = "an integer, or one per axis"

    def one(self, word: str) -> Any:
        return int(word)

    def read(self, values: list[Any]) -> Any:
        return values[0] if len(values) == 1 else tuple(values)


class Amounts(Several):
    """Padding: an amount or a ``before:after`` pair, for every axis or per axis, or a word.

    >>> pad = Amounts(2)
    >>> [pad.convert(words, None, None) for words in ("1", "1,0:2", "0:1", "same")]
    [1, (1, (0, 2)), ((0, 1), (0, 1)), 'same']
    """

    name = "padding"
    allowed = "an integer, a pair before:after, one of these per axis, same or valid"

    def __init__(self, axes: int) -> None:
        self.axes = axes

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if value in ("same", "valid") else super().convert(value, param, ctx)

    def one(self, word: str) -> Any:
        before, colon, after = word.partition(":")
        return (int(before), int(after)) if colon else int(before)

    def read(self, values: list[Any]) -> Any:
        if len(values) == 1 and isinstance(values[0], tuple):
            return tuple(values * self.axes)
        return super().read(values)


class Pairs(Amounts):
    """An amount or a ``before:after`` pair per axis, as many as there are axes.

    >>> Pairs(0).convert("1,0:2", None, None), Pairs(0).convert("1:-1", None, None)
    ((1, (0, 2)), ((1, -1),))
    """

    allowed = "an integer or a pair before:after per axis"

    def read(self, values: list[Any]) -> Any:
        return tuple(values)


class Factors(Several):
    """Factors as they are written, so that 1.1 and 3/2 stay exact.

    >>> Factors().convert("3/2,0.5", None, None)
    ('3/2', '0.5')
    """

    name = "factors"
    allowed = "a number such as 2, 1.5 or 3/2, or one per axis"

    def one(self, word: str) -> Any:
        return word


# how a parameter is read, by its annotation: (type for so many axes, what the help shows)
OPTION_TYPES: dict[str, tuple[Callable[[int], AnyType], str | None]] = {
    "int": (lambda axes: click.INT, "N"),
    "bool": (lambda axes: click.BOOL, None),
    "str": (lambda axes: click.STRING, "WORD"),
    "Each": (lambda axes: Several(), "N..."),
    "Each | None": (lambda axes: Several(), "N..."),
    "Each | Sequence[None] | None": (lambda axes: Several(), "N..."),
    "Factor | Sequence[Factor] | None": (lambda axes: Factors(), "FACTOR..."),
    "bool | None": (lambda axes: click.BOOL, None),
    "Sequence[int | Pair]": (Pairs, "N|BEFORE:AFTER..."),
    "Padding": (Amounts, "N...|BEFORE:AFTER...|same|valid"),
}


def joined(args: Iterable[str], several: Collection[str]) -> list[str]:
    """The words after an option in ``several`` joined by commas.

    >>> joined(["--stride", "2", "1", "--padding", "-1:0", "--bias"], ["--stride", "--padding"])
    ['--stride', '2,1', '--padding', '-1:0', '--bias']
    """
    result: list[str] = []
    values = None  # so far, of the option that takes several
    for word in args:
        if re.match(r"-(?!\d)", word):
            name, equals, _ = word.partition("=")
            values = (1 if equals else 0) if name in several else None
            result.append(word)
        elif values:
            result[-1] += f",{word}"
        else:
            result.append(word)
            values = None if values is None else 1
    return result
