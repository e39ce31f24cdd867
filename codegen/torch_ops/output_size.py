"""The text of a transposed convolution that gives one of the sizes it may: torch's output_size."""
# torch.jit reads the annotations here as types: no __future__ makes them text

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from derive import GeometryError
from derive.arguments import refuse

from .functions import left_to_python
from .words import chain_of, words_of

Sizes = tuple[int, ...]
LARGE = 2**20  # a size of x at which every layer has outputs
_constant: Callable[..., Any] = torch.compiler.assume_constant_result  # not made in a graph


def words_at(words: str, x: Tensor, output_size: list[int]) -> str:
    """The text of the layer whose output padding makes it give ``output_size`` from x.

    Like torch, ``output_size`` may lead with as many sizes as come before those of x, which are
    not looked at. GeometryError for a size that a convolution does not map to that of x.

    >>> import derive
    >>> x, layer = torch.ones(1, 1, 4), derive.ConvTranspose1d(1, 1, 3, stride=2)
    >>> chain_of(words_at(words_of(layer), x, [10])).layers
    (ConvTranspose1d(1, 1, 3, stride=2, output_padding=(1,)),)
    """
    lines = constant_lines(words)
    axes = len(lines)
    if not isinstance(output_size, Sequence) or len(output_size) not in (axes, x.dim()):
        refuse("output_size", output_size, f"{axes} sizes, or {x.dim()} of which the last count")
    sizes, given = tuple(output_size)[-axes:], x.shape[-axes:]
    if not torch.compiler.is_compiling():
        return exact_words(words, tuple(given), sizes)
    # only how far the sizes lie beyond the least is known in a graph, not the sizes themselves
    beyond = []
    for m, n, (first, step) in zip(sizes, given, lines, strict=True):
        beyond.append(_known(m - first - n * step, step))
    made: str = constant_words(words, tuple(beyond))
    return made


left_to_python(words_at)


def _known(number: int, most: int) -> int:
    """Which of 0 to ``most`` a number is, which a graph then holds it to; ``most`` for others."""
    for each in range(most):
        if number == each:
            return each
    return most


@lru_cache(maxsize=4096)
def _lines(words: str) -> tuple[tuple[int, int], ...]:
    """The least size of each axis as first + step * n: what the size formula is, at 0 and 1."""
    rules: Any = _bare(words).rules
    return tuple((rule.output_size(0), rule.output_size(1) - rule.output_size(0)) for rule in rules)


def _bare(words: str) -> Any:
    """The layer without output padding."""
    layer = chain_of(words).learned
    return type(layer)(**{**layer.parameters, "output_padding": 0})


@lru_cache(maxsize=4096)
def exact_words(words: str, input_size: Sizes, output_size: Sizes) -> str:
    """The text for one pair of sizes."""
    layer = _bare(words)
    given = {"input_size": input_size, "output_size": output_size}
    made = type(layer)(**{**layer.parameters, **given})
    return words_of(made, algorithm=chain_of(words).algorithm)


def _words(words: str, beyond: Sizes) -> str:
    """The text for sizes so far beyond the least, whatever the size of x."""
    lines = _lines(words)
    sizes = tuple(first + step * LARGE + m for (first, step), m in zip(lines, beyond, strict=True))
    try:
        return exact_words(words, (LARGE,) * len(sizes), sizes)
    except GeometryError:
        least = "the least size of each axis, and less than a stride more"
        refuse("output_size", Least(beyond), least)


class Least(tuple[int, ...]):
    """Sizes that are known by how far they lie beyond the least."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"the least + {tuple(self)}"


def _plain_lines(words: str) -> tuple[tuple[int, int], ...]:
    return _lines(words)


constant_lines = _constant(_plain_lines)
constant_words = _constant(_words)
