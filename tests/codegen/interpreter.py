"""Loop nests carried out in Python, step by step: what C would do, without a compiler.

Every index is checked, every output must be begun exactly once, and multiply-adds are counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Any

from numpy.typing import NDArray

from codegen.nests import Affine, AxisFold, Correlation, Gather, Loop, Nests, Resample

Array = NDArray[Any]
Variables = dict[str, int]


def each(
    loops: Iterable[Loop], batch: int = 0, outside: Variables | None = None
) -> Iterator[Variables]:
    """The values of the loop variables, those of the loops outside included."""
    loops, outside = list(loops), outside or {}
    names = [loop.variable for loop in loops]
    assert len({*names, *outside}) == len(names) + len(outside)
    counts = [batch if loop.count == "batch" else int(loop.count) for loop in loops]
    for values in product(*map(range, counts)):
        yield {**outside, **dict(zip(names, values, strict=True))}


def at(place: Affine, variables: Variables) -> int:
    return place.constant + sum(c * variables[v] for v, c in place.terms)


@dataclass
class Memory:
    """A flat array that knows no index outside."""

    values: list[Any]

    @classmethod
    def of(cls, array: Array) -> Memory:
        return cls(list(array.ravel()))

    def __getitem__(self, index: int) -> Any:
        assert 0 <= index < len(self.values)
        return self.values[index]

    def __setitem__(self, index: int, value: Any) -> None:
        assert 0 <= index < len(self.values)
        self.values[index] = value


@dataclass
class Count:
    """Multiply-adds so far."""

    macs: int = 0


def gather(
    nest: Gather,
    batch: int,
    x: Array,
    w: Sequence[Any],
    bias: Array | None,
    size: int,
    count: Count,
) -> list[Any]:
    """y, flat, of ``size`` numbers."""
    x_, w_, y = Memory.of(x), Memory(list(w)), Memory([None] * size)
    for channel in each(nest.channels, batch):
        y0, x0, w0 = (at(place, channel) for place in (nest.y, nest.x, nest.w))
        start = 0 if bias is None else Memory.of(bias)[at(nest.bias, channel)]
        for rows in nest.rows:
            for row in each(rows.loops):
                y_row = y0 + at(rows.y, row)
                for j in range(nest.row_length):
                    assert y[y_row + j] is None
                    y[y_row + j] = start
                for call in rows.calls:
                    for inner in each(call.loops, batch, row):
                        x_row, w_row = x0 + at(call.x, inner), w0 + at(call.w, inner)
                        for update in nest.columns:
                            for q in each(update.loops):
                                for w_at, x_at in update.terms:
                                    product_ = w_[w_row + at(w_at, q)] * x_[x_row + at(x_at, q)]
                                    y[y_row + at(update.target, q)] += product_
                                    count.macs += 1
    assert None not in y.values
    return y.values


def correlation(
    nest: Correlation, batch: int, x: Array, y: Array, size: int, count: Count
) -> list[Any]:
    """The gradient of the (folded) weight, flat, of ``size`` numbers."""
    x_, y_, w = Memory.of(x), Memory.of(y), Memory([None] * size)
    for channel in each(nest.channels, batch):
        w0 = at(nest.w, channel)
        for t in range(nest.taps):
            assert w[w0 + t] is None
            w[w0 + t] = 0
        for b in range(batch):
            inside = {**channel, "b": b}
            y0, x0 = at(nest.y, inside), at(nest.x, inside)
            for call in nest.calls:
                for inner in each(call.loops, batch):
                    w_row = w0 + at(call.w, inner)
                    y_row, x_row = y0 + at(call.y, inner), x0 + at(call.x, inner)
                    for update in nest.columns:
                        for q in each(update.loops):
                            for y_at, x_at in update.terms:
                                product_ = y_[y_row + at(y_at, q)] * x_[x_row + at(x_at, q)]
                                w[w_row + at(update.target, q)] += product_
                                count.macs += 1
    assert None not in w.values
    return w.values


def folded(nests: Nests, weight: Array) -> list[Any]:
    """The weight as the kernels take it."""
    return _through(nests, list(weight.ravel()), forth=True)


def unfolded(nests: Nests, gradient: Sequence[Any]) -> list[Any]:
    """The gradient of the weight from that of the folded weight."""
    return _through(nests, list(gradient), forth=False)


def _through(nests: Nests, numbers: list[Any], *, forth: bool) -> list[Any]:
    steps: Sequence[AxisFold] = nests.folds if forth else nests.folds[::-1]
    if not steps:
        return numbers
    size = len(numbers) // nests.pairs
    result = []
    for pair in range(nests.pairs):
        part = numbers[pair * size : (pair + 1) * size]
        for step in steps:
            before, after = (step.entries, step.folded)[:: 1 if forth else -1]
            assert len(part) == before
            source, target = Memory(part), Memory([None] * after)
            for place in each(step.loops):
                for line in step.fold if forth else step.unfold:
                    assert line.loops == ()
                    assert target[at(line.target, place)] is None
                    target[at(line.target, place)] = sum(
                        (c * source[at(read, place)] for c, read in line.terms), Fraction(0)
                    )
            part = target.values
        assert None not in part
        result += part
    return result


def resample(nest: Resample, batch: int, x: Array, size: int) -> list[Any]:
    """y, flat: blends of rows, then combinations along them."""
    x_, y = Memory.of(x), Memory([None] * size)
    for channel in each(nest.channels, batch):
        y0, x0 = at(nest.y, channel), at(nest.x, channel)
        for rows in nest.rows:
            for row in each(rows.loops):
                y_row, x_row = y0 + at(rows.y, row), x0 + at(rows.x, row)
                source = [x_[x_row + j] for j in range(nest.row_length)] if not rows.blends else []
                for terms in rows.blends:
                    source = [
                        sum((c * x_[x0 + at(place, row) + j] for c, place in terms), Fraction(0))
                        for j in range(nest.row_length)
                    ]
                line = Memory(source)
                for column in nest.columns:
                    for q in each(column.loops):
                        target = y_row + at(column.target, q)
                        assert y[target] is None
                        y[target] = sum(
                            (c * line[at(place, q)] for c, place in column.terms), Fraction(0)
                        )
    assert None not in y.values
    return y.values
