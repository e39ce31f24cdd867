"""The weight gradient in tiles: sums of a few channels by all taps of a kernel row, in registers.

A block stages pieces of y and x in shared memory, the next piece while it works on one. Its threads
share out the channels, the kernel rows and, where there are few of those, the positions. Blocks
share out the tiles of the weight and the pieces of the batch; their partial sums are added by a
second pass in a fixed order. How many there are depends on the form and the device alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product
from math import inf, prod

from codegen.cpu.column_lanes import flattened
from derive.core.axis import Axis
from derive.core.form import TrilinearForm
from derive.core.relation import Relation

from .device import Device
from .pattern import Pattern, pattern_of
from .weight_blocks import VECTOR, Side, Tile, WeightGradient, whole
from .windows import Window, window_of

MOST_PLACES = 1 << 31
MOST_TAPS = 16  # of a kernel row, side by side in registers
MOST_ROWS = 8  # of a kernel, side by side in threads
FEW = 1.5  # times fewer multiply-adds for each load than the best: not worth a count
CHANNELS = (1, 2, 3, 4, 6, 8)  # of a thread
CHANNEL_THREADS = (1, 2, 4, 8, 16)
MOST_SUMS = 112  # of a thread, of 4 bytes
MOST_REGISTERS = 232
THREADS = 256  # of a block, at most
SHARED_BYTES = 48 << 10  # of a block: what every device gives
POSITIONS = 128  # of a piece, at most
WIDE = (8, 16, 32, 64)  # columns of a piece
COPY = 12  # instructions of a copied number
STEP = 8  # and of a step besides multiply-adds and loads
BARRIERS = 80  # cycles
BUSY = 8  # warps that hide the latency of a multiprocessor
POINT = window_of(Axis.of(Relation(), n_in=1, n_out=1, n_tap=1))


def suits(form: TrilinearForm) -> bool:
    """Whether ``weight_gradient`` may take a folded form."""
    return side_of(form) is not None


def weight_gradient(form: TrilinearForm, device: Device, dtype: str) -> WeightGradient | None:
    """The schedule of a folded form by a count of cycles; None where it does not suit.

    >>> from derive import Conv2d
    >>> form = Conv2d(64, 64, 3, padding=1, input_size=56).form
    >>> found = weight_gradient(form, Device(), "float32")
    >>> found.rows.reads, found.columns.taps, found.tile.threads
    (((0, 0), (0, 1), (0, 2)), ((0, 1, 2),), 192)
    """
    side = side_of(form)
    if side is None:
        return None
    item = 8 if dtype == "float64" else 4
    (planes,) = grouped(side.windows[0], (1,))
    made = [
        WeightGradient(side, planes, rows, columns, tile, device, item)
        for rows, columns in _patterns(side, item)
        for tile in _tiles(side, rows, columns, item)
    ]
    best = min(made, key=cycles, default=None)
    return best if best and cycles(best) < inf else None


def cycles(schedule: WeightGradient) -> float:
    """Estimated, of one sample in a large batch; infinite where it does not fit the device."""
    tile, wide = schedule.tile, schedule.item // 4
    if schedule.registers > MOST_REGISTERS or schedule.shared > SHARED_BYTES:
        return inf
    if not schedule.resident or max(schedule.row_pitch, tile.columns) > tile.threads:
        return inf
    warps = -(-tile.threads // 32)
    steps = -(-tile.steps // tile.parts)
    y_loads = tile.outputs * wide
    x_loads = tile.inputs * schedule.window_vectors * len(schedule.columns.residues) * wide
    staged = schedule.block_outputs * tile.rows * tile.columns
    staged += schedule.block_inputs * schedule.patch_rows * schedule.row_pitch
    each = VECTOR * schedule.sums * wide + y_loads + x_loads + STEP
    issued = steps * each + COPY * staged / tile.threads
    y_waves, x_waves = _waves(tile)
    waves = steps * (y_loads * y_waves + x_loads * x_waves) + staged / 32 / warps
    hidden = min(1.0, schedule.resident * warps / BUSY)
    piece = warps * max(issued / 4, waves) / hidden + BARRIERS / schedule.resident
    return piece * prod(schedule.pieces) * prod(schedule.tiles) / schedule.device.multiprocessors


def _waves(tile: Tile) -> tuple[float, float]:
    """Times that shared memory serves a load of y, and of x, by all lanes of a warp."""
    parts = max(1, 32 // tile.members)
    outputs = min(32, tile.output_threads)
    others = min(32 // outputs, tile.members // tile.output_threads)
    return max(1, outputs * parts * VECTOR / 32), max(1, others * parts * VECTOR / 32)


def side_of(form: TrilinearForm) -> Side | None:
    """The form, or its adjoint: of a transposed layer that one has a single phase."""
    for each, exchanged in ((form, False), (form.adjoint, True)):
        flat = flattened(each)
        planes, rows, columns = [POINT] * (3 - len(flat.axes)) + [window_of(a) for a in flat.axes]
        side = Side(flat, exchanged, (planes, rows, columns))
        if all(_alike(window) for window in side.windows):
            places = max(prod(flat.input_shape), prod(flat.output_shape))
            return side if places < MOST_PLACES else None
    return None


def _alike(window: Window) -> bool:
    """Whether every output reads alike, and each tap once."""
    if len(window.phases) != 1 or not window.whole:
        return False
    (reads,) = window.phases
    return 0 < len(reads) == len({tap for _, tap in reads})


def grouped(window: Window, sizes: Iterable[int]) -> list[Pattern]:
    """The reads of its phase in groups of these sizes, where that goes."""
    (reads,) = window.phases
    found = (pattern_of(reads, window.advance, size) for size in sizes)
    return [pattern for pattern in found if pattern is not None]


def _patterns(side: Side, item: int) -> Iterator[tuple[Pattern, Pattern]]:
    """Rows together or one by one; of the columns as many as go into registers."""
    _, rows, columns = side.windows
    few, many = len(rows.phases[0]), len(columns.phases[0])
    by_column = grouped(columns, range(min(many, MOST_TAPS), 0, -1))
    dense = [each for each in by_column if _dense(each, item)] or by_column[-1:]
    aligned = [each for each in dense if each.aligned(VECTOR)]
    some = {id(each): each for each in (*aligned[:1], *dense[:1])}
    by_row = grouped(rows, {1, few} if few <= MOST_ROWS else {1})
    yield from product(by_row, some.values())


def _dense(columns: Pattern, item: int) -> bool:
    """Whether taps use enough of what a thread holds of x: not of far taps, for instance."""
    held = whole(VECTOR + columns.reach) * len(columns.residues) * item // 4
    return held < VECTOR * (len(columns.reads) + 2)


def _tiles(side: Side, rows: Pattern, columns: Pattern, item: int) -> Iterator[Tile]:
    """The tiles that are worth a count."""
    form, most = side.form, MOST_SUMS * 4 // item // len(columns.reads)
    outputs, inputs = _channels(form.channels_out), _channels(form.channels_in)
    vectors = whole(VECTOR + columns.reach) // VECTOR * len(columns.residues)
    reuse = {
        (o, i): o * i / (o + i * vectors)
        for o, i in product({o for o, _ in outputs}, {i for i, _ in inputs})
        if o * i <= most
    }
    best = max(reuse.values(), default=0)
    for together in {1, len(columns.bases) if columns.aligned(VECTOR) else 1}:
        beside = whole(columns.reach + (columns.spread if together > 1 else 0))
        shapes = _shapes(side, beside, len(columns.residues))
        for (o, og), (i, ig) in product(outputs, inputs):
            members = og * ig * len(rows.reads) * together
            if FEW * reuse.get((o, i), 0) >= best and members <= THREADS:
                for height, width in shapes:
                    steps = height * width // VECTOR
                    parts = _parts(members, steps, (width + beside) * len(columns.residues))
                    if 2 * members * parts >= THREADS or 2 * parts > steps:
                        yield Tile(o, i, og, ig, len(rows.reads), together, parts, height, width)


def _channels(count: int) -> list[tuple[int, int]]:
    """Channels of a thread and threads with others, where few of them would have none."""
    pairs = [
        (each, threads)
        for each, threads in product(CHANNELS, CHANNEL_THREADS)
        if each <= count and each * (threads - 1) < count
    ]
    return [(e, n) for e, n in pairs if 4 * (-(-count // (e * n)) * e * n) <= 5 * count]


def _parts(members: int, steps: int, copied: int) -> int:
    """A power of two: as many as a block and the steps of a piece allow, enough to copy a row."""
    parts = 1
    while 2 * parts * members <= THREADS and (2 * parts <= steps or parts * members < copied):
        parts *= 2
    return parts


def _shapes(side: Side, beside: int, residues: int) -> set[tuple[int, int]]:
    """Rows and columns of a piece: of the widths that threads can copy those with least waste."""
    _, rows, columns = side.windows
    count = whole(columns.count)
    widths = {min(count, width) for width in WIDE}
    if count <= WIDE[-1] or (rows.count == 1 and count <= POSITIONS):
        widths.add(count)
    copied = [w for w in widths if (w + beside) * residues <= THREADS]
    best = sorted(copied, key=lambda width: (-(-count // width) * width, -width))[:2]
    found = set()
    for width, positions in product(best, (POSITIONS, POSITIONS // 2)):
        most = min(rows.count, max(1, positions // width))
        found.add((-(-rows.count // -(-rows.count // most)), width))
    return found
