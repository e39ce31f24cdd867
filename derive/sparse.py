"""The matrix of a trilinear form as compressed sparse rows, written at memory speed.

Inside a product of runs every row holds the same pattern, shifted. So the pattern is made once
and the rows are strided copies of it. Structural entries stay stored where a weight is 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise, product
from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import ArrayLike, DTypeLike, NDArray
from scipy.sparse import csr_array

from .arguments import integer
from .core.form import TrilinearForm
from .core.polyphase import Run
from .weights import Array, by_channel, checked, fitted, foldable, folded, number_dtype

Range = tuple[int, int]
SHORT, FEW = 1 << 11, 1 << 16  # entries of a line and of all lines that are written at once


def compressed_rows(
    form: TrilinearForm, weight: ArrayLike, lo: int, hi: int, dtype: DTypeLike
) -> csr_array:
    """Rows lo..hi of the matrix as a canonical csr_array; nothing else is built."""
    n_rows, n_columns = prod(form.output_shape), prod(form.input_shape)
    hi = integer("hi", hi, 0, most=n_rows)
    lo = integer("lo", lo, 0, most=hi)
    dtype = number_dtype(dtype)
    values = by_channel(form, foldable(checked(form, weight), dtype))
    boxes = [_Box(form, box[0], box[1:]) for box in _boxes(form.output_shape, lo, hi)]
    nnz = sum(box.nnz for box in boxes)
    index = np.int32 if max(nnz, n_columns) <= np.iinfo(np.int32).max else np.int64
    indptr = np.zeros(hi - lo + 1, dtype=index)
    indices, data = np.empty(nnz, dtype=index), np.empty(nnz, dtype=dtype)
    row = entry = 0
    for box in boxes:
        entry_end, row_end = entry + box.nnz, row + box.n_rows
        indptr[row + 1 : row_end + 1] = entry + box.row_ends()
        box.fill(values, indices[entry:entry_end], data[entry:entry_end])
        row, entry = row_end, entry_end
    result = csr_array((data, indices, indptr), shape=(hi - lo, n_columns))
    result.has_sorted_indices = result.has_canonical_format = True
    return result


def _boxes(shape: Sequence[int], lo: int, hi: int) -> Iterator[tuple[Range, ...]]:
    """The flat range lo..hi of a C-ordered shape as boxes, in order."""
    if lo >= hi:
        return
    if len(shape) == 1:
        yield ((lo, hi),)
        return
    inner = prod(shape[1:])
    whole = -(-lo // inner), hi // inner
    if whole[0] > whole[1]:  # begins and ends inside one slice
        slices = [(whole[1], lo - whole[1] * inner, hi - whole[1] * inner)]
    else:
        slices = [
            (whole[0] - 1, lo - (whole[0] - 1) * inner, inner),
            (whole[1], 0, hi - whole[1] * inner),
        ]
    for at, begin, end in slices:
        if at == whole[1] and whole[0] < whole[1]:
            yield (whole, *((0, n) for n in shape[1:]))
        for box in _boxes(shape[1:], begin, end):
            yield ((at, at + 1), *box)


class _Box:
    """The rows of a range of channels and a range of positions on each axis."""

    def __init__(self, form: TrilinearForm, channels: Range, ranges: Sequence[Range]) -> None:
        self.form, self.channels = form, channels
        self.count = channels[1] - channels[0]
        self.runs = [
            [part for run in axis.runs if (part := _clipped(run, *r)).count > 0]
            for axis, r in zip(form.axes, ranges, strict=True)
        ]
        lengths = np.array(form.channels_in)
        for runs, (lo, hi) in zip(self.runs, ranges, strict=True):
            length = np.zeros(hi - lo, dtype=np.int64)
            for run in runs:
                length[_places(run)] = len(run.taps)
            lengths = np.multiply.outer(lengths, length)
        self.ends = np.cumsum(lengths)  # of each row of one channel
        self.starts = self.ends.reshape(lengths.shape) - lengths
        self.n_rows = self.count * self.ends.size
        self.nnz = self.count * int(self.ends[-1])

    def row_ends(self) -> NDArray[np.int64]:
        channels = np.arange(self.count, dtype=np.int64) * self.ends[-1]
        ends: NDArray[np.int64] = np.add.outer(channels, self.ends)
        return ends.ravel()

    def fill(self, values: Array, indices: NDArray[Any], data: Array) -> None:
        """Write the entries; ``values`` is (groups, out, in, *taps)."""
        indices, data = indices.reshape(self.count, -1), data.reshape(self.count, -1)
        per_group = self.form.channels_out
        begin, end = self.channels
        for group in range(begin // per_group, -(-end // per_group)):
            lo, hi = max(begin, group * per_group), min(end, (group + 1) * per_group)
            weight = values[group, lo - group * per_group : hi - group * per_group]
            rows = slice(lo - begin, hi - begin)
            for runs in product(*self.runs):
                if all(run.taps for run in runs):
                    self._fill_runs(group, runs, weight, indices[lo - begin], data[rows])
            indices[rows] = indices[lo - begin]  # the columns of one channel serve its group

    def _fill_runs(
        self,
        group: int,
        runs: Sequence[Run],
        weight: Array,
        indices: NDArray[Any],
        data: Array,
    ) -> None:
        strides = [prod(axis.n_in for axis in self.form.axes[a + 1 :]) for a in range(len(runs))]
        channel = np.arange(self.form.channels_in) + group * self.form.channels_in
        columns = channel * prod(axis.n_in for axis in self.form.axes)
        for run, stride in zip(runs, strides, strict=True):
            places = [(run.source + tap.offset) * stride for tap in run.taps]
            columns = np.add.outer(columns, places)
        shifts = [run.advance * stride for run, stride in zip(runs, strides, strict=True)]
        along = np.arange(runs[-1].count) * shifts[-1]
        pattern = np.add.outer(along, columns.ravel()).astype(indices.dtype)
        row = fitted(folded(weight, runs), data.dtype).reshape(len(weight), 1, -1)
        starts = self.starts[tuple(_places(run) for run in runs)]
        if len(row) * pattern.size <= SHORT and starts.size * columns.size <= FEW:
            shift = np.zeros(1, np.int64)
            for run, step in zip(runs[:-1], shifts[:-1], strict=True):
                shift = np.add.outer(shift, np.arange(run.count) * step).ravel()
            at = np.add.outer(starts.ravel(), np.arange(columns.size))
            indices[at] = np.add.outer(shift, pattern).reshape(at.shape)
            data[:, at] = row
            return
        for q in np.ndindex(starts.shape[:-1]):
            shift = sum(a * b for a, b in zip(q, shifts, strict=False))
            for piece, pitch in _evenly_spaced(starts[q]):
                begin, shape = int(starts[q][piece.start]), pattern[piece].shape
                np.add(pattern[piece], shift, out=_every(indices, begin, pitch, shape))
                _every(data, begin, pitch, (len(data), *shape))[...] = row


def _every(array: Array, begin: int, pitch: int, shape: tuple[int, ...]) -> Array:
    """View of ``shape`` whose rows begin ``pitch`` elements apart on the last axis of array."""
    item = array.itemsize
    return as_strided(array[..., begin:], shape, (*array.strides[:-1], pitch * item, item))


def _evenly_spaced(starts: NDArray[np.int64]) -> Iterator[tuple[slice, int]]:
    """Cut where the distance between neighbours changes: (positions, distance) of each part."""
    pitches = np.diff(starts)
    cuts = [0, *(np.flatnonzero(np.diff(pitches)) + 2), len(starts)]
    for begin, end in pairwise(cuts):
        yield slice(begin, end), int(pitches[begin]) if end - begin > 1 else 0


def _clipped(run: Run, lo: int, hi: int) -> Run:
    """The part of a run inside lo <= y < hi, y counted from lo."""
    begin = max(0, -((run.first - lo) // run.step))
    end = min(run.count, -((run.first - hi) // run.step))
    return replace(
        run,
        first=run.first + run.step * begin - lo,
        count=end - begin,
        source=run.source + run.advance * begin,
    )


def _places(run: Run) -> slice:
    return slice(run.first, run.first + run.step * (run.count - 1) + 1, run.step)
