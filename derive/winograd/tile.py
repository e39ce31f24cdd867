"""A tile: some outputs of an axis that one bilinear algorithm computes from a window of inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd

from derive.arguments import refuse
from derive.core.axis import Axis, disjoint
from derive.core.polyphase import Strand

from .bilinear import BilinearAlgorithm
from .interior import Interior
from .rational import ONE, Matrix, placed


@dataclass(frozen=True)
class Tile:
    """``algorithm`` takes x at ``inputs`` to y at ``outputs``; the other tiles are shifts of it.

    Tile i of image b, b < images, writes output_step*i + output_image*b + outputs and reads
    input_step*i + input_image*b + inputs. Beyond the input it reads zeros, which is right for
    outputs that are not ``unlike`` the interior.

    >>> from derive.core.rules import ConvolutionRule
    >>> from derive.winograd import fast_axis
    >>> tile = fast_axis(ConvolutionRule(kernel=3, before=1, after=1), 4)
    >>> tile.outputs, tile.inputs, tile.output_step, tile.products
    ((0, 1, 2, 3), (-1, 0, 1, 2, 3, 4), 4, 6)
    """

    algorithm: BilinearAlgorithm
    interior: Interior
    outputs: tuple[int, ...]
    inputs: tuple[int, ...]
    output_step: int
    input_step: int
    images: int
    output_image: int
    input_image: int

    @property
    def products(self) -> int:
        return self.algorithm.products

    @property
    def origin(self) -> int:
        """The first input of tile 0, of any sign."""
        return self.inputs[0]

    @property
    def spacing(self) -> int:
        """From one input of the window to the next."""
        return self.inputs[1] - self.inputs[0] if len(self.inputs) > 1 else 1

    @property
    def overlaps(self) -> bool:
        """Whether an output belongs to several tiles, whose contributions are to be added up."""
        places = [
            (y + self.output_image * b) % self.output_step
            for y in self.outputs
            for b in range(self.images)
        ]
        return len(set(places)) < len(places)

    def adjoint(self) -> Tile:
        """The tile of the adjoint axis: it spreads its window, and neighbours add up."""
        return Tile(
            self.algorithm.transposed("input"),
            self.interior,
            self.inputs,
            self.outputs,
            self.input_step,
            self.output_step,
            self.images,
            self.input_image,
            self.output_image,
        )

    def unlike(self, axis: Axis) -> tuple[int, ...]:
        """The outputs of the axis for which reading zeros beyond it is wrong, sorted.

        None with zero padding. With other pad maps and clamped resizes the rows that those
        changed: see ``derive.winograd.borders``. GeometryError for an axis of other steps.

        >>> from derive.core.rules import ConvolutionRule
        >>> from derive.winograd import fast_axis
        >>> reflect = ConvolutionRule(kernel=3, before=1, after=1, mode="reflect")
        >>> fast_axis(reflect, 2).unlike(reflect.at(9))
        (0, 8)
        """
        own, steps = (self.interior.step, self.interior.advance), (axis.step, axis.advance)
        if own != steps:
            refuse("(axis.step, axis.advance)", steps, f"those of this tile, {own}")
        extended = self.interior.within(axis)
        opposite = (Strand(s.y, s.tap, s.x, s.count, -s.coefficient) for s in extended.strands)
        differences = disjoint((*axis.strands, *opposite), axis.step, axis.advance)
        return tuple(sorted({s.y + axis.step * q for s in differences for q in range(s.count)}))


def window(reads: Sequence[int], step: int) -> tuple[int, ...]:
    """The positions from the first to the last read, at the widest spacing that meets all.

    >>> window([5, 1, 3], 4)
    (1, 3, 5)
    """
    if not reads:
        return (0,)
    spacing = gcd(step, *(x - min(reads) for x in reads))
    return tuple(range(min(reads), max(reads) + 1, spacing))


def selection(chosen: Sequence[int], among: Sequence[int]) -> Matrix:
    """The 0/1 matrix that picks the positions ``chosen``."""
    return placed([{x: ONE} for x in chosen], among)
