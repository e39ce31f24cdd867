"""A window says of every output it holds for what the axis says of it."""

from __future__ import annotations

from functools import reduce
from operator import matmul

import pytest

from codegen.cuda.windows import Window, window_of
from codegen.lower import lower
from derive import Conv1d, Interpolate, Operator
from derive.core.axis import Axis
from tests.cases import generator, random_chain, random_layer


def read_by(window: Window, y: int) -> list[tuple[int, int]]:
    q, phase = divmod(y, window.step)
    elsewhere = dict(window.elsewhere)
    found = []
    for offset, tap in window.phases[phase]:
        x = window.advance * q + offset
        if 0 <= x < window.n_in:
            found.append((x, tap))
        elif x in elsewhere:
            found.append((elsewhere[x], tap))
    return sorted(found)


def check(axis: Axis) -> None:
    window = window_of(axis)
    for y in range(axis.n_out):
        if window.first <= y // window.step < window.first + window.count:
            expected = sorted((x, t) for x, t, _ in axis.row(y))
            assert read_by(window, y) == expected, (axis, window, y)


def _learned(op: Operator) -> bool:
    return isinstance(op, Operator) and op.learned


@pytest.mark.parametrize("seed", range(8))
def test_random_axes(seed: int) -> None:
    rng = generator(seed)
    ops: list[Operator] = [random_layer(rng) for _ in range(60)]
    ops += [reduce(matmul, random_chain(rng, 2)) for _ in range(20)]
    for op in filter(_learned, ops):
        for axis in lower(op.form).form.axes:
            check(axis)
            check(axis.adjoint())


def _window(op: Operator) -> Window:
    return window_of(lower(op.form).form.axes[0])


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
def test_padding_modes_are_whole(mode: str) -> None:
    window = _window(Conv1d(1, 1, 3, padding=1, padding_mode=mode, input_size=32))
    assert window.whole
    assert [v for v, _ in window.elsewhere] == ([] if mode == "zeros" else [-1, 32])


def test_borders_of_a_resize_are_left_out() -> None:
    resize = Interpolate(1, (32,), scale_factor=2, mode="linear")
    window = _window(Conv1d(1, 1, 3, padding=1, input_size=64) @ resize)
    assert (window.step, window.first, window.count) == (2, 1, 30)


@pytest.mark.parametrize(("size", "dilation"), [(2, 1), (28, 12), (7, 6)])
def test_no_output_need_have_all_taps_inside(size: int, dilation: int) -> None:
    window = _window(Conv1d(1, 1, 3, padding=dilation, dilation=dilation, input_size=size))
    assert window.whole
    assert [tap for _, tap in window.phases[0]] == [0, 1, 2]
