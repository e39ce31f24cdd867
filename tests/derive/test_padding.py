"""Pad maps against np.pad."""

from itertools import product

import numpy as np
import pytest

from derive.core.padding import OUTSIDE, WIDEST, pad_map
from tests import cases, definition


def test_the_modes_are_torchs() -> None:
    assert tuple(OUTSIDE) == tuple(WIDEST) == cases.MODES


@pytest.mark.parametrize("mode", cases.MODES)
@pytest.mark.parametrize("n", range(1, 8))
def test_pad_map_selects_what_numpy_pads(mode: str, n: int) -> None:
    most = min(cases.widest(mode, n), 9)
    for before, after in product(range(-9, most + 1), repeat=2):
        axis = pad_map(n, before, after, mode)
        positions = definition.padded(np.arange(n), before, after, mode)
        assert axis.n_out == len(positions)
        expected = (positions[:, None] == np.arange(n))[:, None, :]
        assert (definition.of_axis(axis) == expected).all(), (before, after)


@pytest.mark.parametrize("mode", cases.MODES)
@pytest.mark.parametrize("n", range(1, 8))
def test_widest_is_the_last_that_reads_inside(mode: str, n: int) -> None:
    widest = WIDEST[mode]
    if widest is None:
        assert cases.widest(mode, n) == 2**31 - 1
        return
    most = widest(n)
    assert most == cases.widest(mode, n)
    inside = [OUTSIDE[mode](-p, n) for p in range(1, most + 1)]
    inside += [OUTSIDE[mode](n - 1 + p, n) for p in range(1, most + 1)]
    assert all(x is not None and 0 <= x < n for x in inside)
    beyond = OUTSIDE[mode](-most - 1, n)
    assert beyond is not None
    assert not 0 <= beyond < n


@pytest.mark.parametrize(
    ("mode", "strands"), [("zeros", 1), ("reflect", 6), ("replicate", 6), ("circular", 3)]
)
def test_padding_costs_at_most_a_strand_for_each_position_outside(mode: str, strands: int) -> None:
    assert len(pad_map(10**9, 3, 2, mode).strands) == strands
