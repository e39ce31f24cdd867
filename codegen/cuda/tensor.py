"""Tensor cores: forward and input gradient in float16 or bfloat16, with sums in float32.

A block multiplies fragments of mma.sync m16n8k16: rows are output channels, columns positions of
the output, and what is summed are pairs of input channels. The patch of x that a tile reads lies in
shared memory as words [pair of channels][position], so that each tap reads it shifted, whatever
its offset. The weight comes packed as threads hold it: [group][rows of a block][chunk of input
channels][tap][slice of 16 channels][16 rows][thread][8 numbers].
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod

from derive.core.form import TrilinearForm

from .border import OutputBox, border_of
from .columns import Patch, patch_of
from .patch import Span
from .readers import Readers, readers_of
from .windows import Window

WARP = 32
ROWS = 16  # of m16n8k16: output channels of a fragment,
DEPTH = 16  # and input channels that it sums
FRAGMENT = 512  # bytes of the weight of one fragment
WORD = 4

Use = tuple[int, int]  # (phase in the thread, tap among those used)


@dataclass(frozen=True)
class Tile:
    """How a function is cut: fragments of a warp, warps of a block, channels of a chunk.

    A chunk has ``slices`` of 16 channels, shared among ``deep`` warps; ``stages`` of them are
    held. The phases of the first ``spread`` axes are in blocks of their own. A thread holds
    2 * ``runs`` columns in a row.
    """

    widths: tuple[int, ...]
    samples: int
    rows: int
    columns: int
    down: int
    across: int
    deep: int
    slices: int
    stages: int
    spread: int = 0
    runs: int = 1

    @property
    def threads(self) -> int:
        """Of a block."""
        return WARP * self.down * self.across * self.deep

    @property
    def fragments(self) -> int:
        """Of 16 output channels in a block."""
        return self.rows * self.down

    @property
    def positions(self) -> int:
        """Columns of a block that stand for positions; more of them are thrown away."""
        return self.samples * prod(self.widths)

    @property
    def channels(self) -> int:
        """Input channels of a chunk."""
        return DEPTH * self.slices


@dataclass(frozen=True)
class Tensor:
    """The schedule of a folded form; see the module."""

    form: TrilinearForm
    windows: tuple[Window, ...]
    tile: Tile
    resident: int = 1  # blocks that a multiprocessor is to run at a time

    @cached_property
    def spans(self) -> tuple[Span, ...]:
        """The tile along each axis."""
        return tuple(
            Span(w, width) for w, width in zip(self.windows, self.tile.widths, strict=True)
        )

    @cached_property
    def patch(self) -> Patch:
        """Where the tile's x lies in shared memory."""
        tile = self.tile
        return patch_of(self.spans, tile.samples, tile.runs, tile.across * tile.columns)

    @cached_property
    def border(self) -> tuple[OutputBox, ...]:
        """What is left to the gather."""
        return border_of(self.windows)

    @property
    def chunks(self) -> int:
        """Of input channels."""
        return -(-self.form.channels_in // self.tile.channels)

    @property
    def row_blocks(self) -> int:
        """Blocks that share the output channels of a group."""
        return -(-self.form.channels_out // (ROWS * self.tile.fragments))

    @cached_property
    def phases(self) -> tuple[tuple[int, ...], ...]:
        """Those that a thread sums, on the axes that are not spread."""
        return tuple(product(*(range(len(w.phases)) for w in self.windows[self.tile.spread :])))

    @cached_property
    def parts(self) -> tuple[tuple[int, ...], ...]:
        """Those that are in blocks of their own, on the axes that are spread."""
        return tuple(product(*(range(len(w.phases)) for w in self.windows[: self.tile.spread])))

    @cached_property
    def taps(self) -> tuple[int, ...]:
        """Those in use, as places in the weight of a pair of channels."""
        sizes = self.form.weight_shape[2:]
        used = [sorted({t for r in window.phases for _, t in r}) for window in self.windows]
        return tuple(_place(taps, sizes) for taps in product(*used))

    def reads(self, part: tuple[int, ...]) -> list[tuple[int, list[Use]]]:
        """For each place of the patch that a part reads, the sums it goes to and their taps."""
        index = {tap: u for u, tap in enumerate(self.taps)}
        found: dict[int, list[Use]] = {}
        for p, phase in enumerate(self.phases):
            pairs = zip(self.windows, (*part, *phase), strict=True)
            for reads in product(*(window.phases[each] for window, each in pairs)):
                along = zip(self.spans, self.patch.strides, reads, strict=True)
                place = sum(stride * span.place(offset) for span, stride, (offset, _) in along)
                tap = _place([t for _, t in reads], self.form.weight_shape[2:])
                found.setdefault(place, []).append((p, index[tap]))
        return sorted(found.items())

    @property
    def patch_bytes(self) -> int:
        """Of a stage."""
        words = self.tile.channels // 2 * self.patch.pitch
        return -(-words * WORD // 16) * 16

    @property
    def weight_bytes(self) -> int:
        """Of a stage."""
        return len(self.taps) * self.tile.slices * self.tile.fragments * FRAGMENT

    @property
    def packed(self) -> int:
        """Numbers of the packed weight."""
        return self.form.groups * self.row_blocks * self.chunks * self.weight_bytes // 2

    @property
    def sums(self) -> int:
        """Of a thread."""
        return len(self.phases) * self.tile.rows * self.tile.columns * 4

    @property
    def shared_bytes(self) -> int:
        """Of a block: its stages, later the sums that warps exchange."""
        stages = self.tile.stages * (self.patch_bytes + self.weight_bytes)
        exchanged = self.tile.deep // 2 * self.tile.down * self.tile.across * WARP * self.sums * 4
        return max(stages, exchanged)

    @property
    def blocks(self) -> int:
        """Of a set of samples, without those of the border."""
        tiles = prod(span.tiles for span in self.spans)
        return self.form.groups * tiles * len(self.parts) * self.row_blocks

    @cached_property
    def readers(self) -> Readers:
        """How threads read a chunk of the patch."""
        positions = self.tile.samples * prod(span.positions for span in self.spans)
        return readers_of(positions, self.tile.channels // 2, self.tile.threads)

    @property
    def border_blocks(self) -> int:
        """Of a set of samples, an output a thread."""
        channels = self.form.groups * self.form.channels_out
        outputs = self.tile.samples * channels * sum(box.count for box in self.border)
        return -(-outputs // self.tile.threads)


def _place(taps: list[int] | tuple[int, ...], sizes: tuple[int, ...]) -> int:
    """Of a tap among all taps of a pair of channels."""
    place = 0
    for tap, size in zip(taps, sizes, strict=True):
        place = place * size + tap
    return place
