"""The weight gradient of depthwise layers: all taps of a pair of channels in each thread.

A thread goes through tiles of positions, as forward does, and keeps its sums in registers; those
of a block are added in a fixed order, then those of the blocks that share a pair.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod

from codegen._runtime.cuda.program import ITEMSIZE, sum_itemsize
from derive.core.form import TrilinearForm

from .depthwise import (
    COLUMNS,
    EVERYWHERE,
    LOAD,
    MOST_PAIRS,
    MOST_REGISTERS,
    MOST_SUMS,
    MOST_TAPS,
    ROWS,
    SPARE,
    START,
    Depthwise,
)
from .device import Device
from .thread_row import ThreadRow, vector_numbers
from .weight_blocks import BATCH, ROOM_BYTES, WARP, Side
from .weight_gradient import side_of

THREADS = 128
MOST_PRODUCTS = 1600  # of a tile, so that its text stays in the cache of instructions
RESIDENT = 4  # blocks of a multiprocessor that are enough


@dataclass(frozen=True)
class DepthwiseGradient:
    """``forward`` says what a tile reads; a block takes a pair of channels and a plane of taps."""

    side: Side
    forward: Depthwise
    device: Device

    @property
    def form(self) -> TrilinearForm:
        """Whose y and x are multiplied."""
        return self.side.form

    @cached_property
    def y_row(self) -> ThreadRow:
        """What a thread reads of a row of y."""
        columns, count = self.side.windows[2].n_out, self.forward.columns
        numbers = vector_numbers(self.forward.item, (columns, count))
        tiles = self.forward.tiles[2]
        return ThreadRow(columns, count, tiles, tuple(range(count)), numbers, False)

    @property
    def blocks(self) -> tuple[int, int]:
        """Planes of taps and pairs of channels."""
        pairs = self.form.groups * self.form.channels_in * self.form.channels_out
        return self.form.weight_shape[2] if len(self.form.axes) == 3 else 1, pairs

    @property
    def taps(self) -> int:
        """Of a plane."""
        return prod((1, 1, *self.form.weight_shape[2:])[-2:])

    @property
    def registers(self) -> int:
        """Of a thread, about."""
        held = self.forward.rows * self.forward.columns
        numbers = self.taps + held + self.forward.row.count
        return SPARE + numbers * self.forward.sum_item // 4

    @property
    def resident(self) -> int:
        """Blocks of a multiprocessor that its registers allow: ptxas spills to have more."""
        return min(RESIDENT, EVERYWHERE // (THREADS * self.registers))

    @property
    def shared(self) -> int:
        """Bytes: the sums of each warp."""
        return THREADS // WARP * self.taps * self.forward.sum_item

    @cached_property
    def splits(self) -> int:
        """Blocks that share the batch for each plane and pair."""
        enough = -(-self.device.multiprocessors * RESIDENT // prod(self.blocks))
        shares = -(-BATCH * prod(self.forward.tiles) // THREADS)
        most = ROOM_BYTES // (self.forward.sum_item * prod(self.form.weight_shape))
        return max(1, min(enough, shares, most))


def depthwise_gradient(form: TrilinearForm, device: Device, dtype: str) -> DepthwiseGradient | None:
    """The schedule of a folded form of few channels in a group; None where it does not suit.

    >>> from derive import Conv2d
    >>> form = Conv2d(32, 32, 3, padding=1, groups=32, input_size=56).form
    >>> found = depthwise_gradient(form, Device(), "float32")
    >>> found.blocks, found.splits, found.taps
    ((1, 32), 13, 9)
    """
    side = side_of(form) if form.channels_in * form.channels_out <= MOST_PAIRS else None
    if side is None or not _planes_met(side):
        return None
    item, sum_item = ITEMSIZE[dtype], sum_itemsize(dtype)
    made = [
        DepthwiseGradient(
            side, Depthwise(side.form, side.windows, rows, columns, item, sum_item), device
        )
        for rows, columns in product(ROWS, COLUMNS)
    ]
    return min((each for each in made if _fits(each)), key=_instructions, default=None)


def _planes_met(side: Side) -> bool:
    """Whether each plane of taps is met, so that each has its blocks."""
    planes = side.windows[0]
    return len(side.form.axes) < 3 or len(planes.phases[0]) == side.form.weight_shape[2]


def _fits(schedule: DepthwiseGradient) -> bool:
    forward, wide = schedule.forward, schedule.forward.sum_item // 4
    held = forward.rows * forward.columns
    return (
        schedule.registers <= MOST_REGISTERS
        and _products(schedule) <= MOST_PRODUCTS
        and schedule.taps * wide <= MOST_TAPS
        and held * wide <= MOST_SUMS
    )


def _instructions(schedule: DepthwiseGradient) -> float:
    """Of all tiles of a channel."""
    forward = schedule.forward
    products = _products(schedule) * forward.sum_item // 4
    loads = len(forward.row.loads) * len(forward.reads) + len(schedule.y_row.loads) * forward.rows
    return prod(forward.tiles) * (START + products + LOAD * loads)


def _products(schedule: DepthwiseGradient) -> int:
    """Multiply-adds of a tile, by a plane of taps."""
    forward, columns = schedule.forward, schedule.side.windows[2]
    uses = sum(len(row.uses) for row in forward.reads)
    return uses * forward.columns * len(columns.phases[0])
