"""The sizes that tell: the smallest, residues of the period, widths across vector tails."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice

from derive import GeometryError, Operator
from derive.layers import Layer

Shape = tuple[int, ...]
VECTOR = 16  # the widest vector of floats; tails show at widths up to 2V + 1
WIDTHS = (9, 17, 33, 41, 101, 65, 129, 257, *range(1, 2 * VECTOR + 2), 48, 63, 64, 127, 128, 255)
LONGEST = 1 << 12  # no input longer than that is tried
SPARE = 5  # positions beyond the smallest size, so that each axis has an interior


def resized(op: Operator, size: Shape) -> Operator | None:
    """The same layer at another input size, None where there is none.

    >>> from derive import Conv1d
    >>> resized(Conv1d(1, 1, 3), (2,)) is None
    True
    """
    if not isinstance(op, Layer):
        return None
    try:
        return op.at(size)
    except GeometryError:
        return None


def with_channels(op: Operator, channels_in: int, channels_out: int) -> Operator | None:
    """The same layer with so many channels in each group, None where it is no layer."""
    if not isinstance(op, Layer):
        return None
    words = dict(op.parameters)
    if not op.learned:
        words["channels"] = channels_in
    else:
        words["in_channels"] = op.groups * channels_in
        words["out_channels"] = op.groups * channels_out
    return type(op)(**words)


def smallest(op: Operator) -> Shape:
    """The least size that all axes can have, the same for each; GeometryError if there is none."""
    dimensions = len(op.rules)
    for n in range(1, LONGEST):
        if resized(op, (n,) * dimensions) is not None:
            return (n,) * dimensions
    raise GeometryError(f"input_size of {op!r}: no size up to {LONGEST} is allowed")


def least_along(op: Operator, axis: int) -> int:
    """The least size of an axis, the others being as they are in ``op``."""
    assert op.input_size is not None
    return next(n for n in count(1) if resized(op, _with(op.input_size, axis, n)) is not None)


def representative(op: Operator) -> Operator:
    """The operator at its own size, or at one that differs along each axis and has an interior."""
    if op.sizes is not None:
        return op
    first = smallest(op)
    for spare in (SPARE, 0):
        size = tuple(n + spare + a for a, n in enumerate(first))
        if (found := resized(op, size)) is not None:
            return found
    found = resized(op, first)
    assert found is not None
    return found


def other_sizes(op: Operator) -> Iterator[Operator]:
    """The same layer at other sizes, the telling ones first, each at most once."""
    if not isinstance(op, Layer):
        return
    own = representative(op)
    assert own.input_size is not None
    least = tuple(least_along(own, axis) for axis in range(len(own.rules)))
    low = tuple(min(n + 1, m) for n, m in zip(least, own.input_size, strict=True))
    seen = {own.input_size}
    for size in _candidates(own, least, low):
        if size not in seen:
            seen.add(size)
            found = resized(op, size)
            if found is not None:
                yield found


def _candidates(op: Operator, least: Shape, low: Shape) -> Iterator[Shape]:
    yield least
    last = len(least) - 1
    for axis in reversed(range(len(least))):
        period = _period(op, axis)
        for n in range(least[axis], least[axis] + min(period, 8) + 1):
            yield _with(low, axis, n)
    yield from (_with(low, last, n) for n in _along(op, last, least[last], WIDTHS))
    for axis in range(last):
        yield from (_with(low, axis, n) for n in _along(op, axis, least[axis], (9, 17, 40)))


def _along(op: Operator, axis: int, least: int, widths: tuple[int, ...]) -> Iterator[int]:
    """Input sizes whose outputs have these widths, or the next width that there is."""
    rule = op.rules[axis]
    reached: dict[int, int] = {}
    for n in islice(count(least), LONGEST):
        width = rule.output_size(n)  # type: ignore[attr-defined]  # a layer's rule knows it
        reached.setdefault(width, n)
        if width > max(widths) or (n > least + 2 * max(widths) and len(reached) == 1):
            break
    if len(reached) == 1:  # a resize to a given size: the inputs vary instead
        yield from (n for n in widths if n >= least)
        return
    for width in widths:
        found = min((w for w in reached if w >= width), default=None)
        if found is not None:
            yield reached[found]


def _period(op: Operator, axis: int) -> int:
    try:
        return op.rules[axis].period
    except ValueError:  # a resize whose scale changes with the size
        return 1


def _with(size: Shape, axis: int, n: int) -> Shape:
    return (*size[:axis], n, *size[axis + 1 :])
