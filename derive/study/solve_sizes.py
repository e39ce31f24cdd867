"""Which parameters map one size to another: the question people ask when shapes do not match.

For each kernel, stride and dilation the derived size formula is solved for the padding and for
the remainder (output_padding), so nothing is tried that does not fit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import product
from typing import Any

from derive.arguments import LARGEST, Each, boolean, integer, refuse
from derive.core.size_solver import remainder_of, total_padding

from .no_sizes import NoSizes, explained
from .size_choice import SizeChoice
from .size_question import TRIPLE, Question

Allowed = int | Collection[int] | None
LEAST = {"kernel_size": 1, "stride": 1, "dilation": 1, "padding": 0, "output_padding": 0}
MOST_TRIED = 1_000_000  # triples of kernel, stride and dilation


def solve_sizes(
    n_in: Each,
    n_out: Each,
    *,
    transposed: bool = False,
    kernel_size: Allowed = None,
    stride: Allowed = None,
    padding: Allowed = None,
    dilation: Allowed = None,
    output_padding: Allowed = None,
    uniform_overlap: bool = False,
    no_dead_pixels: bool = False,
) -> tuple[SizeChoice, ...] | NoSizes:
    """All Conv (or ConvTranspose) parameters that torch accepts and that map n_in to n_out.

    Sizes are ints, or tuples of one length where the same parameters have to do for every axis;
    for axes with parameters of their own ask once for each. A constraint is an int, or a range or
    other collection of ints. Without one, with r the larger size over the smaller, rounded up and
    at most 64: kernel_size is 1 to max(7, 2r), stride 1 to max(4, r), dilation 1 to 2, padding 0
    to dilation*(kernel_size - 1), more of which would only reach zeros, and output_padding all
    that torch takes, less than stride or dilation. ``no_dead_pixels`` leaves out choices with
    outputs that no tap reaches or inputs that no output reads, ``uniform_overlap`` those that
    make a checkerboard.

    The simplest comes first: few positions wasted, then little dilation, little output_padding,
    then the least sum of the kernel size and of how far the padding of both sides is from
    dilation*(kernel_size - 1), that of "same"; then the smaller kernel and stride.

    Where there is none the answer is false, prints why, and knows the nearest sizes.

    >>> for choice in solve_sizes(7, 14, transposed=True, stride=2, kernel_size=(2, 3, 4),
    ...     dilation=1):
    ...     print(choice)
    ConvTranspose: kernel_size=2, stride=2
    ConvTranspose: kernel_size=4, stride=2, padding=1
    ConvTranspose: kernel_size=3, stride=2, padding=1, output_padding=1
    >>> print(solve_sizes(7, 14, transposed=True, kernel_size=3, stride=2, padding=1,
    ...     dilation=1, output_padding=0))
    no ConvTranspose with kernel_size=3, stride=2, padding=1, dilation=1, output_padding=0 maps \
7 to 14
    nearest that it gives from 7: 13
    it would give 14 with another output_padding: kernel_size=3, stride=2, padding=1, \
output_padding=1
    it would give 14 with another kernel_size: kernel_size=4, stride=2, padding=1
    it would give 14 with more padding after: (before, after) = (0, 1)
    """
    longs, shorts = _sizes(n_in, n_out)
    limits = {
        "kernel_size": kernel_size,
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
        "output_padding": output_padding,
    }
    if not boolean("transposed", transposed) and output_padding is not None:
        refuse("output_padding", output_padding, "None where transposed is False")
    question = Question(
        longs,
        shorts,
        transposed,
        {name: _values(name, given) for name, given in limits.items()},
        boolean("uniform_overlap", uniform_overlap),
        boolean("no_dead_pixels", no_dead_pixels),
    )
    if question.tried > MOST_TRIED:
        refuse(", ".join(TRIPLE), question.tried, f"at most {MOST_TRIED} triples to try")
    found = sorted(choices(question), key=lambda choice: choice.simplicity)
    return tuple(found) or explained(question, choices)


def choices(question: Question) -> Iterator[SizeChoice]:
    """All answers, kernel by kernel."""
    for kernel, stride, dilation in product(*map(question.range_of, TRIPLE)):
        for padding, remainder in _paddings(question, kernel, stride, dilation):
            found = SizeChoice(
                n_in=question.n_in,
                n_out=question.n_out,
                transposed=question.transposed,
                kernel_size=kernel,
                stride=stride,
                padding=padding,
                dilation=dilation,
                output_padding=remainder if question.transposed else 0,
            )
            if question.uniform_overlap and not found.uniform:
                continue
            if question.no_dead_pixels and found.wasted:
                continue
            yield found


def _paddings(
    question: Question, kernel: int, stride: int, dilation: int
) -> Iterator[tuple[int, int]]:
    """The paddings of a side, and the remainders that they leave on the first axis.

    The total padding grows with the remainder, so the least and the largest remainder bound it.
    """
    words = {"kernel": kernel, "stride": stride, "dilation": dilation}
    sides = (question.n_in, question.n_out)
    longs, shorts = sides[::-1] if question.transposed else sides
    axes = list(zip(longs, shorts, strict=True))
    last = max(stride, dilation) - 1 if question.transposed else stride - 1
    totals = [[total_padding(*axis, **words, remainder=o) for o in (0, last)] for axis in axes]
    least = max(0, *(-(-low // 2) for low, _ in totals))
    most = min(high // 2 for _, high in totals)
    allowed = question.allowed["padding"]
    if allowed is None:
        allowed = range(dilation * (kernel - 1) + 1)
    extra = question.allowed["output_padding"]
    for padding in _between(allowed, least, most):
        left = [remainder_of(*axis, **words, total=2 * padding) for axis in axes]
        named = len(set(left)) == 1 and (extra is None or left[0] in extra)
        if named or not question.transposed:
            yield padding, left[0]


def _between(values: Sequence[int], least: int, most: int) -> Iterator[int]:
    """Those of a sorted sequence from ``least`` to ``most``; a range is not walked through."""
    if isinstance(values, range) and values.step == 1:
        yield from range(max(least, values.start), min(most + 1, values.stop))
    else:
        yield from (value for value in values if least <= value <= most)


def _sizes(n_in: Any, n_out: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    each = []
    for name, given in (("n_in", n_in), ("n_out", n_out)):
        several = isinstance(given, Sequence) and not isinstance(given, (str, bytes))
        values = tuple(given) if several else (given,)
        each.append(tuple(integer(name, n, 1) for n in values))
        if len(values) not in (1, 2, 3):
            refuse(name, given, "an int >= 1, or a tuple of 1 to 3 of them")
    if len(each[0]) != len(each[1]):
        refuse("n_out", n_out, f"as many sizes as n_in = {n_in!r} has")
    return each[0], each[1]


def _values(name: str, given: Allowed) -> Sequence[int] | None:
    """A constraint as sorted values; a range of step 1 stays one."""
    least, allowed = LEAST[name], f"None, an int >= {LEAST[name]}, or a range or set of them"
    if given is None:
        return None
    if isinstance(given, range) and given.step == 1 and given:
        return range(integer(name, given.start, least, allowed=allowed), min(given.stop, LARGEST))
    if isinstance(given, (str, bytes)) or not isinstance(given, Collection):
        return (integer(name, given, least, allowed=allowed),)
    if not given:
        refuse(name, given, allowed)
    return sorted({integer(name, each, least, allowed=allowed) for each in given})
