"""The acceptance test of a fast function: tiles of each kind hold integers, all others zeros.

The kinds are the first, a middle and the last tile of each axis, and those with a window of their
own at a border. Each of their inputs is told, in channels between the first and the last, so that
every coefficient of a transform meets numbers. Where no tile is touched nothing may round. A sample
of zeros comes first.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from derive import Operator
from derive.apply import by_strands
from derive.core.form import TrilinearForm
from derive.weights import by_channel

from ._runtime import Kernel
from ._runtime.trial import numbers
from .exactness import Array, integral
from .rounding import gamma, rounded_up
from .transforms.axis_tiles import AxisTiles
from .transforms.schedule import Transform

LARGEST = 4
CHANNELS = 8  # of a group, that hold numbers
MACS = 1 << 26  # in which the answer is found with fewer of them, at least two


def right_on_tiles(kernel: Kernel, op: Operator, direction: str, transform: Transform) -> bool:
    """Whether one function of a kernel is right on its tiles, within its bound.

    >>> from codegen import build
    >>> from codegen._runtime.compiler import find_compiler
    >>> from codegen.targets.c import emit
    >>> from derive import Conv2d
    >>> op = Conv2d(64, 64, 3, padding=1, input_size=48)
    >>> kernel = build(op, algorithm="fast")
    >>> tiles = emit(op, "k", find_compiler().machine, "float32", "fast").fast["forward"]
    >>> right_on_tiles(kernel, op, "forward", tiles)
    True
    """
    form, dtype = transform.form, kernel.dtypes[0]
    weight = numbers(form.weight_shape, 3, LARGEST).astype(np.float64)
    channels = _spread(form)
    x = np.zeros((form.groups, form.channels_in, *(each.n_in for each in transform.axes)))
    told = np.ix_(range(form.groups), channels, *map(_told, transform.axes))
    x[told] = numbers(x[told].shape, 5, LARGEST)
    exact, own = _answer(op, form, weight, x, channels)
    inputs = [_after_zeros(x.reshape(1, *form.input_shape)).astype(dtype), weight.astype(dtype)]
    if direction == "forward" and op.bias_shape:
        bias = numbers(op.bias_shape, 4, LARGEST)
        exact = exact + bias.reshape(-1, *(1 for _ in form.axes))
        inputs.append(bias.astype(dtype))
    out = np.full(exact.shape, np.nan, dtype)  # what is not written shows
    got = getattr(kernel, direction)(*inputs, out=out)
    allowed = kernel.error_bound(*inputs, direction=direction) + own
    return bool(np.all(abs(got - exact) <= allowed))  # NaN is not


def _answer(
    op: Operator, form: TrilinearForm, weight: Array, x: Array, channels: list[int]
) -> tuple[Array, Array | float]:
    """What the function gives for x, zero but in these channels, and how far that may be off."""
    few = replace(form, channels_in=len(channels))
    grouped = by_channel(form, weight)[:, :, channels]
    turned = grouped if form.output_leads else grouped.swapaxes(1, 2)
    w = turned.reshape(few.weight_shape)
    given = x[:, channels].reshape(1, *few.input_shape)
    exact = _after_zeros(by_strands(few, w)(given))
    if integral(op):
        return exact, 0.0
    passed = len(channels) * prod(axis.n_tap * axis.n_in for axis in form.axes)
    magnitude = by_strands(few.absolute, abs(w))(abs(given))
    return exact, _after_zeros(2 * rounded_up(gamma(passed, "float64")) * magnitude)


def _after_zeros(sample: Array) -> Array:
    """A batch of two, the second of which this is."""
    return np.concatenate([np.zeros_like(sample), sample])


def _spread(form: TrilinearForm) -> list[int]:
    """Some channels of each group, the first and the last among them."""
    n = form.channels_in
    most = max(2, MACS // (form.macs // n + 1))
    count = min(n, CHANNELS, most)
    return sorted({k * (n - 1) // max(1, count - 1) for k in range(count)})


def _told(tiles: AxisTiles) -> list[int]:
    """The inputs of one tile of each kind."""
    tile, chosen = tiles.tile, {0, tiles.tiles // 2, tiles.tiles - 1}
    places = {place for t, index in tiles.borders for place in tiles.windows[index].places}
    for t in chosen - {t for t, _ in tiles.borders}:
        i, image = divmod(t, tile.images)
        start = tile.input_step * (tiles.first + i) + tile.input_image * image
        places |= {start + each for each in tiles.windows[0].places}
    return sorted(place for place in places if 0 <= place < tiles.n_in)
