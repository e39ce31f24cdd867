"""Interpolation against torch, in float64: the matrix that torch makes of an identity.

Nearest kinds and means of a power of two have equal bits. For the rest both sides stay within the
rounding of torch's own arithmetic: its source position, below n, has three roundings, each at most
u*n; a weight changes by at most the kernel's slope (1 for linear, below 2 for cubic) times that,
and adds the roundings of its polynomial, and of the sum that it is divided by when antialiased. At
the border up to four weights fall on one pixel.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from math import floor
from typing import Any

import numpy as np
import pytest
from numpy.random import Generator
from numpy.typing import NDArray

import derive
from derive.core.axis import Axis
from derive.layers.interpolate import MODES
from tests import cases

torch = pytest.importorskip("torch")
interpolate = torch.nn.functional.interpolate

Array = NDArray[Any]
U = np.finfo(np.float64).eps / 2
SIZES, OUTPUTS = range(1, 21), range(1, 46)
SMOOTH = ("linear", "bilinear", "trilinear", "bicubic")
AXIS_KINDS: dict[str, dict[str, Any]] = {
    "nearest": {"mode": "nearest"},
    "nearest-exact": {"mode": "nearest-exact"},
    "area": {"mode": "area"},
    "linear": {"mode": "linear", "align_corners": False},
    "linear, aligned": {"mode": "linear", "align_corners": True},
    "bicubic": {"mode": "bicubic", "align_corners": False},
    "bicubic, aligned": {"mode": "bicubic", "align_corners": True},
    "bilinear, antialias": {"mode": "bilinear", "antialias": True},
    "bilinear, aligned, antialias": {"mode": "bilinear", "align_corners": True, "antialias": True},
    "bicubic, antialias": {"mode": "bicubic", "antialias": True},
    "bicubic, aligned, antialias": {"mode": "bicubic", "align_corners": True, "antialias": True},
}


def bound(mode: str, n: int, m: int) -> float:
    """Of one weight of one axis."""
    slope = 2 if mode == "bicubic" else 1
    window = 4 * (1 + -(-n // m))
    return 4 * U * (3 * slope * n + 2 * window + 16)


def dense(axis: Axis) -> tuple[Array, bool]:
    """The axis as a float matrix, and whether all its entries are dyadic."""
    result = np.zeros((axis.n_out, axis.n_in))
    dyadic = True
    for y, _, x, c in axis.entries():
        result[y, x] += float(c)
        dyadic = dyadic and not c.denominator & (c.denominator - 1)
    return result, dyadic


def torchs_axis(n: int, m: int, words: dict[str, Any]) -> Array:
    """m x n, from the identity; modes of two axes on the width, of height 1."""
    flat = words["mode"] in ("bilinear", "bicubic")
    x = torch.eye(n, dtype=torch.float64).reshape(n, 1, *((1, n) if flat else (n,)))
    y = interpolate(x, size=(1, m) if flat else m, **words)
    found: Array = y.reshape(n, m).numpy().T
    return found


@pytest.mark.parametrize("kind", AXIS_KINDS)
@pytest.mark.parametrize("half", [0, 1])
def test_every_small_axis(kind: str, half: int) -> None:
    """All n <= 20 and m <= 45; weights of a row add up to 1, exactly."""
    words = AXIS_KINDS[kind]
    mode = words["mode"]
    flat = mode in ("bilinear", "bicubic")
    telling = 0
    for n, m in product(SIZES[half::2], OUTPUTS):
        sizes = ((1, n), (1, m)) if flat else (n, m)
        op = derive.Interpolate(1, sizes[0], size=sizes[1], **words)
        axis = op.axes[-1]
        assert axis.row_sums() == {1}, op
        ours, dyadic = dense(axis)
        theirs = torchs_axis(n, m, words)
        if mode.startswith("nearest") or (mode == "area" and dyadic):
            assert (ours == theirs).all(), op
        else:
            error = np.abs(ours - theirs).max()
            assert error <= bound(mode, n, m), (op, error)
        telling += bool((ours != np.eye(m, n)).any())
    assert telling > 0.9 * len(SIZES[half::2]) * len(OUTPUTS)


@pytest.mark.parametrize("mode", MODES)
def test_axes_and_channels_together(mode: str) -> None:
    """One to three axes as torch has them, two channels, a batch or none."""
    for case in range(12):
        rng = cases.generator(700, list(MODES).index(mode), case)
        axes = int(rng.choice(MODES[mode][1]))
        size, to = (tuple(int(v) for v in rng.integers(1, 7, axes)) for _ in range(2))
        words: dict[str, Any] = {"mode": mode}
        if mode in SMOOTH:
            words["align_corners"] = bool(rng.random() < 0.5)
        op = derive.Interpolate(2, size, size=to, **words)
        x = cases.integers(rng, (3, 2, *size), "float64")
        theirs = interpolate(torch.from_numpy(x), size=to, **words).numpy()
        ours = op.apply(x)
        assert ours.shape == theirs.shape == (3, *op.output_shape)
        if mode.startswith("nearest"):
            assert (ours == theirs).all()
        assert np.abs(ours - theirs).max() <= several(op, mode) * np.abs(x).max(), op
        exact = op.apply(x.astype(np.int64))
        assert np.abs(exact.astype(float) - ours).max() <= several(op, mode) * np.abs(x).max(), op
        assert (op.apply(x[0]) == ours[0]).all()


def several(op: Any, mode: str) -> float:
    """Of an output: the bounds of its axes add up, over at most 4 (or the window) reads each."""
    total, reads = 0.0, 1
    for axis in op.axes:
        total += bound(mode, axis.n_in, axis.n_out)
        reads *= max(len(run.taps) for run in axis.runs)
    return reads * (2 * total + 4 * reads * U)


# --- what people get wrong -------------------------------------------------------------------


def test_source_positions() -> None:
    """Corners aligned: j(n-1)/(m-1); else (j + 1/2)n/m - 1/2, and linear stops at the border."""
    aligned = derive.Interpolate(1, 5, size=9, mode="linear", align_corners=True).axes[0]
    assert aligned.row(3) == ((1, 0, Fraction(1, 2)), (2, 0, Fraction(1, 2)))
    one = derive.Interpolate(1, 5, size=1, mode="linear", align_corners=True).axes[0]
    assert one.row(0) == ((0, 0, Fraction(1)),)
    half = derive.Interpolate(1, 4, size=8, mode="linear").axes[0]
    assert half.row(0) == ((0, 0, Fraction(1)),)
    assert half.row(1) == ((0, 0, Fraction(3, 4)), (1, 0, Fraction(1, 4)))


def test_cubic_parameters() -> None:
    """a = -3/4, with antialiasing -1/2 even when upscaling; there the border is cut off."""

    def row(y: int, **words: Any) -> list[Fraction]:
        axis = derive.Interpolate(1, (1, 8), size=(1, 16), mode="bicubic", **words).axes[1]
        return [c for _, _, c in axis.row(y)]

    def keys(a: Fraction) -> list[Fraction]:
        """Half pixel, factor two: distances 5/4, 1/4, 3/4, 7/4, put into Keys' kernel."""
        near, far = (Fraction(1, 4), Fraction(3, 4)), (Fraction(5, 4), Fraction(7, 4))
        inner = [(a + 2) * d**3 - (a + 3) * d**2 + 1 for d in near]
        outer = [a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a for d in far]
        return [outer[0], *inner, outer[1]]

    assert row(7) == keys(Fraction(-3, 4))
    sharper = keys(Fraction(-1, 2))
    assert row(7, antialias=True) == sharper
    near, far = sharper[1], sharper[0]  # of the first output; two taps lie outside
    assert row(0, antialias=True) == [near / (near + far), far / (near + far)]


def test_sizes_are_exact() -> None:
    """floor(n * factor) in rationals; torch rounds the product in double."""
    for n, factor, size in ((49, Fraction(1, 49), 1), (88, Fraction(120, 88), 120)):
        op = derive.Interpolate(1, n, scale_factor=factor)
        assert op.output_size == (size,)
        assert floor(n * float(factor)) == size - 1  # what torch makes of it
    assert derive.Interpolate(1, 88, scale_factor=120 / 88).output_size == (119,)
    assert derive.Interpolate(1, 10, scale_factor=0.1).output_size == (1,)
    assert derive.Interpolate(1, 10, scale_factor="0.3").output_size == (3,)
    assert derive.Interpolate(1, 30, scale_factor="1/3").output_size == (10,)
    y = interpolate(torch.zeros(1, 1, 88), scale_factor=120 / 88)
    assert y.shape[-1] == 119


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "linear", "area", "bicubic"])
@pytest.mark.parametrize("recompute", [None, False, True])
def test_scale_factor(mode: str, recompute: bool | None) -> None:
    """The scale is 1/scale_factor, unless it is recomputed from the sizes as n/m."""
    flat = mode == "bicubic"
    differ = 0
    for n, factor in product((3, 5, 8, 11), (2, 0.5, 1.5, 2.5, 0.75, 1.3)):
        if floor(n * factor) in (0, n):
            continue
        size, factors = ((1, n), (1, factor)) if flat else (n, factor)
        op = derive.Interpolate(
            1, size, scale_factor=factors, mode=mode, recompute_scale_factor=recompute
        )
        x = torch.eye(n, dtype=torch.float64).reshape(n, 1, *op.input_size)
        y = interpolate(
            x, scale_factor=factors, mode=mode, recompute_scale_factor=recompute
        ).numpy()
        ours, _ = dense(op.axes[-1])
        theirs = y.reshape(n, -1).T
        assert ours.shape == theirs.shape
        assert np.abs(ours - theirs).max() <= bound(mode, n, len(ours)), op
        sized = derive.Interpolate(1, size, size=op.output_size, mode=mode)
        assert (op.axes == sized.axes) or not recompute
        differ += op.axes != sized.axes
    assert (differ > 3) == (not recompute and mode != "area")


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "linear", "area", "bicubic"])
def test_factors_of_many_digits(mode: str) -> None:
    """As floats are written: the taps of one period would fill the memory, so none is laid out."""
    flat = mode == "bicubic"
    for n, factor in ((88, 120 / 88), (31, 1 / 3), (7, 2**0.5), (50, 0.123456789012345)):
        size, factors = ((1, n), (1, factor)) if flat else (n, factor)
        op = derive.Interpolate(1, size, scale_factor=factors, mode=mode)
        x = torch.eye(n, dtype=torch.float64).reshape(n, 1, *op.input_size)
        theirs = interpolate(x, scale_factor=factors, mode=mode).numpy().reshape(n, -1).T
        ours, _ = dense(op.axes[-1])
        assert op.axes[-1].row_sums() == {1}
        assert ours.shape == theirs.shape
        assert np.abs(ours - theirs).max() <= bound(mode, n, len(ours)), op


def test_where_torch_disagrees_with_itself() -> None:
    """An axis that keeps its size: linear and antialiased copy it, bicubic resamples it."""
    factor = 1.1
    x = torch.eye(5, dtype=torch.float64).reshape(5, 1, 1, 5)
    line = x.reshape(5, 1, 5)
    eye = np.eye(5)

    def ours(mode: str, **words: Any) -> Array:
        flat = mode in ("bilinear", "bicubic")
        size, factors = ((1, 5), (1, factor)) if flat else (5, factor)
        return dense(
            derive.Interpolate(1, size, scale_factor=factors, mode=mode, **words).axes[-1]
        )[0]

    def torchs(mode: str, *, flat: bool, **words: Any) -> Array:
        factors = (1, factor) if flat else factor
        y = interpolate(x if flat else line, scale_factor=factors, mode=mode, **words)
        found: Array = y.reshape(5, 5).numpy().T
        return found

    assert (ours("linear") == eye).all()
    assert (torchs("linear", flat=False) == eye).all()
    assert (torchs("bilinear", flat=True) == eye).all()
    assert (ours("bilinear") == eye).all()
    for mode in ("bilinear", "bicubic"):
        assert (ours(mode, antialias=True) == eye).all()
        assert (torchs(mode, flat=True, antialias=True) == eye).all()
    assert (ours("bicubic") != eye).any()
    assert np.abs(ours("bicubic") - torchs("bicubic", flat=True)).max() <= bound("bicubic", 5, 5)
    assert (torchs("nearest", flat=True) == eye).all()
    assert (torchs("nearest", flat=False) != eye).any()
    assert (ours("nearest") == torchs("nearest", flat=False)).all()


# --- torch's float32 picks -------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact"])
def test_float32_index_arithmetic_is_torchs(mode: str) -> None:
    exact_differs = 0
    pairs = [(2, 82), (1, 7), *product((3, 25, 49, 88, 131, 255), range(1, 257, 11))]
    pairs += [tuple(map(int, cases.generator(701, i).integers(1, 257, 2))) for i in range(150)]
    for n, m in pairs:
        x = torch.arange(n, dtype=torch.float32)[None, None]
        theirs = interpolate(x, size=m, mode=mode)[0, 0].numpy()
        op = derive.Interpolate(1, n, size=m, mode=mode, index_arithmetic="float32")
        assert (picked(op) == theirs).all(), op
        exact = derive.Interpolate(1, n, size=m, mode=mode)
        differ = np.flatnonzero(picked(exact) != theirs)
        assert derive.float_index_differences(n, m, mode) == tuple(differ), (n, m)
        exact_differs += bool(len(differ))
    assert exact_differs > 1


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact"])
def test_float32_picks_with_a_scale_factor(mode: str) -> None:
    for n, factor in product((2, 5, 9, 88), (2.0, 1.1, 0.3, 1.7, 41.0, 2.3)):
        if floor(n * factor) in (0, n):
            continue
        x = torch.arange(n, dtype=torch.float32)[None, None]
        theirs = interpolate(x, scale_factor=factor, mode=mode)[0, 0].numpy()
        op = derive.Interpolate(1, n, scale_factor=factor, mode=mode, index_arithmetic="float32")
        assert (picked(op) == theirs).all(), op


def picked(op: derive.Interpolate) -> Array:
    return np.array([op.axes[0].row(y)[0][0] for y in range(op.output_size[0])])


# --- as an operator --------------------------------------------------------------------------


def random_resize(rng: Generator) -> derive.Interpolate:
    return cases.random_resize(rng)


def test_adjoint_is_the_transpose() -> None:
    for case in range(40):
        op = random_resize(cases.generator(702, case))
        assert op.T.matrix() == op.matrix().T
        assert op == op.T.T
        assert op.weight_shape is None
        assert op.T.weight_shape is None


def test_nnz_and_rows() -> None:
    for case in range(60):
        op = random_resize(cases.generator(703, case))
        whole = op.sparse()
        assert whole.nnz == op.nnz
        lo, hi = sorted(int(v) for v in cases.generator(704, case).integers(0, whole.shape[0], 2))
        part = op.rows(lo, hi)
        assert (part.toarray() == whole.toarray()[lo:hi]).all()
        x = cases.integers(cases.generator(705, case), op.input_shape, "float64")
        error = np.abs(op.linear_operator().matvec(x.ravel()) - whole @ x.ravel())
        assert (error <= 64 * U * (abs(whole) @ np.abs(x.ravel()))).all()


@pytest.mark.parametrize("factor", [2, 3, Fraction(1, 2), Fraction(3, 2), Fraction(2, 3)])
@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "linear", "bicubic"])
def test_free_normal_form(mode: str, factor: Fraction) -> None:
    """With a factor the runs of every size are known at once; a chain has them too."""
    axes = 2 if mode == "bicubic" else 1
    op = derive.Interpolate(1, (None,) * axes, scale_factor=factor, mode=mode)
    conv = cases.CONVOLUTIONS[axes](1, 1, 3, padding=1, bias=False)
    fixed = op.at((12,) * axes)
    chain = conv.at(fixed.output_size) @ fixed
    for each, rules in ((op, op.rules), (conv @ op, (conv @ op).rules), (chain, chain.rules)):
        form = each.polyphase()[-1]
        for n in (form.least, form.least + 1, form.least + 5, form.least + 60):
            assert form.at(n) == rules[-1].at(n).runs, (each, n)


def test_no_free_form_where_the_scale_follows_from_the_size() -> None:
    with pytest.raises(ValueError, match="scale_factor"):
        derive.Interpolate(1, 4, size=7).polyphase()
    with pytest.raises(ValueError, match="scale_factor"):
        derive.Interpolate(1, 4, scale_factor=2, mode="area").polyphase()
    conv = derive.Conv1d(1, 1, 3, stride=2, bias=False, input_size=9)
    with pytest.raises(ValueError, match="ends in an adjoint"):
        (conv.T @ derive.Pad(1, (1,), input_size=2)).polyphase()


def test_words_and_equality() -> None:
    op = derive.Interpolate(2, (4, 4), scale_factor=2, mode="bilinear", align_corners=False)
    assert repr(op) == (
        "Interpolate(2, (4, 4), scale_factor=2, mode='bilinear', align_corners=False)"
    )
    assert op == derive.Interpolate(2, (4, 4), scale_factor="2", mode="bilinear")
    assert hash(op) == hash(derive.Interpolate(2, 4, scale_factor=Fraction(2), mode="bilinear"))
    assert op != derive.Interpolate(2, (4, 4), scale_factor=2, mode="bicubic")
    rational = derive.Interpolate(1, 5, scale_factor="3/2")
    assert "floor(3*n_in/2)" in str(rational.size_derivation().formula)
