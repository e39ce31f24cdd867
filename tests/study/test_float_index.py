"""Where float32 picks another pixel, counted over all sizes up to 256."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from derive import GeometryError, float_index_differences


@pytest.mark.parametrize(("mode", "expected"), [("nearest", 1218), ("nearest-exact", 1423)])
def test_how_many_size_pairs_differ(mode: str, expected: int) -> None:
    """Of 65,536, by NumPy in one go; then the positions, one pair after another."""
    n, m, j = np.ogrid[1:257, 1:257, :256]
    f = np.float32
    scale = n.astype(f) / m.astype(f)
    if mode == "nearest":
        places = j.astype(f) * scale
    else:  # as one fused multiply-add gives it: the product exact, the difference rounded
        places = ((j + 0.5) * scale.astype(np.float64) - 0.5).astype(f) + f(0.5)
    floats = np.minimum(np.floor(places).astype(np.int64), n - 1)
    exact = j * n // m if mode == "nearest" else (2 * j + 1) * n // (2 * m)
    differ = (floats != exact) & (j < m)
    pairs = np.argwhere(differ.any(axis=2))
    assert len(pairs) == expected
    for a, b in pairs[::7]:
        found = float_index_differences(int(a) + 1, int(b) + 1, mode)
        assert found == tuple(np.flatnonzero(differ[a, b]))
    same = np.argwhere(~differ.any(axis=2))
    for a, b in same[::301]:
        assert float_index_differences(int(a) + 1, int(b) + 1, mode) == ()


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ((0, 3), "n = 0"),
        ((3, 0), "m = 0"),
        ((True, 3), "n = True"),
        ((3, 1.5), "m = 1.5"),
        ((2, 3, "linear"), "mode = 'linear'"),
        ((2, 3, None), "mode = None"),
    ],
)
def test_refusals(arguments: Any, name: str) -> None:
    with pytest.raises(GeometryError, match=f"^{name}: allowed is"):
        float_index_differences(*arguments)
