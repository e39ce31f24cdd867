"""About how long a tensor-core schedule takes: cycles, counted from what its tile must do."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod

from derive.core.form import TrilinearForm

from .device import Device
from .readers import Readers, readers_of
from .tensor import FRAGMENT, ROWS, WARP, Tile
from .windows import Window

# multiply-adds of halves with sums in float32, of a multiprocessor in a cycle, by mma.sync: from
# NVIDIA's white papers; consumer parts add in float32 at half the rate
RATES = {80: 1024, 86: 512, 89: 512, 90: 1024, 100: 1024, 120: 512}
MULTIPLIED = 16 * 8 * 16  # by an instruction
L2_BYTES = 48  # that a multiprocessor gets in a cycle
WAITING = 600  # cycles until the first chunk, or one that is not read ahead, arrives
STARTING = 1200  # of a block before and after its chunks
BARRIER = 60
HELD = 32  # words of the patch that a thread reads ahead, at most
MOST_SUMS = 128  # of a thread
REGISTERS = 216  # of a thread, at most
OTHERS = 32
SPARE = 40  # registers that the compiler may want besides
RESERVED = 1024  # bytes of shared memory of each block
SPARED = 8192  # bytes of shared memory, for rows and pairs that lie apart against conflicts
SCHEDULERS = 4  # of a multiprocessor


@dataclass(frozen=True, slots=True)
class Counts:
    """What all tiles of a form share: axes by axes, sums and places that phases make."""

    phases: int
    parts: int
    uses: int  # pairs of a phase and a tap in a part
    places: int  # offsets of a part
    taps: int


def counts_of(windows: tuple[Window, ...], spread: int) -> Counts:
    """With the phases of the first axes in blocks of their own."""
    apart, together = windows[:spread], windows[spread:]
    longest = prod(max(len(reads) for reads in w.phases) for w in apart)
    offsets = (len({offset for reads in w.phases for offset, _ in reads}) for w in together)
    used = (len({t for reads in w.phases for _, t in reads}) for w in windows)
    return Counts(
        prod(len(w.phases) for w in together),
        prod(len(w.phases) for w in apart),
        longest * prod(sum(len(reads) for reads in w.phases) for w in together),
        longest * prod(offsets),
        prod(used),
    )


def rate_of(device: Device) -> int:
    """Multiply-adds of a multiprocessor in a cycle."""
    return RATES[max(each for each in RATES if each <= device.capability)]


def registers(tile: Tile, phases: int, read: Readers) -> int:
    """Of a thread, about: sums, fragments, halves read ahead, places, and the rest."""
    sums = phases * tile.rows * tile.columns * 4
    return sums + 4 * tile.rows + 3 * tile.columns + 2 * read.words + 2 * read.slots + OTHERS


def resident_blocks(tile: Tile, taken: int, shared: int, device: Device) -> int:
    """How many a multiprocessor runs at a time, of so many registers and bytes."""
    if taken > REGISTERS:
        return 0
    return min(
        device.registers // (tile.threads * -(-taken // 8) * 8),
        device.shared_per_multiprocessor // (shared + RESERVED),
        device.threads // tile.threads,
    )


@dataclass(frozen=True)
class Cost:
    """Counts cycles of the tiles of a form on a device, for so many samples."""

    form: TrilinearForm
    device: Device
    batch: int

    @cached_property
    def rate(self) -> int:
        """That of the device."""
        return rate_of(self.device)

    def cycles(self, counts: Counts, tiles: int, positions: int, tile: Tile) -> float | None:
        """Of a launch, ``tiles`` a set of samples; None where the device has no room.

        ``positions`` counts those of the patch of a tile, all its samples together.
        """
        device = self.device
        weights = counts.taps * tile.slices * tile.fragments * FRAGMENT
        shared = tile.stages * (weights + 2 * tile.channels * positions)
        if shared > device.shared_bytes - SPARED:
            return None
        read = readers_of(positions, tile.channels // 2, tile.threads)
        if read.words > HELD:
            return None
        taken = registers(tile, counts.phases, read)
        resident = resident_blocks(tile, taken, shared, device)
        if not resident:
            return None
        block, latency = self._block(counts, positions, tile, weights)
        row_blocks = -(-self.form.channels_out // (ROWS * tile.fragments))
        sets = -(-self.batch // tile.samples)
        blocks = tiles * counts.parts * row_blocks * self.form.groups * sets
        whole = device.multiprocessors * resident
        waves, rest = divmod(blocks, whole)
        total = waves * max(resident * block, latency)
        if rest:
            total += max(-(-rest // device.multiprocessors) * block, latency)
        return total

    def _block(
        self, counts: Counts, positions: int, tile: Tile, weights: int
    ) -> tuple[float, float]:
        """Of a block among others, where what is scarcest counts, and of one alone."""
        warps = tile.down * tile.across
        per_slice = counts.uses * tile.rows * tile.columns
        multiplied = per_slice * warps * tile.slices
        columns = counts.places * tile.columns * 2 * warps * tile.slices
        fragments = counts.uses * tile.rows * warps * tile.slices
        words = positions * tile.channels / 2 / WARP
        tensor = multiplied * MULTIPLIED / self.rate
        memory = columns + 4 * fragments + 3 * words + weights / 128
        issued = (multiplied + columns + fragments + 7 * words + weights / 128) / SCHEDULERS
        bytes_read = 2 * positions * tile.channels + weights
        chunk = max(tensor, memory, issued, bytes_read / L2_BYTES) + BARRIER
        stored = counts.phases * ROWS * tile.fragments * 8 * tile.columns * tile.across / 16
        chunks = -(-self.form.channels_in // tile.channels)
        alone = per_slice * tile.slices / tile.deep * MULTIPLIED / (self.rate / SCHEDULERS)
        alone = max(alone, chunk)
        waited = max(alone, WAITING) if tile.stages > 1 else alone + WAITING
        return chunks * chunk + STARTING + stored, STARTING + chunks * waited + stored
