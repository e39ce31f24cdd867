"""A section of an explanation: a title and sentences, plain data for any writer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Section:
    """Sentences under a title; each stands alone."""

    title: str
    sentences: tuple[str, ...]


def section(title: str, sentences: Iterable[str]) -> tuple[Section, ...]:
    """One section, or none where there is nothing to say."""
    found = tuple(sentences)
    return (Section(title, found),) if found else ()


def listed(numbers: Sequence[int]) -> str:
    """Numbers along axes.

    >>> listed((4, 4)), listed((7,))
    ('4 x 4', '7')
    """
    return " x ".join(map(str, numbers))


def are(number: int, thing: str) -> str:
    """A number of things with their verb.

    >>> are(1, "output"), are(3, "output")
    ('1 output is', '3 outputs are')
    """
    return f"1 {thing} is" if number == 1 else f"{number} {thing}s are"
