"""What is asked of ``solve_sizes``: two sizes, and what is allowed of each parameter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

TRIPLE = ("kernel_size", "stride", "dilation")
WIDEST_RATIO = 32  # of the sizes, up to which the default ranges follow it


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: sizes, and what is allowed of each parameter; None is the default range.

    >>> allowed = {"kernel_size": (3,), "stride": None, "dilation": (1, 2)}
    >>> question = Question((28,), (14,), False, allowed)
    >>> question.constraints, question.only("kernel_size"), question.range_of("stride")
    (['kernel_size', 'dilation'], 3, range(1, 5))
    """

    n_in: tuple[int, ...]
    n_out: tuple[int, ...]
    transposed: bool
    allowed: dict[str, Sequence[int] | None]
    uniform_overlap: bool = False
    no_dead_pixels: bool = False

    def without(self, name: str) -> Question:
        """The question without one constraint."""
        if name == "uniform_overlap":
            return replace(self, uniform_overlap=False)
        if name == "no_dead_pixels":
            return replace(self, no_dead_pixels=False)
        return replace(self, allowed={**self.allowed, name: None})

    @property
    def constraints(self) -> list[str]:
        """The names of what was constrained, first those that a user gives up most easily."""
        order = ("output_padding", "padding", "kernel_size", "dilation", "stride")
        named = [name for name in order if self.allowed.get(name) is not None]
        flags = ("uniform_overlap", "no_dead_pixels")
        return named + [flag for flag in flags if getattr(self, flag)]

    def only(self, name: str) -> int | None:
        """The value of a parameter of which one only is allowed."""
        given = self.allowed[name]
        return given[0] if given is not None and len(given) == 1 else None

    @property
    def tried(self) -> int:
        """How many triples of kernel, stride and dilation there are to try."""
        return prod(len(self.range_of(name)) for name in TRIPLE)

    def range_of(self, name: str) -> Sequence[int]:
        """The values to try for kernel_size, stride or dilation."""
        given = self.allowed[name]
        if given is not None:
            return given
        pairs = list(zip(self.n_in, self.n_out, strict=True))
        ratio = min(WIDEST_RATIO, max(-(-max(pair) // min(pair)) for pair in pairs))
        strides = max(4, ratio) if any(min(pair) > 1 for pair in pairs) else 1
        most = {"kernel_size": max(7, 2 * ratio), "stride": strides, "dilation": 2}
        return range(1, most[name] + 1)
