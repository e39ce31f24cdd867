"""Why no parameters map one size to another, and what would."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from derive.core.size_solver import total_padding

from .size_choice import SizeChoice
from .size_question import TRIPLE, Question

FARTHEST = 256  # positions from the size asked for to one that is found,
MOST_TRIED = 16_384  # and triples of kernel, stride and dilation on the way
Choices = Callable[[Question], Iterator[SizeChoice]]


@dataclass(frozen=True, slots=True)
class NoSizes:
    """No parameters fit: false in a condition, empty, and a sentence or more when printed.

    ``output_sizes`` are the nearest that the same constraints give from n_in, ``input_sizes``
    the nearest from which they give n_out, at most one below and one above. ``relaxed`` holds
    (constraint, the simplest choice without it), ``uneven`` a padding (before, after) that fits.
    """

    reason: str
    output_sizes: tuple[tuple[int, ...], ...]
    input_sizes: tuple[tuple[int, ...], ...]
    relaxed: tuple[tuple[str, SizeChoice], ...]
    uneven: tuple[int, int] | None

    def __len__(self) -> int:
        return 0

    def __iter__(self) -> Iterator[SizeChoice]:
        return iter(())

    def __str__(self) -> str:
        return self.reason


def explained(question: Question, choices: Choices) -> NoSizes:
    """The answer where there is no other."""
    outputs = _nearest(question, "n_out", choices)
    inputs = _nearest(question, "n_in", choices)
    relaxed = [
        (name, found)
        for name in question.constraints
        if (found := _relaxed(question, name, choices))
    ]
    uneven = _uneven(question)
    n_in, n_out = _words(question.n_in), _words(question.n_out)
    kind = "ConvTranspose" if question.transposed else "Conv"
    lines = [f"no {kind}{_given(question)} maps {n_in} to {n_out}"]
    if outputs:
        lines.append(f"nearest that it gives from {n_in}: {' and '.join(map(_words, outputs))}")
    if inputs and not question.transposed:
        lines.append(f"nearest from which it gives {n_out}: {' and '.join(map(_words, inputs))}")
    for name, found in relaxed:
        words = ", ".join(f"{key}={value}" for key, value in found.parameters.items())
        lines.append(f"it would give {n_out} with another {name}: {words}")
    if uneven is not None:
        lines.append(f"it would give {n_out} with more padding after: (before, after) = {uneven}")
    return NoSizes("\n".join(lines), outputs, inputs, tuple(relaxed), uneven)


def _relaxed(question: Question, name: str, choices: Choices) -> SizeChoice | None:
    """The choice without one constraint that changes it least; of those the simplest."""
    given = question.allowed.get(name) or ()

    def change(choice: SizeChoice) -> tuple[int, ...]:
        least = min((abs(getattr(choice, name) - value) for value in given), default=0)
        return least, *choice.simplicity

    return min(choices(question.without(name)), key=change, default=None)


def _nearest(question: Question, side: str, choices: Choices) -> tuple[tuple[int, ...], ...]:
    """The nearest sizes of one side below and above; all axes move together."""
    asked = getattr(question, side)
    farthest = max(1, min(FARTHEST, MOST_TRIED // question.tried))
    found = []
    for step in (-1, 1):
        for distance in range(1, farthest + 1):
            sizes = tuple(n + step * distance for n in asked)
            if min(sizes) < 1:
                break
            n_in, n_out = (sizes, question.n_out) if side == "n_in" else (question.n_in, sizes)
            if any(True for _ in choices(replace(question, n_in=n_in, n_out=n_out))):
                found.append(sizes)
                break
    return tuple(found)


def _uneven(question: Question) -> tuple[int, int] | None:
    """One more position after than before, where all else is given and that is all it takes."""
    words = [
        1 if name == "dilation" and question.allowed[name] is None else question.only(name)
        for name in TRIPLE
    ]
    if None in words or question.uniform_overlap:
        return None
    kernel, stride, dilation = (word or 0 for word in words)
    sides = (question.n_in, question.n_out)
    longs, shorts = sides[::-1] if question.transposed else sides
    pairs = zip(longs, shorts, strict=True)
    totals = {
        total_padding(n, m, kernel=kernel, stride=stride, dilation=dilation) for n, m in pairs
    }
    total = totals.pop()
    if totals or total < 0 or total % 2 == 0 or total > 2 * dilation * (kernel - 1):
        return None
    return total // 2, total - total // 2


def _given(question: Question) -> str:
    words = [f"{name}={_range(each)}" for name, each in question.allowed.items() if each]
    flags = [name for name in ("uniform_overlap", "no_dead_pixels") if getattr(question, name)]
    words += flags
    if not words:
        words = [f"{name}={_range(question.range_of(name))}" for name in TRIPLE]
    return f" with {', '.join(words)}"


def _range(values: Sequence[int]) -> str:
    if len(values) == 1:
        return str(values[0])
    if len(values) == values[-1] - values[0] + 1:
        return f"{values[0]} to {values[-1]}"
    return " or ".join(map(str, values))


def _words(sizes: Sequence[int]) -> str:
    return str(sizes[0]) if len(sizes) == 1 else str(tuple(sizes))
