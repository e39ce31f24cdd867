"""The tiles of one fast algorithm along an axis of fixed size, its borders solved for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, cached_property

from derive.core.axis import Axis
from derive.errors import GeometryError
from derive.winograd import Tile, borders, fast_axis, growth, summed
from derive.winograd.rational import Matrix

from .linear import operations

GROWTH = 32  # at most, of an axis: between F(6, 3) and the next larger


@dataclass(frozen=True)
class Window:
    """What tiles read: inputs at ``places`` from their base on, and their input transform."""

    places: tuple[int, ...]
    rows: Matrix


@dataclass(frozen=True)
class AxisTiles:
    """Tile t = images*i + b of image b writes from output_step*(first + i) + output_image*b on.

    ``windows[0]`` is that of all tiles but those of ``borders``, (tile, window): there ``places``
    count from the start of the axis. ``row_of`` is the row of the input transform that each
    product takes.
    """

    tile: Tile
    n_in: int
    n_out: int
    first: int
    count: int
    windows: tuple[Window, ...]
    borders: tuple[tuple[int, int], ...]
    row_of: tuple[int, ...]

    @property
    def tiles(self) -> int:
        return self.count * self.tile.images

    @property
    def rows(self) -> int:
        """Numbers that the input transform makes of a window."""
        return len(self.windows[0].rows)

    @cached_property
    def operations(self) -> tuple[int, int, int]:
        """Of the transforms of a window, of the outputs and of the taps."""
        algorithm = self.tile.algorithm
        return operations(self.windows[0].rows), operations(algorithm.AT), operations(algorithm.G)

    @property
    def span(self) -> int:
        """Inputs from the first to the last that the images of one i read."""
        tile = self.tile
        return max(tile.inputs) - min(tile.inputs) + 1 + tile.input_image * (tile.images - 1)

    def near(self, count: int) -> bool:
        """Whether border tiles read inside the window of any ``count`` neighbours they are in."""
        tile = self.tile
        for t, index in self.borders:
            i = self.first + t // tile.images
            low = tile.input_step * i + min(tile.inputs)
            places = self.windows[index].places
            if places and (min(places) < low or max(places) >= low + self.span):
                return count >= self.count and self.inside(places)
        return True

    def inside(self, places: tuple[int, ...]) -> bool:
        """Whether the window of all tiles holds these places."""
        low = self.tile.input_step * self.first + min(self.tile.inputs)
        return low <= min(places) and max(places) < low + self.reach(self.count)

    def reach(self, count: int) -> int:
        """Inputs from the first to the last that ``count`` neighbours, all images of each, read."""
        return self.tile.input_step * (count - 1) + self.span


@cache
def axis_tiles(axis: Axis, m: int | None) -> AxisTiles | None:
    """Tiles of m outputs, or of one of each phase (None); None where the engine has none.

    There is none where nothing is read, where the algorithm grows errors too much, where a border
    has outputs that only a direct sum computes, or where the images of a tile leave gaps.

    >>> from derive.core.rules import ConvolutionRule
    >>> found = axis_tiles(ConvolutionRule(kernel=3, before=1, after=1).at(14), 6)
    >>> found.first, found.count, found.rows, found.borders
    (0, 3, 8, ())
    """
    try:
        tile = _in_order(summed(axis)) if m is None else fast_axis(axis, m)
        if not tile.products or growth(tile.algorithm) > GROWTH or not _without_gaps(tile):
            return None
        tile = _begun(tile, axis.n_out)
        solved = borders(tile, axis)
    except GeometryError:
        return None
    if solved.direct:
        return None
    first, last = _range(tile, axis.n_out)
    rows = tile.algorithm.input_rows
    place = {row: r for r, row in enumerate(rows)}
    row_of = tuple(place[row] for row in tile.algorithm.BT)
    windows, at = [Window(tile.inputs, rows)], []
    for border in solved.tiles:
        chosen: dict[int, tuple[object, ...]] = {}
        for r, row in zip(row_of, border.BT, strict=True):
            if chosen.setdefault(r, row) != row:
                return None  # products that share a row inside take different ones here
        i, image = _index(tile, border.shift)
        at.append(((i - first) * tile.images + image, len(windows)))
        windows.append(Window(border.inputs, tuple(chosen[r] for r in range(len(rows)))))  # type: ignore[misc]
    return AxisTiles(
        tile, axis.n_in, axis.n_out, first, last - first + 1, tuple(windows), tuple(at), row_of
    )


def _in_order(tile: Tile) -> Tile:
    """The products in the order of the inputs that they read."""
    a = tile.algorithm
    order = sorted(range(a.products), key=lambda p: [not value for value in a.BT[p]])
    G, BT = (tuple(rows[p] for p in order) for rows in (a.G, a.BT))
    AT = tuple(tuple(row[p] for p in order) for row in a.AT)
    return replace(tile, algorithm=replace(a, AT=AT, G=G, BT=BT))


def _range(tile: Tile, n_out: int) -> tuple[int, int]:
    """The first and the last i whose tiles have outputs on the axis."""
    high = max(tile.outputs) + tile.output_image * (tile.images - 1)
    return -(high // tile.output_step), (n_out - 1 - min(tile.outputs)) // tile.output_step


def _begun(tile: Tile, n_out: int) -> Tile:
    """The tile moved by whole periods of the axis, so that the fewest of its kind are needed."""
    step, advance = tile.interior.step, tile.interior.advance

    def moved(k: int) -> Tile:
        outputs = tuple(y - step * k for y in tile.outputs)
        return replace(tile, outputs=outputs, inputs=tuple(x - advance * k for x in tile.inputs))

    def needed(each: Tile) -> int:
        first, last = _range(each, n_out)
        return last - first

    if tile.images > 1:
        return tile
    return min(map(moved, range(tile.output_step // step)), key=needed)


def _without_gaps(tile: Tile) -> bool:
    places = sorted(y + tile.output_image * b for y in tile.outputs for b in range(tile.images))
    return places == list(range(places[0], places[0] + tile.output_step))


def _index(tile: Tile, shift: int) -> tuple[int, int]:
    """(i, image) of the tile that writes shift + outputs."""
    for image in range(tile.images):
        i, rest = divmod(shift - tile.output_image * image, tile.output_step)
        if not rest:
            return i, image
    raise AssertionError(f"no tile is shifted by {shift}")
