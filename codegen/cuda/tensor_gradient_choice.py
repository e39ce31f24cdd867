"""Which fragments, warps and pieces a weight gradient on tensor cores is made of."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from derive.core.form import TrilinearForm

from .device import Device
from .pattern import Pattern
from .tensor import DEPTH, ROWS
from .tensor_gradient import COLUMNS, GradientTile, TensorGradient
from .weight_blocks import Side
from .weight_gradient import grouped, side_of

MOST_TAPS = 8  # of a kernel row, side by side in registers
MOST_ROWS = 4  # of a kernel, in warps of their own
MOST_SUMS = 112  # of a thread
WARPS = 8


def tensor_gradient(form: TrilinearForm, device: Device) -> TensorGradient | None:
    """The schedule of a folded form by a count of cycles; None where it does not suit.

    >>> from derive import Conv2d
    >>> found = tensor_gradient(Conv2d(64, 64, 3, padding=1, input_size=56).form, Device())
    >>> found.block_outputs, found.block_inputs, found.rows.reads, found.columns.taps
    (32, 64, ((0, 0), (0, 1), (0, 2)), ((0, 1, 2),))
    """
    side = side_of(form)
    if side is None:
        return None
    made = (TensorGradient(side, *patterns, tile, device) for patterns, tile in _candidates(side))
    return min(
        (each for each in made if each.resident and each.sums <= MOST_SUMS),
        key=lambda each: each.cycles,
        default=None,
    )


def _candidates(side: Side) -> Iterator[tuple[tuple[Pattern, Pattern, Pattern], GradientTile]]:
    planes, rows, columns = side.windows
    (by_plane,) = grouped(planes, (1,))
    few, many = len(rows.phases[0]), len(columns.phases[0])
    by_row = grouped(rows, {1, few} if few <= MOST_ROWS else {1})
    by_column = grouped(columns, range(min(many, MOST_TAPS), 0, -1))[:1]
    fragments = [n for n in (1, 2, 4) if COLUMNS * n < 2 * max(side.form.channels_in, COLUMNS)]
    deep = [n for n in (1, 2, 4) if ROWS * n < 2 * max(side.form.channels_out, ROWS)]
    for row, column in product(by_row, by_column):
        apart = len(row.reads)
        for outputs, down, inputs, across in product(deep, deep, fragments, fragments):
            warps = down * across * apart
            if warps > WARPS or 4 * outputs * inputs * len(column.reads) > MOST_SUMS:
                continue
            for height, width in _shapes(rows.count, columns.count):
                parts = 1
                while 2 * parts * warps <= WARPS and 2 * parts <= height * width // DEPTH:
                    parts *= 2
                tile = GradientTile(outputs, inputs, down, across, apart, parts, height, width)
                yield (by_plane, row, column), tile


def _shapes(rows: int, columns: int) -> list[tuple[int, int]]:
    """Rows and columns of a piece, columns in sixteens."""
    whole = -(-columns // DEPTH) * DEPTH
    widths = sorted({min(whole, width) for width in (16, 32, 64)})
    return [(min(rows, max(1, positions // w)), w) for w in widths for positions in (64, 128)]
