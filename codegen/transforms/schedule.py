"""The transform schedule as data: which tiles, in what blocks, and how long each array is.

    V = BT x   in lanes of input channels      [row of BT][tile][depth, channel]
    M = U V    a product of matrices for each product of the algorithm, U = G w packed
    y = AT M   in lanes of output channels

A form has up to three axes: ``depth`` is summed within the product, ``down`` and ``across`` are
transformed; an axis that the form lacks is one position, which its tile leaves as it is. A block
is some rows of tiles, or a chunk of one, for which V and M stay in the cache while U streams by.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import prod

from codegen._runtime.machine import Machine
from derive.core.form import TrilinearForm
from derive.core.rules import ConvolutionRule

from .axis_tiles import AxisTiles, axis_tiles

SPARE_REGISTERS = 4  # the weights of a step, and a factor
MOST_VECTORS = 4  # of output channels side by side


@dataclass(frozen=True)
class Transform:
    """The tiles of each axis and the blocks that they are computed in.

    A product of matrices takes ``group`` tiles by ``vectors`` vectors of output channels in
    registers. A block has ``rows`` rows of tiles, counted over samples, or ``chunk`` neighbours,
    all images of each, of one row.
    """

    form: TrilinearForm
    depth: AxisTiles
    down: AxisTiles
    across: AxisTiles
    lanes: int
    vectors: int
    group: int
    rows: int
    chunk: int
    strip: int

    @property
    def axes(self) -> tuple[AxisTiles, AxisTiles, AxisTiles]:
        return self.depth, self.down, self.across

    @property
    def chunks(self) -> int:
        return -(-self.across.count // self.chunk)

    @property
    def row_tiles(self) -> int:
        """Tiles of a row of a block."""
        return self.chunk * self.across.tile.images

    @property
    def tiles(self) -> int:
        """Tiles of a block."""
        return self.rows * self.row_tiles

    @property
    def turns_down(self) -> bool:
        """Whether the transforms of the axis down do anything."""
        one = ((Fraction(1),),)
        down = self.down
        return len(down.windows) > 1 or down.windows[0].rows != one or one != down.tile.algorithm.AT

    @property
    def products(self) -> int:
        """Of a tile, without the summed axis."""
        return self.down.tile.products * self.across.tile.products

    @property
    def input_rows(self) -> int:
        return self.down.rows * self.across.rows

    @property
    def planes(self) -> int:
        """Inputs of the summed axis that a strip of outputs reads."""
        return (self.strip - 1) * self.depth.tile.input_step + self.depth.tile.products

    @property
    def terms(self) -> int:
        """Terms of the sum between the transforms."""
        return self.depth.tile.products * self.form.channels_in

    @property
    def groups_in(self) -> int:
        """Vectors of (plane, input channel) pairs."""
        return -(-self.planes * self.form.channels_in // self.lanes)

    @property
    def padded(self) -> int:
        """Numbers of a tile in V."""
        return self.groups_in * self.lanes

    @property
    def blocks_out(self) -> int:
        """Blocks of output channels."""
        return -(-self.form.channels_out // (self.lanes * self.vectors))

    @property
    def width(self) -> int:
        """Input columns that a chunk reads."""
        return self.across.reach(self.chunk)

    @property
    def window(self) -> int:
        """Input rows that a row of tiles reads, at most."""
        return max(len(window.places) for window in self.down.windows)

    @property
    def packed(self) -> int:
        """Numbers of the transformed weight."""
        block = self.products * self.terms * self.vectors * self.lanes
        return self.form.groups * self.blocks_out * block

    @cached_property
    def arrays(self) -> dict[str, int]:
        """Vectors of each array of a thread's scratch."""
        across, down = self.across.tile, self.down.tile
        columns = min(across.output_step * self.chunk, self.across.n_out)
        return {
            "v": self.input_rows * self.tiles * self.groups_in,
            "m": self.vectors * self.tiles * self.products,
            "x": self.window * self.width,
            "mixed": self.down.rows * self.width,
            "out": 2 * len(down.outputs) * columns + self.lanes,
            "zeros": -(-self.across.n_in // self.lanes),
        }

    @property
    def scratch(self) -> int:
        """Numbers of scratch for each thread."""
        return sum(self.arrays.values()) * self.lanes


def split_axes(
    form: TrilinearForm, counts: tuple[int | None, ...]
) -> tuple[AxisTiles, AxisTiles, AxisTiles] | None:
    """Depth, down and across of a form, ``counts`` outputs a tile along each of its axes.

    None stands for a summed axis, of which there is at most one, the first. None is returned where
    the engine has no such tiles.
    """
    tiles = [axis_tiles(axis, m) for axis, m in zip(form.axes, counts, strict=True)]
    if any(each is None for each in tiles) or None in counts[1:]:
        return None
    found = [each for each in tiles if each is not None]
    alone = axis_tiles(ConvolutionRule(kernel=1).at(1), None)
    assert alone is not None
    depth = found.pop(0) if counts[0] is None else alone
    if len(found) > 2 or not found or not _summable(depth):
        return None
    *rest, across = found
    return depth, rest[0] if rest else alone, across


def _summable(depth: AxisTiles) -> bool:
    """Whether neighbouring inputs meet the products in order, one output at a time."""
    algorithm = depth.tile.algorithm
    n = algorithm.products
    if algorithm.n_in != n or depth.tile.output_step != 1 or depth.borders:
        return False
    unit = all(row[p] == 1 and sum(map(abs, row)) == 1 for p, row in enumerate(algorithm.BT))
    ordered = depth.tile.inputs == tuple(range(depth.tile.inputs[0], depth.tile.inputs[0] + n))
    return unit and ordered


def transform_of(
    form: TrilinearForm,
    axes: tuple[AxisTiles, AxisTiles, AxisTiles],
    machine: Machine,
    item: int,
    share: int,
    strip: int,
) -> Transform:
    """The blocks of these tiles; V and M of one take a ``share``-th of the cache of a core.

    ``strip`` outputs of a summed axis share the transforms of their inputs.
    """
    depth, down, across = axes
    lanes = machine.vector_bytes // item
    needed = -(-form.channels_out // lanes)
    vectors = min(
        range(1, min(needed, MOST_VECTORS) + 1),
        key=lambda each: (-(-needed // each) * each, each != 2, each),
    )
    strip = min(strip, depth.n_out) if depth.tile.products > 1 else 1
    planes = (strip - 1) * depth.tile.input_step + depth.tile.products
    numbers = down.rows * across.rows * -(-planes * form.channels_in // lanes)
    numbers += vectors * down.tile.products * across.tile.products
    most = max(1, machine.l2 // share // (numbers * machine.vector_bytes))
    images = across.tile.images
    chunks = -(-across.count * images // max(most, machine.registers // 2))
    chunk = -(-across.count // chunks)
    if not across.near(chunk):
        chunk = across.count
    rows = max(1, most // (chunk * images)) if chunk == across.count else 1
    rows = -(-down.tiles // -(-down.tiles // rows))
    tiles = rows * chunk * images
    registers = machine.registers - SPARE_REGISTERS
    groups = -(-tiles // max(1, registers // vectors))
    return Transform(
        form, depth, down, across, lanes, vectors, -(-tiles // groups), rows, chunk, strip
    )


def outputs(transform: Transform) -> int:
    """Output positions of a channel."""
    return prod(transform.form.output_shape[1:])
