"""The weight gradient of halves on tensor cores: y times x by fragments of m16n8k16.

Rows are channels of y, columns channels of x, one product for each tap, and what is summed are
pairs of neighbouring positions: both lie in shared memory as words of two. A tap an odd number of
positions away takes halves of two words. Warps share out channels, kernel rows and positions;
blocks the weight and the pieces of the batch, as those of ``weight_gradient`` do.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod

from derive.core.form import TrilinearForm

from .device import Device
from .pattern import Pattern
from .tensor import DEPTH, ROWS, WARP
from .tensor_cost import MULTIPLIED, SCHEDULERS, rate_of
from .weight_blocks import BATCH, OF_A_BLOCK, ROOM_BYTES, Side

COLUMNS = 8  # of a fragment
BARRIERS = 150  # cycles of a piece
COPY = 14  # instructions of a copied word
WORD = 4


@dataclass(frozen=True, slots=True)
class GradientTile:
    """Fragments of a warp, warps that share channels, kernel rows and positions, and a piece."""

    outputs: int
    inputs: int
    down: int
    across: int
    row_threads: int
    parts: int
    rows: int
    columns: int
    column_threads: int = 1

    @property
    def members(self) -> int:
        """Threads that share no position."""
        return WARP * self.down * self.across * self.row_threads

    @property
    def threads(self) -> int:
        """Of a block."""
        return self.members * self.parts

    @property
    def steps(self) -> int:
        """Sixteen positions each, of a piece."""
        return self.rows * self.columns // DEPTH


@dataclass(frozen=True)
class TensorGradient:
    """A weight gradient on tensor cores; patterns as in ``WeightGradient``."""

    side: Side
    planes: Pattern
    rows: Pattern
    columns: Pattern
    tile: GradientTile
    device: Device

    @property
    def form(self) -> TrilinearForm:
        """Whose y and x are multiplied."""
        return self.side.form

    @property
    def block_outputs(self) -> int:
        """Channels of y."""
        return ROWS * self.tile.outputs * self.tile.down

    @property
    def block_inputs(self) -> int:
        """Channels of x."""
        return COLUMNS * self.tile.inputs * self.tile.across

    @cached_property
    def tiles(self) -> tuple[int, ...]:
        """Of the weight: columns, rows and planes of the kernel, inputs, outputs, groups."""
        return (
            len(self.columns.bases),
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
        """Words of one residue in such a row; a tap an odd way off needs the word that follows."""
        return (self.tile.columns + self.columns.reach + 2) // 2

    @cached_property
    def row_pitch(self) -> int:
        """Words of such a row."""
        return self.residue_pitch * len(self.columns.residues)

    @cached_property
    def x_pitch(self) -> int:
        """Words from one channel of x to the next."""
        return _apart(self.patch_rows * self.row_pitch)

    @cached_property
    def y_pitch(self) -> int:
        """Words from one channel of y to the next."""
        return _apart(self.tile.rows * self.tile.columns // 2)

    @cached_property
    def piece_words(self) -> int:
        """Of a buffer."""
        return self.block_outputs * self.y_pitch + self.block_inputs * self.x_pitch

    @cached_property
    def words(self) -> tuple[tuple[int, int], ...]:
        """The words of a row of x that the taps of a step need: (rank, distance)."""
        needed = set()
        for rank, shift in self.columns.reads:
            needed |= {(rank, shift // 2), (rank, (shift + 1) // 2)}
        return tuple(sorted(needed))

    @cached_property
    def sums(self) -> int:
        """Of a thread."""
        return 4 * self.tile.outputs * self.tile.inputs * len(self.columns.reads)

    @cached_property
    def shared(self) -> int:
        """Bytes of a block: two buffers, and later half of its sums if warps share positions."""
        halves = self.tile.threads // 2 * self.sums if self.tile.parts > 1 else 0
        return WORD * max(2 * self.piece_words, halves)

    @cached_property
    def resident(self) -> int:
        """Blocks of a multiprocessor; 0 where not even one fits."""
        device = self.device
        registers = self.sums + 4 * self.tile.outputs + 2 * len(self.words) + 48
        copied = max(self.row_pitch, self.tile.columns // 2)  # words side by side
        if self.shared > device.shared_bytes or copied > self.tile.threads:
            return 0
        return min(
            device.registers // (self.tile.threads * -(-registers // 8) * 8),
            device.shared_per_multiprocessor // (self.shared + OF_A_BLOCK),
            device.threads // self.tile.threads,
        )

    @cached_property
    def splits(self) -> int:
        """Blocks that share the pieces of the batch: enough for the device, if sums have room."""
        slots = self.device.multiprocessors * self.resident
        most = max(1, ROOM_BYTES // (WORD * prod(self.form.weight_shape)))
        return max(1, min(most, prod(self.pieces) * BATCH, -(-slots // prod(self.tiles))))

    @property
    def cycles(self) -> float:
        """Estimated, of one sample in a large batch."""
        tile = self.tile
        warps = tile.members // WARP
        taps = len(self.columns.reads)
        multiplied = tile.steps * warps * taps * tile.outputs * tile.inputs
        loads = tile.steps * warps * (4 * tile.outputs + 2 * tile.inputs * len(self.words))
        staged = self.block_outputs * tile.rows * tile.columns // 2
        staged += self.block_inputs * self.patch_rows * self.row_pitch
        tensor = multiplied * MULTIPLIED / rate_of(self.device)
        issued = (multiplied + 2 * loads + COPY * staged / WARP) / SCHEDULERS
        piece = max(tensor, loads + 3 * staged / WARP, issued) + BARRIERS / self.resident
        return piece * prod(self.pieces) * prod(self.tiles) / self.device.multiprocessors


def _apart(words: int) -> int:
    """At least so many, 4 more than a multiple of 8: eight channels are then in different banks."""
    return words + (4 - words) % 8
