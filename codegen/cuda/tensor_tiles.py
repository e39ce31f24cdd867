"""The tile of a tensor-core schedule: the one of the fewest cycles among some thousand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from math import prod

from derive.core.form import TrilinearForm

from .columns import COLUMNS
from .device import Device
from .patch import Span
from .tensor import DEPTH, ROWS, Tensor, Tile
from .tensor_cost import MOST_SUMS, SPARE, Cost, Counts, counts_of, registers, resident_blocks
from .windows import Window, window_of

BATCH = 8  # samples that are expected
LEAST_POSITIONS, MOST_POSITIONS = 8, 256  # of a tile
WASTED = 4  # a tile may leave one column in so many to nobody
DOWN = ((1, 1), (1, 2), (2, 1), (1, 4), (2, 2), (2, 4), (4, 2))  # warps, fragments each
DEEP = ((1, 1), (1, 2), (2, 2), (1, 4), (2, 4), (4, 4))  # warps, slices of a chunk
WARPS = (2, 16)
WORTH = 8  # of the products of a fragment, one in so many must be wanted


def suits(form: TrilinearForm, device: Device, dtype: str) -> bool:
    """Whether a group has channels enough, and every axis a window with taps, not all border."""
    if dtype not in ("float16", "bfloat16") or not device.multiplies_halves:
        return False
    wanted = form.channels_in * form.channels_out
    rows = -(-form.channels_out // ROWS) * ROWS
    if WORTH * wanted < rows * -(-form.channels_in // DEPTH) * DEPTH:
        return False
    windows = [window_of(axis) for axis in form.axes]
    return all(w.count and len(w.phases) == w.step and any(w.phases) for w in windows)


def tensor_of(
    form: TrilinearForm, device: Device, batch: int = BATCH
) -> tuple[float, Tensor] | None:
    """The cycles and the schedule of a folded form that ``suits``; None where no tile fits."""
    windows = tuple(window_of(axis) for axis in form.axes)
    cost = Cost(form, device, batch)
    found: list[tuple[float, Tile]] = []
    for spread in range(len(windows)):
        counts = counts_of(windows, spread)
        for widths, samples in _shapes(windows):
            spans = [Span(w, width) for w, width in zip(windows, widths, strict=True)]
            tiles = prod(span.tiles for span in spans)
            positions = samples * prod(span.positions for span in spans)
            for tile in _tiles(form, windows, widths, samples, counts, spread):
                taken = cost.cycles(counts, tiles, positions, tile)
                if taken is not None:
                    found.append((taken, tile))
        if counts.phases == 1:
            break
    for taken, tile in sorted(found, key=lambda each: each[0]):
        made = Tensor(form, windows, tile)
        if made.shared_bytes <= device.shared_bytes:  # the distances against conflicts included
            used = registers(tile, len(made.phases), made.readers)
            resident = resident_blocks(tile, used + SPARE, made.shared_bytes, device)
            return taken, replace(made, resident=max(1, resident))
    return None


def _shapes(windows: Sequence[Window]) -> Iterator[tuple[tuple[int, ...], int]]:
    """Widths of tiles and their samples: several only where a tile is a whole sample."""
    *outer, last = (window.count for window in windows)
    choices = [[n for n in (1, 2, 4, 8, 16) if n < count] + [count] for count in outer]
    halves = {8, 16, 32, 64, 128, last + last % 2, _even(-(-last // 2)), _even(-(-last // 4))}
    columns = sorted(n for n in halves if n < last + COLUMNS)
    for widths in product(*choices, columns):
        one = prod(widths)
        if one > MOST_POSITIONS or _left_over(windows, widths):
            continue
        whole = all(width >= w.count for width, w in zip(widths, windows, strict=True))
        for samples in (1, 2, 4, 8) if whole else (1,):
            if one * samples <= MOST_POSITIONS and (one * samples >= LEAST_POSITIONS or whole):
                yield widths, samples


def _left_over(windows: Sequence[Window], widths: Sequence[int]) -> bool:
    """Whether the last tiles stand for too many positions that do not exist."""
    pairs = list(zip(windows, widths, strict=True))
    meant = prod(window.count for window, _ in pairs)
    held = prod(-(-window.count // width) * width for window, width in pairs)
    one = all(window.count <= width for window, width in pairs)
    return (held - meant) * WASTED > held and not one


def _even(n: int) -> int:
    return n + n % 2


def _tiles(
    form: TrilinearForm,
    windows: Sequence[Window],
    widths: tuple[int, ...],
    samples: int,
    counts: Counts,
    spread: int,
) -> Iterator[Tile]:
    positions = samples * prod(widths)
    eights = -(-positions // COLUMNS)
    wanted = -(-form.channels_out // ROWS)
    most = max(n for n in (1, 2, 4, 8) if n == 1 or n < 2 * wanted)
    depths = [each for each in DEEP if each[1] == 1 or DEPTH * each[1] < 2 * form.channels_in]
    for across in (1, 2, 4, 8):
        columns = -(-eights // across)
        if columns > 8 or (columns * across - eights) * WASTED > columns * across:
            continue
        runs = _runs(windows[-1], widths[-1], columns)
        for down, rows in DOWN:
            fit = 4 * counts.phases * rows * columns <= MOST_SUMS
            if not fit or not most <= 2 * down * rows <= 2 * most:
                continue
            for deep, slices in depths:
                if not WARPS[0] <= down * across * deep <= WARPS[1]:
                    continue
                several = DEPTH * slices < form.channels_in
                for stages in (1, 2) if several else (1,):
                    yield Tile(
                        widths,
                        samples,
                        rows,
                        columns,
                        down,
                        across,
                        deep,
                        slices,
                        stages,
                        spread,
                        runs,
                    )


def _runs(last: Window, width: int, columns: int) -> int:
    """Fragments in turn: four where a thread's columns are then stored at once."""
    wide = columns % 4 == 0 and width % 32 == 0 and last.step == 1
    return 4 if wide and last.n_out % 4 == 0 else 1
