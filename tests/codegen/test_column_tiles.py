"""Tiles of vectors of columns: carried out, they are the axis."""

from __future__ import annotations

from collections import defaultdict

import pytest

import derive
from codegen.cpu.column_tiles import ColumnTile, column_tiles
from codegen.cpu.shuffles import Lanes, Load, Plan
from derive.core.axis import Axis
from tests.cases import generator, random_layer
from tests.codegen.test_shuffles import carried_out

Sums = dict[int, list[tuple[int, int]]]  # output -> the (tap, input) pairs that it adds up


def sums_of(tile: ColumnTile, lanes: int, c: int) -> Sums:
    """What one of these tiles stores; a number that is stored twice is the same both times."""
    loads = [step for step in tile.steps if isinstance(step, Load)]
    end = max((step.at + step.lanes for step in loads), default=0)
    row = carried_out(Plan(lanes, row=(0, end), steps=[*tile.steps]))
    added: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    for use in tile.uses:
        for vector, place in use.vectors:
            for lane, x in enumerate(row[place]):
                if x is not None and x >= 0:
                    at = tile.x + tile.x_step * c + x
                    added[tile.accumulator(use.phase, vector), lane].append((use.tap, at))
    numbers: list[Lanes] = [
        tuple(range(lanes * a, lanes * a + lanes)) for a in range(tile.accumulators)
    ]
    held = carried_out(Plan(lanes, given=numbers, steps=[*tile.joins]))
    stored: Sums = {}
    for store in tile.stores:
        for lane in range(store.lanes):
            number = held[store.place][store.begin + lane]
            assert number is not None
            y, pairs = tile.y + tile.y_step * c + store.y + lane, added[divmod(number, lanes)]
            assert stored.setdefault(y, sorted(pairs)) == sorted(pairs)
    return stored


@pytest.mark.parametrize(("lanes", "widest"), [(2, 3), (4, 1), (4, 2), (8, 2), (16, 1), (16, 4)])
def test_tiles_are_the_axis(lanes: int, widest: int) -> None:
    """Every output by one tile, which adds up just what the axis says; no read is outside."""
    for case in range(40):
        rng = generator(82, lanes, widest, case)
        layer = random_layer(rng)
        long = derive.Conv1d(
            1, 1, 3, int(rng.integers(1, 4)), padding=2, input_size=int(rng.integers(5, 90))
        )
        for axis in (*layer.axes, *layer.T.axes, *long.axes, *long.T.axes):
            if axis.n_in > 1:
                assert_same(axis, lanes, widest)


def assert_same(axis: Axis, lanes: int, widest: int) -> None:
    found: Sums = {}
    for tile in column_tiles(axis, lanes, widest):
        for c in range(tile.count):
            for step in tile.steps:
                if isinstance(step, Load):
                    at = tile.x + tile.x_step * c + step.at
                    assert 0 <= at <= axis.n_in - step.lanes
            sums = sums_of(tile, lanes, c)
            assert not sums.keys() & found.keys()
            found |= sums
    assert found == {y: sorted((tap, x) for x, tap, _ in axis.row(y)) for y in range(axis.n_out)}


def test_long_axes_have_few_tiles() -> None:
    for op in (
        derive.ConvTranspose1d(1, 1, 16, stride=8, padding=4, input_size=10**6),
        derive.Conv1d(1, 1, 7, stride=2, padding=3, input_size=10**6),
        derive.Conv1d(1, 1, 3, padding=1, padding_mode="reflect", input_size=10**6),
    ):
        assert len(column_tiles(op.axes[0], 16, 3)) <= 5
        assert len(column_tiles(op.T.axes[0], 16, 3)) <= 6
