"""How a weight gradient in tiles is laid out: over blocks, threads, registers and shared memory."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod

from derive.core.form import TrilinearForm

from .device import Device
from .pattern import Pattern
from .windows import Window

VECTOR = 4  # columns that a thread takes at a time
SPARE = 40  # registers besides sums and operands
ROOM_BYTES = 64 << 20  # of partial sums
MOST_RESIDENT = 16
BATCH = 32  # samples that give every block something to do
WARP = 32
QUARTERS = 4  # of a multiprocessor, each with its registers and its scheduler
OF_A_BLOCK = 1024  # bytes of shared memory that a block costs besides its own


@dataclass(frozen=True, slots=True)
class Tile:
    """What a block computes and how its threads share it.

    A thread sums ``outputs`` by ``inputs`` channels; ``parts`` threads share its positions.
    """

    outputs: int
    inputs: int
    output_threads: int
    input_threads: int
    row_threads: int
    column_threads: int
    parts: int
    rows: int
    columns: int

    @property
    def members(self) -> int:
        """Threads that share no position."""
        return self.output_threads * self.input_threads * self.row_threads * self.column_threads

    @property
    def threads(self) -> int:
        return self.members * self.parts

    @property
    def steps(self) -> int:
        """Vectors of columns in a piece."""
        return self.rows * self.columns // VECTOR


Windows = tuple[Window, Window, Window]  # of planes, rows and columns


@dataclass(frozen=True)
class Side:
    """A flattened form, or its adjoint with x and y exchanged; windows of planes, rows, columns."""

    form: TrilinearForm
    exchanged: bool
    windows: Windows


@dataclass(frozen=True)
class WeightGradient:
    """A weight gradient in tiles.

    Of the patterns, a block takes one read of ``planes``, a group of ``rows`` with a thread for
    each of its reads, and a group of ``columns``, or all of them with threads for each group.
    ``item`` is the size of a sum in bytes.
    """

    side: Side
    planes: Pattern
    rows: Pattern
    columns: Pattern
    tile: Tile
    device: Device
    item: int

    @property
    def form(self) -> TrilinearForm:
        """Whose y and x are multiplied."""
        return self.side.form

    @cached_property
    def block_outputs(self) -> int:
        return self.tile.outputs * self.tile.output_threads

    @cached_property
    def block_inputs(self) -> int:
        return self.tile.inputs * self.tile.input_threads

    @cached_property
    def tiles(self) -> tuple[int, ...]:
        """Of the weight: columns, rows and planes of the kernel, inputs, outputs, groups."""
        return (
            len(self.columns.bases) // self.tile.column_threads,
            len(self.rows.bases),
            len(self.planes.bases),
            -(-self.form.channels_in // self.block_inputs),
            -(-self.form.channels_out // self.block_outputs),
            self.form.groups,
        )

    @cached_property
    def pieces(self) -> tuple[int, int, int]:
        """Of a sample, along planes, rows and columns."""
        planes, rows, columns = self.side.windows
        by_row, by_column = self.tile.rows, self.tile.columns
        return planes.count, -(-rows.count // by_row), -(-columns.count // by_column)

    @cached_property
    def patch_rows(self) -> int:
        """Rows of x in a piece, of one channel."""
        return len(self.rows.residues) * (self.tile.rows + self.rows.reach)

    @cached_property
    def residue_pitch(self) -> int:
        """Numbers of one residue in such a row: whole vectors."""
        spread = self.columns.spread if self.tile.column_threads > 1 else 0
        return whole(self.tile.columns + self.columns.reach + spread)

    @cached_property
    def row_pitch(self) -> int:
        """Numbers of such a row."""
        return self.residue_pitch * len(self.columns.residues)

    @cached_property
    def y_pitch(self) -> int:
        """From one channel of y to the next."""
        return _odd(self.tile.rows * self.tile.columns)

    @cached_property
    def x_pitch(self) -> int:
        """From one channel of x to the next."""
        return _odd(self.patch_rows * self.row_pitch)

    @cached_property
    def piece_numbers(self) -> int:
        """Numbers of a buffer."""
        return self.block_outputs * self.y_pitch + self.block_inputs * self.x_pitch

    @cached_property
    def sums(self) -> int:
        """Of a thread."""
        return self.tile.outputs * self.tile.inputs * len(self.columns.reads)

    @cached_property
    def shared(self) -> int:
        """Bytes of a block: two buffers, and later half of its sums if threads share positions."""
        halves = self.tile.threads // 2 * self.sums if self.tile.parts > 1 else 0
        return self.item * max(2 * self.piece_numbers, halves)

    @cached_property
    def window_vectors(self) -> int:
        """Of one residue, what a thread reads of a channel of x in a step."""
        return whole(VECTOR + self.columns.reach) // VECTOR

    @cached_property
    def registers(self) -> int:
        """Of a thread, about."""
        windows = self.tile.inputs * self.window_vectors * len(self.columns.residues)
        return (self.sums + VECTOR * (windows + 2)) * self.item // 4 + SPARE

    @cached_property
    def resident(self) -> int:
        """Blocks of a multiprocessor; 0 where not even one fits."""
        device, warps = self.device, -(-self.tile.threads // WARP)
        by_shared = device.shared_per_multiprocessor // (self.shared + OF_A_BLOCK)
        blocks = min(by_shared, device.threads // (WARP * warps), MOST_RESIDENT)
        while blocks and self.registers > _registers(device, blocks * warps):
            blocks -= 1
        return blocks

    @cached_property
    def splits(self) -> int:
        """Blocks that share the batch for each tile: enough to fill the device in whole waves."""
        slots = self.device.multiprocessors * self.resident
        tiles = prod(self.tiles)
        most = max(1, ROOM_BYTES // (self.item * prod(self.form.weight_shape)))
        shares = BATCH * prod(self.pieces)
        enough = range(1, min(most, shares, -(-2 * slots // tiles)) + 1)
        waves = {n: -(-tiles * n // slots) for n in enough}
        return min(enough, key=lambda n: waves[n] * slots / (tiles * n) + n / 256)


def _registers(device: Device, warps: int) -> int:
    """Of a thread, where so many warps share a multiprocessor: its quarters have their own."""
    each = device.registers // QUARTERS // -(-warps // QUARTERS) // WARP
    return each // 8 * 8


def whole(numbers: int) -> int:
    """As many numbers in whole vectors."""
    return -(-numbers // VECTOR) * VECTOR


def _odd(numbers: int) -> int:
    """An odd number of vectors: neighbouring channels then lie in different banks."""
    return (whole(numbers) // VECTOR | 1) * VECTOR
