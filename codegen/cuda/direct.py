"""The direct schedule: tiles of x and of the weight in shared memory, outputs in registers.

The next chunk of input channels is on its way while a block computes with one. A tile holds, for
each input channel, rows of x with the residues of the advance one after the other, so that
neighbouring threads read neighbouring numbers whatever the stride; the weight lies as threads read
it. Both are numbers that sums are made in.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from math import gcd, prod

from . import bank_conflicts
from .banks import BANKS
from .direct_block import DirectBlock

STAGES = 2  # chunks in shared memory: one in use, one on its way
WORD = 4  # bytes


@dataclass(frozen=True)
class Direct(DirectBlock):
    """The schedule of a forward or input gradient; see the module."""

    @cached_property
    def positions(self) -> tuple[int, int, int]:
        """Places of x in a tile along z, y and x; a row holds all that vectors read."""
        z, y, x = self.slides
        depth = self.depth if self.batched else z.positions(self.depth)
        width = x.positions(self.width)
        if self.thread.vector > 1:
            width = max(width, x.advance * self._columns)
        return depth, y.positions(self.height), width

    @property
    def _columns(self) -> int:
        """Numbers of a residue of a row up to the last one that a thread reads."""
        thread = self.thread
        return (self.pixel_counts[2] - 1) * thread.columns + thread.window

    @property
    def residue(self) -> int:
        """Numbers of a row in each residue of the advance, a whole number of vectors."""
        least = max(self._columns, -(-self.positions[2] // self.slides[2].advance))
        step = self.thread.weight_vector
        return -(-least // step) * step

    @cached_property
    def pitch(self) -> int:
        """Numbers from one row to the next, so that reads meet few bank conflicts."""
        least = self.slides[2].advance * self.residue
        step = self.thread.weight_vector
        several = self.pixel_counts[2] < bank_conflicts.LANES
        paddings = range(0, BANKS // self.thread.words, step) if several else (0,)
        return least + min(paddings, key=lambda padding: self.window_cycles(least + padding))

    def window_cycles(self, pitch: int) -> int:
        """Cycles of shared memory for one vector of columns of a warp."""
        thread = self.thread
        y, z = thread.rows * self.slides[1].advance * pitch, self.positions[1] * pitch
        if not self.batched:
            z *= self.slides[0].advance
        return bank_conflicts.of_pixels(
            self._warp[0],
            self.pixel_counts[1:],
            (z * thread.words, y * thread.words, thread.columns * thread.words),
            thread.vector * thread.words,
        )

    @property
    def weight_cycles(self) -> int:
        """Cycles of shared memory for one vector of weights of a warp."""
        words = self.thread.words
        places = tuple(each * self.weights * words for each in self._warp[1])
        return bank_conflicts.cycles(places, self.thread.weight_vector * words)

    @cached_property
    def _warp(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The pixels and the channel threads of the lanes of the first warp."""
        beside = self.channel_threads if self.lanes < bank_conflicts.LANES else 1
        return _lanes(self.lanes, beside, min(bank_conflicts.LANES, self.part_threads))

    @property
    def tile(self) -> int:
        """Numbers of x of one input channel."""
        return self.positions[0] * self.positions[1] * self.pitch

    @cached_property
    def weights(self) -> int:
        """Numbers of the weight of one input channel for one thread, an odd count of vectors."""
        vector = self.thread.weight_vector
        vectors = max(1, self.thread.weight_reads)
        if self.channel_threads > 1 and self.lanes < bank_conflicts.LANES:
            vectors |= 1
        return vectors * vector

    @property
    def packed(self) -> int:
        """Numbers of the weight of one input channel for a block."""
        return self.weights * self.channel_threads

    @property
    def packed_numbers(self) -> int:
        """Numbers of the whole packed weight."""
        blocks = self.groups * prod(self.phase_groups) * self.channel_blocks
        return blocks * self.inputs * self.packed

    @property
    def chunks(self) -> int:
        """Steps through the input channels."""
        return -(-self.inputs // self.chunk)

    @property
    def stages(self) -> int:
        """Chunks in shared memory at a time."""
        return min(STAGES, self.chunks)

    @property
    def shared(self) -> int:
        """Bytes of shared memory."""
        copied = self.stages * self.chunk * (self.tile + self.packed)
        added = self.parts // 2 * self.part_threads * self.thread.sums
        return WORD * self.thread.words * max(copied, added)

    @property
    def tile_positions(self) -> int:
        """Places of x of one input channel."""
        return prod(self.positions)

    @cached_property
    def copy_channels(self) -> int:
        """Input channels that the threads copy side by side."""
        side = gcd(self.chunk, self.threads)
        side &= -side
        while side > 1 and self.threads // side < self.tile_positions:
            side //= 2
        return side

    @property
    def copies(self) -> int:
        """Places of x of one input channel that a thread copies."""
        return -(-self.tile_positions // (self.threads // self.copy_channels))

    @property
    def registers(self) -> int:
        """About how many a thread takes."""
        return self.thread.registers + 3 * self.copies


@cache
def _lanes(pixels: int, channels: int, count: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Of so many lanes the pixel and the channel thread, ``pixels`` of them side by side."""
    return (
        tuple(at // (pixels * channels) * pixels + at % pixels for at in range(count)),
        tuple(at // pixels % channels for at in range(count)),
    )
