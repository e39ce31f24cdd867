"""Depthwise layers: a thread computes a tile of a plane, all taps and the tile in registers.

It reads each row of x that its tile needs once, from memory to registers, and adds what it gives
to the rows of the tile. Neighbouring threads have neighbouring tiles, so their reads share lines
of the first cache; nothing is shared otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod

from codegen._runtime.cuda.program import ITEMSIZE, sum_itemsize
from derive.core.form import TrilinearForm

from .border import OutputBox, border_of
from .device import Device
from .thread_row import ThreadRow, vector_numbers
from .weight_blocks import QUARTERS, WARP, Windows
from .weight_gradient import MOST_PLACES, POINT
from .windows import Window, window_of

THREADS = 128
MOST_PAIRS = 4  # of channels in a group
MOST_TAPS = 81  # of a plane, in registers of 4 bytes
MOST_SUMS = 64
MOST_REGISTERS = 168
EVERYWHERE, MOST_RESIDENT = 65536, 8  # registers, and blocks, of every multiprocessor
SPARE = 36
COLUMNS, ROWS = (2, 4, 8), (1, 2, 4, 7, 8)  # of a tile: q, each with all phases
BUSY = 8  # warps of a multiprocessor that hide its latency: each has many loads under way
START = 60  # instructions of a tile besides loads, stores and sums
LOAD = 3  # and of a load
BATCH = 4  # samples that are there to share out
BYTES = 10  # a cycle, that memory gives a multiprocessor


@dataclass(frozen=True, slots=True)
class InputRow:
    """A row of x from advance * (first q of the tile), and its (row of sums, row of taps) pairs."""

    position: int
    uses: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Depthwise:
    """Forward or input gradient; ``rows`` and ``columns`` count the q of a tile.

    ``windows`` are of planes, rows and columns; ``item`` and ``sum_item`` are bytes.
    """

    form: TrilinearForm
    windows: Windows
    rows: int
    columns: int
    item: int
    sum_item: int

    @cached_property
    def tiles(self) -> tuple[int, int, int]:
        """Of a channel: planes of y, along rows and along columns."""
        planes, rows, columns = self.windows
        last = min(planes.n_out, planes.step * (planes.first + planes.count))
        count = last - planes.step * planes.first
        return count, -(-rows.count // self.rows), -(-columns.count // self.columns)

    @property
    def sums(self) -> tuple[int, int]:
        """Rows and columns of y in a tile."""
        _, rows, columns = self.windows
        return self.rows * len(rows.phases), self.columns * len(columns.phases)

    @cached_property
    def taps(self) -> tuple[int, ...]:
        """Taps of a plane that are met, in order."""
        _, rows, columns = self.windows
        across = rows_of_taps(columns)
        found = {
            tap * self.row_taps + t for reads in rows.phases for _, tap in reads for t in across
        }
        return tuple(sorted(found))

    @property
    def row_taps(self) -> int:
        """Taps of a kernel row."""
        return (1, 1, *self.form.weight_shape[2:])[-1]

    @cached_property
    def reads(self) -> tuple[InputRow, ...]:
        """The rows of x that a tile meets, in order."""
        _, rows, _ = self.windows
        found: dict[int, list[tuple[int, int]]] = {}
        for j, (phase, reads) in product(range(self.rows), enumerate(rows.phases)):
            for offset, tap in reads:
                place = j * len(rows.phases) + phase
                found.setdefault(rows.advance * j + offset, []).append((place, tap))
        return tuple(InputRow(p, tuple(uses)) for p, uses in sorted(found.items()))

    @cached_property
    def row(self) -> ThreadRow:
        """What a thread reads of such a row."""
        return thread_row(self.windows[2], self.columns, self.item)

    @cached_property
    def stored(self) -> int:
        """Numbers of a vector that is stored; 1 where rows are not whole vectors."""
        _, _, columns = self.windows
        width = self.columns * columns.step
        whole = columns.n_out == width * self.tiles[2] and columns.whole
        return vector_numbers(self.item, (columns.n_out, width)) if whole else 1

    @cached_property
    def border(self) -> tuple[OutputBox, ...]:
        """Outputs that no window holds for."""
        return border_of(self.windows[3 - len(self.form.axes) :])

    @property
    def registers(self) -> int:
        """Of a thread, about."""
        numbers = len(self.taps) + prod(self.sums) + self.row.count
        return SPARE + numbers * self.sum_item // 4

    @property
    def resident(self) -> int:
        """Blocks of a multiprocessor that its registers allow: ptxas spills to have more."""
        return min(MOST_RESIDENT, EVERYWHERE // (THREADS * self.registers))

    @property
    def threads(self) -> int:
        """Tiles of a sample."""
        return self.form.groups * self.form.channels_out * prod(self.tiles)

    @property
    def border_outputs(self) -> int:
        """Of a sample."""
        return self.form.output_shape[0] * sum(box.count for box in self.border)


def suits(form: TrilinearForm) -> bool:
    """Whether ``depthwise`` may take a folded form."""
    windows = windows_of(form)
    places = max(prod(form.input_shape), prod(form.output_shape))
    few = form.channels_in * form.channels_out <= MOST_PAIRS and places < MOST_PLACES
    return few and all(w.count and (len(w.phases) == w.step or w.count == 1) for w in windows)


def windows_of(form: TrilinearForm) -> Windows:
    """Of planes, rows and columns, whatever axes there are."""
    windows = [window_of(axis) for axis in form.axes]
    planes, rows, columns = [POINT] * (3 - len(windows)) + windows
    return planes, rows, columns


def depthwise(form: TrilinearForm, device: Device, dtype: str) -> Depthwise | None:
    """The schedule of a folded form by a count of cycles; None where it does not suit.

    >>> from derive import Conv2d
    >>> form = Conv2d(32, 32, 3, padding=1, groups=32, input_size=56).form
    >>> found = depthwise(form, Device(), "float32")
    >>> found.rows, found.columns, [load.numbers for load in found.row.loads], found.stored
    (7, 2, [1, 2, 1], 2)
    """
    if not suits(form):
        return None
    item, sum_item = ITEMSIZE[dtype], sum_itemsize(dtype)
    windows = windows_of(form)
    if not all(any(window.phases) for window in windows):
        return None  # no tap is reached
    made = [
        Depthwise(form, windows, rows, columns, item, sum_item)
        for rows, columns in product(ROWS, COLUMNS)
    ]
    fitting = [each for each in made if _fits(each)]
    return min(fitting, key=lambda each: cycles(each, device), default=None)


def _fits(schedule: Depthwise) -> bool:
    wide = schedule.sum_item // 4
    return (
        schedule.registers <= MOST_REGISTERS
        and len(schedule.taps) * wide <= MOST_TAPS
        and prod(schedule.sums) * wide <= MOST_SUMS
    )


def cycles(schedule: Depthwise, device: Device) -> float:
    """Estimated, of one sample in a batch of some."""
    planes, _, columns = schedule.windows
    across = schedule.columns * sum(len(reads) for reads in columns.phases)
    products = across * sum(len(row.uses) for row in schedule.reads)
    loads = len(schedule.row.loads) * len(schedule.reads)
    times = schedule.form.channels_in * max(len(reads) for reads in planes.phases)
    wide, vectors = schedule.sum_item // 4, prod(schedule.sums) / schedule.stored
    issued = START + 2 * vectors + times * (wide * products + LOAD * loads + len(schedule.taps))
    lines = schedule.columns * columns.advance * schedule.item / 4  # that a load of a warp touches
    cached = lines * times * loads + lines * columns.step * vectors
    warps = schedule.threads / WARP
    hidden = min(1.0, BATCH * warps / device.multiprocessors / BUSY)
    numbers = prod(schedule.form.input_shape) + prod(schedule.form.output_shape)
    moved = numbers * schedule.item / BYTES
    return (warps * max(issued / QUARTERS, cached) / hidden + moved) / device.multiprocessors


def thread_row(columns: Window, count: int, item: int) -> ThreadRow:
    """What a thread of ``count`` q reads of a row of x."""
    wanted = {
        columns.advance * k + offset
        for k in range(count)
        for reads in columns.phases
        for offset, _ in reads
    }
    begin, step = columns.advance * columns.first, columns.advance * count
    return ThreadRow(
        columns.n_in - begin,
        step,
        -(-columns.count // count),
        tuple(sorted(wanted)),
        vector_numbers(item, (columns.n_in, step, begin)),
        bool(columns.elsewhere),
    )


def rows_of_taps(window: Window) -> list[int]:
    """The taps of an axis that are met."""
    return sorted({tap for reads in window.phases for _, tap in reads})
