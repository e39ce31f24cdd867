"""The windows of all tiles in NumPy, and where the outputs of the tiles lie."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .axis_tiles import AxisTiles, Window
from .rounded import Arithmetic, Array, Rounded, Stage
from .schedule import Transform


def transformed(transform: Transform, x: Array, arithmetic: Arithmetic) -> Rounded:
    """V (row down, row across, depth, channel, tile down, tile across) of x (channel, *axes)."""
    exact = Rounded(x, np.zeros_like(x)).each(lambda a: a.swapaxes(2, 3))
    down = _along(transform.down, exact, arithmetic).each(lambda a: a.swapaxes(3, 4))
    v = _along(transform.across, down, arithmetic)
    return v.each(lambda a: a.transpose(1, 0, 3, 2, 4, 5))


def _along(tiles: AxisTiles, x: Rounded, arithmetic: Arithmetic) -> Rounded:
    """The input transform along the last axis: (..., n_in) -> (row, ..., tile)."""
    window, *others = tiles.windows
    starts = np.array([_start(tiles, t) for t in range(tiles.tiles)])
    found = _through(window, starts, x, arithmetic)
    for t, index in tiles.borders:
        border = _through(others[index - 1], np.zeros(1, int), x, arithmetic)
        found.value[..., t], found.error[..., t] = border.value[..., 0], border.error[..., 0]
    return found


def _start(tiles: AxisTiles, t: int) -> int:
    i, image = divmod(t, tiles.tile.images)
    return tiles.tile.input_step * (tiles.first + i) + tiles.tile.input_image * image


def _through(
    window: Window, starts: NDArray[np.int_], x: Rounded, arithmetic: Arithmetic
) -> Rounded:
    """Windows that begin at ``starts``; beyond the input there are zeros."""
    at = np.add.outer(starts, np.array(window.places, int))
    outside = (at < 0) | (at >= x.value.shape[-1])
    at = np.where(outside, 0, at)

    def windows(a: Array) -> Array:
        return np.ascontiguousarray(np.moveaxis(np.where(outside, 0, a[..., at]), -1, 0))

    return Stage.of(window.rows, arithmetic)(x.each(windows))


def put(transform: Transform, errors: Array, at: NDArray[np.intp], rows: slice, out: Array) -> None:
    """The errors (across, down, tile, channel) of tiles ``at``, among those of rows, into out."""
    down, across = transform.down, transform.across
    count, n = rows.stop - rows.start, across.tiles
    wide, high, _, channels = errors.shape
    whole = np.zeros((wide, high, count * n, channels))
    whole[:, :, at] = errors
    whole = whole.reshape(wide, high, count, n, channels).transpose(4, 2, 1, 3, 0)
    (ys, y_inside), (xs, x_inside) = (
        _places(down, range(rows.start, rows.stop)),
        _places(across, range(n)),
    )
    inside = whole.reshape(channels, count * high, n * wide)[:, y_inside][:, :, x_inside]
    out[:, ys[y_inside, None], xs[x_inside]] = inside


def _places(tiles: AxisTiles, chosen: range) -> tuple[NDArray[np.int_], NDArray[np.bool_]]:
    """Where the outputs of these tiles lie, and which of them do on the axis."""
    tile = tiles.tile
    starts = [
        tile.output_step * (tiles.first + t // tile.images) + tile.output_image * (t % tile.images)
        for t in chosen
    ]
    places = np.add.outer(starts, tile.outputs).ravel()
    return places, (places >= 0) & (places < tiles.n_out)
