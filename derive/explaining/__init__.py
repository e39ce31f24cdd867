"""A page of plain words about one operator, each sentence computed from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from textwrap import fill

from derive.arguments import refuse
from derive.linear_map import LinearMap

from . import elsewhere, meaning, reading
from .section import Section, section

__all__ = ["Explanation", "Section", "explain"]

WIDTH = 88

SECTIONS: tuple[tuple[str, Callable[[LinearMap], Iterable[str]]], ...] = (
    ("Shapes", reading.shapes),
    ("What reads what", reading.reads),
    ("Border", reading.border),
    ("Output padding", reading.extra),
    ("Left out", reading.unused),
    ("Overlap", meaning.overlap),
    ("Transpose", meaning.transpose),
    ("Work", meaning.work),
    ("Elsewhere", elsewhere.elsewhere),
)


@dataclass(frozen=True, slots=True)
class Explanation:
    """What there is to say of ``op``; printed it is a page of 88 columns."""

    op: LinearMap
    sections: tuple[Section, ...]

    def __str__(self) -> str:
        pages = [repr(self.op)]
        for each in self.sections:
            lines = [
                fill(
                    s, WIDTH, initial_indent="  ", subsequent_indent="    ", break_long_words=False
                )
                for s in each.sentences
            ]
            pages.append("\n".join([each.title, *lines]))
        return "\n\n".join(pages)


def explain(op: LinearMap) -> Explanation:
    """A page about an operator, in sections of sentences, each computed from it.

    Shapes, what an output reads and an input reaches, which outputs are border, what comes from
    output_padding, what is dead or never read, overlap and checkerboards with the cure, the
    transpose in a framework's words, multiply-adds, and what other frameworks would do. Where the
    size is free, what does not depend on it.

    >>> from derive import ConvTranspose1d
    >>> op = ConvTranspose1d(1, 1, 3, stride=2, padding=1, output_padding=1, input_size=4)
    >>> for section in explain(op).sections[2:4]:
    ...     print(section.title, *section.sentences, sep="\\n  ")
    Border
      1 of 8 output positions are at the border: they lack taps, since there is no input beyond \
the first and the last.
      The other 7 read alike, phase by phase.
    Output padding
      output_padding = 1 adds so many positions at the end of each axis; it names which of the \
sizes that a convolution maps to one is meant.
      1 output is there because of it, computed and not filled with zeros: taps reach 1.
    """
    if not isinstance(op, LinearMap):
        refuse("op", op, "an operator")
    found = (section(title, sentences(op)) for title, sentences in SECTIONS)
    return Explanation(op, tuple(each for sections in found for each in sections))
