"""Fast kernels stay within their bound, whatever the data, and it is at most 50 times too wide."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.random import Generator
from numpy.typing import NDArray

from codegen import Kernel, build
from codegen._runtime.machine import candidates
from codegen.transforms import candidates as transforms
from codegen.transforms import choice
from codegen.transforms.bound import transform_bound
from derive import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, Interpolate, Operator
from derive.apply import by_strands
from derive.core.form import TrilinearForm
from tests.cases import generator
from tests.codegen.libraries import kernels_for, needs_compiler
from tests.codegen.test_error_bound import DATA, cancelling

Array = NDArray[Any]
TIGHT = 50  # the largest bound over the largest error that is seen, with normal data
WIDER = np.longdouble  # in which the right answers of float64 are computed
needs_wider = pytest.mark.skipif(
    np.finfo(WIDER).nmant < 63, reason="no float wider than float64 to compare with"
)


def resized(mode: str, channels: int, size: tuple[int, int]) -> Operator:
    outer = Conv2d(channels, 16, 3, padding=1, input_size=tuple(2 * n for n in size))
    fused = outer @ Interpolate(channels, size, scale_factor=2, mode=mode)
    assert isinstance(fused, Operator)
    return fused


FAMILIES: dict[str, Operator] = {
    "plain": Conv2d(16, 16, 3, padding=1, input_size=(20, 21)),
    "strided": Conv2d(16, 16, 3, 2, 1, input_size=(21, 22)),
    "dilated": Conv2d(16, 16, 3, padding=2, dilation=2, input_size=(17, 18)),
    "transposed 4x4": ConvTranspose2d(16, 16, 4, 2, 1, input_size=(10, 11)),
    "transposed 3x3": ConvTranspose2d(16, 16, 3, 2, 1, output_padding=1, input_size=(9, 10)),
    "nearest": resized("nearest", 16, (8, 9)),
    "bilinear": resized("bilinear", 16, (8, 9)),
    "reflect": Conv2d(16, 16, 3, padding=1, padding_mode="reflect", input_size=(14, 15)),
    "groups": Conv2d(32, 32, 3, padding=1, groups=2, bias=False, input_size=(13, 14)),
    "volume": Conv3d(16, 16, 3, padding=1, input_size=(6, 12, 13)),
    "row": Conv1d(16, 16, 3, padding=1, input_size=300),
    "vocoder": ConvTranspose1d(16, 16, 16, 8, 4, input_size=60),
}


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fast algorithm wherever there is one, also where it does not pay."""
    monkeypatch.setattr(choice, "WORTH", float("inf"))


def cases(
    op: Operator, rng: Generator, dtype: str, draw: Any
) -> Iterator[tuple[str, list[Array], Array, Array]]:
    """The inputs of forward and input gradient, what is right, and how far that may be off."""
    x, g = (draw(rng, (2, *s)).astype(dtype) for s in (op.input_shape, op.output_shape))
    w = draw(rng, op.form.weight_shape).astype(dtype)
    bias = [draw(rng, op.bias_shape).astype(dtype)] if op.bias_shape else []
    y, off = answer(op.form, w, x)
    if bias:
        y = y + bias[0].astype(y.dtype).reshape(-1, *(1 for _ in op.form.axes))
    yield "forward", [x, w, *bias], y, off
    yield "input_gradient", [g, w], *answer(op.form.adjoint, w, g)


def answer(form: TrilinearForm, w: Array, x: Array) -> tuple[Array, Array]:
    """In an arithmetic of more bits, with its own rounding error."""
    wider = np.dtype(np.float64 if w.dtype == np.float32 else WIDER)
    w, x = w.astype(wider), x.astype(wider)
    terms = form.channels_in * prod(2 * axis.n_tap for axis in form.axes)
    reach = by_strands(form.absolute, abs(w))(abs(x))
    return by_strands(form, w)(x), terms * np.finfo(wider).eps * reach


def normal(rng: Generator, shape: tuple[int, ...]) -> Array:
    return rng.standard_normal(shape)


@needs_compiler
@needs_wider
@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("optimised", [False, True], ids=["apart", "fused"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_errors_stay_below(tmp_path: Path, dtype: str, optimised: bool) -> None:
    """With products fused and not, on hard data; and not far below, on normal data."""
    machine, fast, ratios = candidates()[0], 0, {}
    few = optimised or dtype == "float64"  # wider floats are slow
    hard = {"cancelling": cancelling} if few else DATA
    ops = list(FAMILIES.values())
    found = kernels_for(tmp_path, ops, machine, dtype, "fast", optimised=optimised)
    for (kernel, op), name in zip(found, FAMILIES, strict=True):
        rng = generator(940)
        for kind, draw in {**hard, "normal": normal}.items():
            for direction, inputs, right, off in cases(op, rng, dtype, draw):
                if direction not in kernel.fast:
                    continue
                got = getattr(kernel, direction)(*inputs)
                bound = kernel.error_bound(*inputs, direction=direction)
                wrong = np.abs(got - right)
                assert (wrong <= bound + off).all(), (name, kind, direction)
                if kind == "normal":
                    fast += 1
                    ratios[name, direction] = float(bound.max() / wrong.max())
    assert fast > len(FAMILIES)
    assert max(ratios.values()) <= TIGHT, ratios


@needs_compiler
@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("m", [2, 3, 4, 6])
def test_many_channels(tmp_path: Path, m: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """F(2 x 2) to F(6 x 6): sums of hundreds of terms are followed term by term."""
    monkeypatch.setattr(choice, "OUTPUTS", (m,))
    op = Conv2d(256, 32, 3, padding=1, input_size=24)
    ((kernel, _),) = kernels_for(tmp_path, [op], candidates()[0], "float32", "fast", optimised=True)
    for direction, inputs, right, off in cases(op, generator(941), "float32", normal):
        wrong = np.abs(getattr(kernel, direction)(*inputs) - right)
        bound = kernel.error_bound(*inputs, direction=direction)
        assert (wrong <= bound + off).all()
        assert bound.max() <= TIGHT * wrong.max(), float(bound.max() / wrong.max())


@pytest.fixture(scope="module")
def kernel() -> Kernel:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choice, "WORTH", float("inf"))
        made = build(Conv2d(16, 16, 3, padding=1, input_size=(14, 15)), algorithm="fast")
    assert isinstance(made, Kernel)
    return made


def data(kernel: Kernel, batch: int = 1) -> tuple[Array, Array, Array]:
    rng = generator(942)
    shapes = (batch, *kernel.input_shape), kernel.weight_shape, kernel.bias_shape
    x, w, b = (rng.standard_normal(shape).astype("f4") for shape in shapes)
    return x, w, b


@needs_compiler
def test_fast_functions_are_named(kernel: Kernel) -> None:
    assert kernel.fast == ("forward", "input_gradient")
    exact = build(Conv2d(1, 1, 3, input_size=4))
    assert isinstance(exact, Kernel)
    assert exact.fast == ()


@needs_compiler
def test_tiles_of_zeros_are_exact(kernel: Kernel) -> None:
    """Elsewhere only the bias is added, and the bound is 0."""
    x, w, b = data(kernel)
    x[..., 3:, :] = 0
    x[..., 3:] = 0
    bound, y = kernel.error_bound(x, w, b), kernel(x, w, b)
    assert (bound[..., :4, :4] > 0).all()
    assert not bound[..., -1, :].any()
    assert not bound[..., -1].any()
    assert (y[..., -1] == b[:, None]).all()


@needs_compiler
def test_shapes(kernel: Kernel) -> None:
    x, w, b = data(kernel, 3)
    whole = kernel.error_bound(x, w, b)
    assert whole.shape == (3, *kernel.output_shape)
    assert np.array_equal(kernel.error_bound(x[1], w, b), whole[1])
    assert kernel.error_bound(x[:0], w, b).shape == (0, *kernel.output_shape)


@needs_compiler
def test_what_may_leave_the_range(kernel: Kernel) -> None:
    """inf where a sum, a transformed input or weight may overflow; never NaN for finite data."""
    limit = float(np.finfo("f4").max)
    for place, value in [(0, limit / 3), (1, limit / 3), (2, limit)]:
        inputs = data(kernel)
        inputs[place][(0,) * inputs[place].ndim] = value
        bound = kernel.error_bound(*inputs)
        assert np.isinf(bound).any(), place
        assert not np.isnan(bound).any()
        assert np.isfinite(bound[0, -1, -1, -1]) or place == 1
    for value in (np.nan, np.inf):
        x, w, b = data(kernel)
        x[0, 0, 0, 0] = value
        bound = kernel.error_bound(x, w, b)
        assert not np.isfinite(bound[:, :, :2, :2]).any()  # no number is a bound there
        assert np.isfinite(bound[..., -1, -1]).all()


@needs_compiler
def test_numbers_that_underflow(kernel: Kernel) -> None:
    """The smallest numbers count where products vanish."""
    x, w, b = (array * np.float32(1e-24) for array in data(kernel))
    right = by_strands(Conv2d(16, 16, 3, padding=1, input_size=(14, 15)).form, w.astype("f8"))(
        x.astype("f8")
    )
    wrong = np.abs(kernel(x, w, 0 * b) - right)
    bound = kernel.error_bound(x, w, 0 * b)
    assert wrong.any()
    assert (wrong <= bound).all()
    assert bound.max() < 1e-36


def test_followed_in_order_it_is_tighter() -> None:
    op = Conv2d(64, 8, 3, padding=1, input_size=12)
    x, w = (generator(943).standard_normal(s) for s in ((1, *op.input_shape), op.weight_shape))
    for _, transform in transforms(op.form, candidates()[0], 4)[:2]:
        tight, loose = (
            transform_bound(transform, [x, w], "float32", in_order=each) for each in (True, False)
        )
        assert (tight < loose).all()
        assert tight.max() < loose.max() / 2


def test_wide_layers_are_bounded_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of tiles at a time give what all of them give."""
    op = Conv2d(16, 8, 3, padding=1, input_size=20)
    x, w = (generator(944).standard_normal(s) for s in ((1, *op.input_shape), op.weight_shape))
    _, transform = transforms(op.form, candidates()[0], 4)[0]
    whole = transform_bound(transform, [x, w], "float32")
    monkeypatch.setattr("codegen.transforms.bound.LARGEST", 1)
    assert np.allclose(transform_bound(transform, [x, w], "float32"), whole, rtol=1e-12)
