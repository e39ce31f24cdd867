"""Which outputs a block of a direct schedule computes, and what each of its threads does."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod

from .border import OutputBox, border_of
from .direct_thread import DirectThread
from .slides import Slide


@dataclass(frozen=True)
class DirectBlock:
    """``depth`` x ``height`` x ``width`` places of q of a group of phases, for some channels.

    It goes through the input channels ``chunk`` at a time. Where planes are small the depth counts
    samples. ``parts`` of the threads share the input channels of a chunk and add up what they have
    at the end.
    """

    thread: DirectThread
    groups: int
    inputs: int  # channels of a group
    channels: int  # output channels of a group
    batched: bool  # whether the depth of a tile counts samples
    depth: int
    height: int
    width: int
    channel_threads: int
    parts: int
    chunk: int
    lanes: int  # pixel threads side by side, then the next channel thread

    @property
    def slides(self) -> tuple[Slide, Slide, Slide]:
        """The axes."""
        return self.thread.slides

    @property
    def pixel_counts(self) -> tuple[int, int, int]:
        """Threads along z, y and x."""
        return self.depth, self.height // self.thread.rows, self.width // self.thread.columns

    @property
    def pixels(self) -> int:
        """Threads that share their output channels and input channels."""
        return prod(self.pixel_counts)

    @property
    def part_threads(self) -> int:
        """Threads of one part."""
        return self.pixels * self.channel_threads

    @property
    def threads(self) -> int:
        """Of a block."""
        return self.part_threads * self.parts

    @property
    def samples(self) -> int:
        """Samples of a block."""
        return self.depth if self.batched else 1

    @property
    def phase_groups(self) -> tuple[int, int, int]:
        """Along z, y and x."""
        z, y, x = (len(slide.bases) for slide in self.slides)
        return z, y, x

    @property
    def tiles(self) -> tuple[int, int, int]:
        """Blocks along z, y and x that hold all places of q."""
        z, y, x = (slide.window.count for slide in self.slides)
        return (
            -(-z // (1 if self.batched else self.depth)),
            -(-y // self.height),
            -(-x // self.width),
        )

    @property
    def channel_blocks(self) -> int:
        """Blocks that hold the output channels of a group."""
        return -(-self.channels // (self.thread.outputs * self.channel_threads))

    @property
    def tile_blocks(self) -> int:
        """Blocks of a set of samples, but for those of the border."""
        return self.groups * prod(self.phase_groups) * self.channel_blocks * prod(self.tiles)

    @cached_property
    def border(self) -> tuple[OutputBox, ...]:
        """Outputs of a channel that no tile holds."""
        return border_of([slide.window for slide in self.slides])

    @property
    def border_outputs(self) -> int:
        """Outputs of a sample that no tile holds."""
        return self.groups * self.channels * sum(box.count for box in self.border)

    @property
    def blocks(self) -> int:
        """Blocks of a set of samples."""
        return self.tile_blocks + -(-self.border_outputs // self.threads)
