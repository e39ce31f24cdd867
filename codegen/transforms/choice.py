"""Which fast algorithm is sooner done than the exact sum: a count of vector operations.

A machine is taken to start one multiply-add of vectors, one load and one store each cycle; what
counts are products, transforms, turned squares and the bytes of U that stream by.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import product

from codegen._runtime.machine import Machine
from derive.core.axis import Axis
from derive.core.form import TrilinearForm

from .schedule import Transform, split_axes, transform_of

OUTPUTS = (2, 3, 4, 6)  # of each phase in a tile
TURNED = 6  # cycles to turn one vector of a square
DIRECT = 1.05  # of the exact sum, over one multiply-add a cycle
SHARES = 4, 2, 1  # of the cache of a core, for V and M: the rest is for what streams by
STRIPS = 4, 8, 16  # outputs of a summed axis that share their inputs
CROWDED = 1.1  # more cycles of products where V and M take more than the least of these
# bytes a cycle that stream from where so many fractions of the shared cache are full
BANDWIDTH = ((1 / 4, 26), (2 / 5, 17), (1, 6), (float("inf"), 4))
HIDDEN = 1 / 3  # of the lesser of products and loads, that the greater does not hide
STARTED = 2  # cycles to begin a sum and to store it
DOUBT = 1.2  # of the exact sum's time, that a fast algorithm may take to be tried
WORTH = 0.98  # of the exact sum's time, that a fast algorithm may take


@lru_cache(maxsize=32)
def candidates(
    form: TrilinearForm, machine: Machine, item: int, *, prepared: bool = True
) -> tuple[tuple[float, Transform], ...]:
    """The transforms of a form and their cycles for one sample, the least first.

    Unless the weight comes ``prepared``, its transform counts, too.
    """
    if form.channels_out * 2 < machine.vector_bytes // item:
        return ()
    found = []
    for counts in _counts(form):
        axes = split_axes(form, counts)
        if axes is not None:
            for share, strip in product(SHARES, STRIPS if counts[0] is None else (1,)):
                transform = transform_of(form, axes, machine, item, share, strip)
                time = cycles(transform, machine, item)
                time += 0 if prepared else preparation(transform)
                found.append((time, transform))
    return tuple(sorted(found, key=lambda each: each[0]))


def chosen(
    form: TrilinearForm, machine: Machine, item: int, *, prepared: bool = True
) -> Transform | None:
    """The fastest transform, None where the exact sum is as fast."""
    found = candidates(form, machine, item, prepared=prepared)
    if not found:
        return None
    time, transform = found[0]
    exact = DIRECT * form.macs / (machine.vector_bytes // item)
    return transform if time < WORTH * exact else None


def distinct(
    form: TrilinearForm, machine: Machine, item: int, most: int, *, prepared: bool = True
) -> list[Transform]:
    """The fastest transforms of different tiles, as long as one may beat the exact sum."""
    exact = DIRECT * form.macs / (machine.vector_bytes // item)
    found: dict[tuple[tuple[int, ...], ...], Transform] = {}
    for time, transform in candidates(form, machine, item, prepared=prepared):
        if time < DOUBT * exact and len(found) < most:
            found.setdefault(tuple(each.tile.outputs for each in transform.axes), transform)
    return list(found.values())


def _counts(form: TrilinearForm) -> Iterator[tuple[int | None, ...]]:
    """Outputs of a tile for each axis; three axes, or few channels, sum the first."""
    each = [_along(axis) for axis in form.axes]
    if len(each) < 3:
        yield from product(*each)
    if len(each) > 1:
        yield from product([None], *each[1:])


def _along(axis: Axis) -> list[int | None]:
    return [axis.step * each for each in OUTPUTS]


def cycles(transform: Transform, machine: Machine, item: int) -> float:
    """Of one sample of one group, roughly."""
    t, form = transform, transform.form
    rows, strips = t.down.tiles, -(-t.depth.n_out // t.strip)
    blocks = -(-rows // t.rows) * t.chunks
    tiles = rows * t.chunks * t.row_tiles  # of one summed output
    grouped = blocks * -(-t.tiles // t.group) * t.group
    vectors = t.blocks_out * t.vectors
    multiply: float = t.depth.n_out * grouped * t.products * (t.terms + STARTED) * vectors
    size = t.packed // form.groups * item
    working = (t.arrays["v"] + t.arrays["m"]) * machine.vector_bytes
    if working > 1.2 * machine.l2 / SHARES[0]:
        multiply *= CROWDED
    loads = 0.0
    if size + working > machine.l2:
        rate = next(rate for most, rate in BANDWIDTH if size <= most * machine.l3)
        loads = size * blocks * t.depth.n_out / rate
    down, across = t.down, t.across
    read = t.window * t.width * TURNED + down.operations[0] * t.width
    per_row = t.row_tiles * down.rows * (across.operations[0] + across.rows)
    inputs = strips * rows * t.chunks * t.groups_in * (read + per_row)
    height, width = len(down.tile.outputs), len(across.tile.outputs)
    up = down.operations[1] * across.tile.products + 2 * t.products
    along = across.operations[1] * height + (TURNED + 1) * height * width
    outputs = t.depth.n_out * tiles * vectors * (up + along)
    least, most = sorted((multiply, loads))
    return form.groups * (most + HIDDEN * least + inputs + outputs)


def preparation(transform: Transform) -> float:
    """Cycles of the transform of the weight, beyond those of packing it; double takes two."""
    depth, down, across = transform.axes
    (d, v, h), (_, t, s) = (
        [each.tile.products for each in transform.axes],
        [each.tile.algorithm.n_tap for each in transform.axes],
    )
    count = depth.operations[2] * t * s + d * down.operations[2] * s + d * v * across.operations[2]
    pairs = transform.form.groups * transform.form.channels_in * transform.blocks_out
    return 2.0 * (count + d * v * h) * pairs * transform.vectors
