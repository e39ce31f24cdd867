"""Weights to begin with: what torch makes of them."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import derive
from derive import GeometryError, bilinear_weight, checkerboard, checkerboard_free, icnr
from tests import cases, torch_reference


def layer(channels: int, scale: tuple[int, ...], size: int, groups: int) -> Any:
    return cases.TRANSPOSED[len(scale)](
        channels,
        channels,
        tuple(2 * r - r % 2 for r in scale),
        stride=scale,
        padding=tuple(r // 2 for r in scale),
        groups=groups,
        bias=False,
        input_size=size,
    )


SCALES = [(r,) for r in range(1, 9)] + [(2, 2), (3, 4), (4, 1), (5, 2), (2, 3, 2), (1, 2, 3)]
MODES = {1: "linear", 2: "bilinear", 3: "trilinear"}


@pytest.mark.parametrize("scale", SCALES)
def test_bilinear_weight_is_bilinear_upsampling_inside(scale: tuple[int, ...]) -> None:
    """Row by row, in Fractions, wherever the resize repeats no border pixel."""
    size = 5 if len(scale) < 3 else 3
    up = layer(1, scale, size, 1)
    resize = derive.Interpolate(1, (size,) * len(scale), scale_factor=scale, mode=MODES[len(scale)])
    assert up.output_size == resize.output_size
    weight = bilinear_weight(1, scale, len(scale))
    assert weight.shape == up.weight_shape
    assert all(type(v) is Fraction for v in weight.flat)
    ours, theirs = rows(up, weight), rows(resize, None)
    inside = np.zeros(up.output_size, dtype=bool)
    inside[tuple(slice(r // 2, n - r // 2) for r, n in zip(scale, inside.shape, strict=True))] = (
        True
    )
    assert [ours[row] for row in np.flatnonzero(inside)] == [
        theirs[row] for row in np.flatnonzero(inside)
    ]
    assert (ours == theirs) == (max(scale) == 1)  # the border differs


def rows(op: Any, weight: Any) -> list[dict[int, Fraction]]:
    """The nonzero entries of each row, exact."""
    matrix = op.sparse(weight, object)
    ends = matrix.indptr
    return [
        {
            int(x): Fraction(v)
            for x, v in zip(matrix.indices[lo:hi], matrix.data[lo:hi], strict=True)
            if v
        }
        for lo, hi in pairwise(ends)
    ]


@pytest.mark.parametrize("scale", [(2,), (4,), (2, 4), (2, 2, 2)])
@pytest.mark.usefixtures("family")
def test_torch_agrees_bit_for_bit_on_dyadic_scales(scale: tuple[int, ...]) -> None:
    rng = cases.generator(640)
    for groups in (1, 3):
        up = layer(3, scale, 5, groups)
        weight = bilinear_weight(3, scale, len(scale), groups=groups, dtype="float64")
        assert weight.shape == up.weight_shape
        x = cases.integers(rng, (1, *up.input_shape), "float64")
        y = torch_reference.forward(up, x, weight)
        expected = derive.Interpolate(
            3, (5,) * len(scale), scale_factor=scale, mode=MODES[len(scale)]
        ).apply(x)
        inside = tuple(slice(r // 2, n - r // 2) for r, n in zip(scale, y.shape[2:], strict=True))
        each = (slice(None), slice(None), *inside)
        assert (y[each] == expected[each]).all()


def test_bilinear_weight_makes_no_checkerboard() -> None:
    for scale in SCALES:
        up = layer(2, scale, 9, 2)
        weight = bilinear_weight(2, scale, len(scale))
        assert (checkerboard_free(weight, up) == weight).all()


def test_dtypes_and_groups() -> None:
    assert bilinear_weight(2, 3, dtype="float32").dtype == np.float32
    dense = bilinear_weight(3, 2, groups=1)
    assert dense.shape == (3, 3, 4, 4)
    assert all(type(v) is Fraction for v in dense.flat)
    assert (dense[1, 1] == bilinear_weight(1, 2)[0, 0]).all()
    assert not dense[0, 1].any()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"channels": 0}, "channels = 0"),
        ({"channels": True}, "channels = True"),
        ({"scale": 0}, "scale = 0"),
        ({"scale": (2, 2, 2)}, r"scale = \(2, 2, 2\)"),
        ({"scale": 1.5}, "scale = 1.5"),
        ({"dimensions": 0}, "dimensions = 0"),
        ({"dimensions": 4}, "dimensions = 4"),
        ({"groups": 2}, "groups = 2"),
        ({"dtype": "int64"}, "dtype = 'int64'"),
        ({"dtype": "words"}, "dtype = 'words'"),
    ],
)
def test_bilinear_weight_refuses(words: dict[str, Any], message: str) -> None:
    with pytest.raises(GeometryError, match=f"^{message}: allowed"):
        bilinear_weight(**{"channels": 3, "scale": 2, **words})


@pytest.mark.parametrize("scale", [2, 3, (2, 3), (3, 1, 2)])
@pytest.mark.usefixtures("family")
def test_every_phase_of_icnr_is_the_same_kernel(scale: Any) -> None:
    """So it is nearest resizing of what the kernel makes with stride 1."""
    rng = cases.generator(641)
    axes = 2 if isinstance(scale, int) else len(scale)
    small = cases.TRANSPOSED[axes](2, 3, 2, bias=False, input_size=3)
    sub = cases.integers(rng, small.weight_shape)
    weight = icnr(sub, scale)
    assert weight.dtype == sub.dtype
    up = cases.TRANSPOSED[axes](2, 3, weight.shape[2:], stride=scale, bias=False, input_size=3)
    x = cases.integers(rng, (1, *up.input_shape))
    resize = derive.Interpolate(3, small.output_size, scale_factor=scale)
    assert up.output_size == resize.output_size
    assert (torch_reference.forward(up, x, weight) == resize.apply(small.apply(x, sub))).all()
    assert (checkerboard(up).project(weight) == weight).all()


def test_icnr_refuses() -> None:
    for bad in ([1, 2], [[1]], 3):
        with pytest.raises(GeometryError, match=r"^weight.shape = "):
            icnr(bad, 2)  # type: ignore[arg-type]
    for scale in (0, -1, True, 1.5, (2, 2), None):
        with pytest.raises(GeometryError, match=r"^scale"):
            icnr([[[1, 2]]], scale)  # type: ignore[arg-type]


def test_checkerboard_free_is_the_projection() -> None:
    op = derive.ConvTranspose2d(2, 2, 3, stride=2, input_size=6)
    weight = cases.integers(cases.generator(642), op.weight_shape)
    assert (checkerboard_free(weight, op) == checkerboard(op).project(weight)).all()
    resized = derive.Conv1d(1, 1, 3, padding=1, input_size=8) @ derive.Interpolate(
        1, 4, scale_factor=2
    )
    assert (checkerboard_free([[[1, 2, 3]]], resized) == [[[1, 2, 3]]]).all()
