"""How many channels, taps and rows a function in position lanes holds in registers at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import TypeVar

from derive.core.axis import Axis
from derive.core.form import TrilinearForm
from derive.core.polyphase import Run

from .phase_rows import Span

T = TypeVar("T")
Pattern = tuple[tuple[int, int], ...]  # (row of x, kernel row) of each, counted from the first

LATENCY = 4  # cycles of a multiply-add
LOOSE = 1.5  # cycles of a load that may cross a cache line, where an aligned one takes 1
COPY = 3  # cycles to load and to store a vector
HIDDEN = 0.3  # what is felt of the lesser one of loads and multiply-adds
CALL = 20  # to call a function once for a run, besides its sums
LINES = 120  # multiply-adds of a function and a span, at most
TEXT = 1000  # of all functions
PATTERNS = 6  # of kernel rows that get a function of their own
MOST_ROWS = 8
MOST_CHANNELS = 8
SPARE = 2  # registers: a vector of x, and room for the compiler
SINGLE = (1, ((0, 0),))


@dataclass(frozen=True, slots=True)
class Block:
    """Channels, kernel rows, taps of a kernel row and rows of y that are summed side by side.

    ``cycles`` are estimated for one sample.
    """

    outputs: int
    inputs: int
    kernel_rows: int
    taps: int
    rows: int
    cycles: float = 0


def sizes(count: int, most: int) -> list[int]:
    """The sizes of groups of nearly equal size that ``count`` things are shared out to.

    >>> sizes(9, 5)
    [5, 3, 2, 1]
    """
    found = {-(-count // parts) for parts in range(1, count + 1)}
    return sorted((size for size in found if size <= most), reverse=True)


def groups(items: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    """The items in groups of nearly equal size, at most ``most``."""
    size = -(-len(items) // max(1, -(-len(items) // most)))
    for begin in range(0, len(items), max(1, size)):
        yield items[begin : begin + size]


def meets(run: Run) -> list[tuple[int, int]]:
    """The (row of x, kernel row) that a row of y meets."""
    return [(tap.offset, t) for tap in run.taps for t, _ in tap.weights]


def pattern_of(group: Sequence[tuple[int, int]]) -> Pattern:
    """The places of a group of (row of x, kernel row), counted from its first."""
    (x, tap), *_ = group
    return tuple((each_x - x, each_tap - tap) for each_x, each_tap in group)


def patterns_of(row: Axis, block: Block) -> list[tuple[int, Pattern]]:
    """(rows side by side, pattern) of every function; the last takes any kernel row by itself."""
    counted: dict[tuple[int, Pattern], int] = {}
    for run in row.runs:
        for group in groups(meets(run), block.kernel_rows):
            pattern = pattern_of(group)
            for rows, count in ((block.rows, run.count), (1, run.count % block.rows or 1)):
                if run.count >= rows and (rows, pattern) != SINGLE:
                    counted[rows, pattern] = counted.get((rows, pattern), 0) + count
    return [*sorted(counted, key=lambda key: -counted[key])[:PATTERNS], SINGLE]


def best_block(
    form: TrilinearForm, cover: Sequence[Span], copied: tuple[bool, bool], registers: int
) -> Block:
    """The block of least estimated cycles that fits the registers.

    ``copied`` tells whether rows of y are, and whether rows of x are.
    """
    *_, row, column = form.axes
    longest = max(row.runs, key=lambda run: run.count * len(run.taps))
    best = Block(1, 1, 1, 1, 1, float("inf"))
    for outputs, inputs, taps, kernel_rows in product(
        sizes(form.channels_out, MOST_CHANNELS),
        sizes(form.channels_in, MOST_CHANNELS),
        sizes(column.n_tap, registers),
        sizes(len(meets(longest)), registers),
    ):
        sums = outputs * inputs * taps * kernel_rows
        for rows in range(1, min(MOST_ROWS, longest.count) + 1 if kernel_rows > 1 else 2):
            if sums + outputs * rows + SPARE > registers and sums > 1:
                break
            block = Block(outputs, inputs, kernel_rows, taps, rows)
            cycles = _cycles(block, longest, cover, copied, column.n_tap)
            if cycles < best.cycles and _lines(form, block, cover) <= TEXT:
                best = replace(block, cycles=cycles)
    return replace(best, cycles=best.cycles * _times(form, longest))


def _times(form: TrilinearForm, run: Run) -> float:
    """How often the work on a run is done, all in all, for every pair of channels."""
    *before, row, _ = form.axes
    around = prod(axis.triples for axis in before)
    pairs = form.groups * form.channels_in * form.channels_out
    return pairs * around * row.triples / (run.count * len(meets(run)))


def _lines(form: TrilinearForm, block: Block, cover: Sequence[Span]) -> int:
    """Multiply-adds in the text of all functions, for one kind of channels."""
    of_rows = sum(rows * len(pattern) for rows, pattern in patterns_of(form.axes[-2], block))
    return block.outputs * block.inputs * of_rows * sum(len(span.uses) for span in cover)


def _cycles(
    block: Block, run: Run, cover: Sequence[Span], copied: tuple[bool, bool], n_tap: int
) -> float:
    """Estimated for one pair of channels: rows of the run in blocks, what is left one by one."""
    blocks, rest = divmod(run.count, block.rows)
    cycles = blocks * _of_rows(block, run, cover, n_tap)
    if rest:
        single = Block(block.outputs, block.inputs, 1, block.taps, 1)
        cycles += rest * _of_rows(single, run, cover, n_tap)
    vectors = sum(span.count for span in cover)
    cycles += CALL * len([*groups(meets(run), block.kernel_rows)]) * -(-n_tap // block.taps)
    of_y, of_x = copied
    copies = of_y * vectors / block.inputs + of_x * run.advance * vectors / block.outputs
    return cycles / (block.outputs * block.inputs) + COPY * run.count * copies


def _of_rows(block: Block, run: Run, cover: Sequence[Span], n_tap: int) -> float:
    """All vectors of a block of rows with all kernel rows, for all channels of the block."""
    part = block.taps / n_tap
    cycles = 0.0
    for group in groups(meets(run), block.kernel_rows):
        x_rows = len({x + run.advance * row for x, _ in group for row in range(block.rows)})
        for span in cover:
            reads = len({(use.x, use.shift) for use in span.uses})
            pairs = block.outputs * block.inputs * len(span.uses) * len(group)
            multiplied = pairs * block.rows * max(1.0, LATENCY / (pairs * part))
            loaded = block.outputs * block.rows / part + LOOSE * block.inputs * x_rows * reads
            if pairs * block.rows * part > LINES:
                return float("inf")
            cycles += span.count * (max(multiplied, loaded) + HIDDEN * min(multiplied, loaded))
    return cycles
