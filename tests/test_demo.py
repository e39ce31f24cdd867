"""The demonstration on a small picture, through the kernels that need no compiler."""

from __future__ import annotations

from fractions import Fraction
from math import prod

import numpy as np
import pytest

import codegen
import derive
from demo.__main__ import draw
from demo.layers import LUMINANCE, Panel, panels, phase_means, smoothing
from tests.cases import generator

SIZE = (14, 12)
CONVOLUTION, CHECKERED, PROJECTED, *RESIZED = panels(SIZE)
QUIET = [PROJECTED, *RESIZED]


def test_the_whole_picture() -> None:
    picture = generator(72).random((3, *SIZE)).astype(np.float32)
    figure = draw(picture, (slice(4, 10), slice(3, 9)), target="numpy")
    upper, lower = figure.subfigs
    titles = [axes.get_title() for axes in (*upper.axes, *lower.axes)]
    assert titles[0] == "photograph, 12 x 14"
    assert all(panel.title in titles for panel in (CHECKERED, *QUIET))
    counts = [int(text.get_text()) for text in upper.axes[2].texts]
    assert counts == CHECKERED.op.overlap()[:9, :9].ravel().tolist()
    seen = lower.axes[0].images[0].get_array()
    assert np.array_equal(seen, CHECKERED(picture, "numpy")[8:20, 6:18])
    figure.canvas.draw()


def test_all_have_the_same_total_and_nothing_rounded() -> None:
    assert CONVOLUTION.weight.sum() == LUMINANCE.sum() == 1
    assert CHECKERED.weight.sum() == PROJECTED.weight.sum() == 4
    assert {resized.weight.sum() for resized in RESIZED} == {1}
    assert all(isinstance(w, Fraction) for panel in QUIET for w in panel.weight.flat)
    assert np.array_equal(CONVOLUTION.weight, RESIZED[0].weight)
    taps = smoothing()
    assert len(set(taps.flat)) > 1
    assert max(taps.flat) < min(taps.flat) * Fraction(11, 9) + Fraction(1, 900)


def constant_answers(op: derive.LinearMap, weight: np.ndarray) -> set[Fraction]:
    """What a picture of ones becomes away from the border, exactly."""
    answer = op.apply(np.full(op.input_shape, Fraction(1)), weight)[0, 4:-4, 4:-4]
    return set(answer.flat)


@pytest.mark.parametrize("panel", QUIET, ids=lambda panel: panel.title)
def test_plain_grey_stays_plain_exactly(panel: Panel) -> None:
    assert constant_answers(panel.op, panel.weight) == {1}


def test_the_unprojected_kernel_makes_a_checkerboard() -> None:
    answers = constant_answers(CHECKERED.op, CHECKERED.weight)
    assert len(answers) == 4
    assert max(answers) > 3 * min(answers)


@pytest.mark.parametrize("panel", QUIET, ids=lambda panel: panel.title)
def test_phase_means_in_float32_are_equal_within_rounding(panel: Panel) -> None:
    """An output is a sum of products of weights, themselves rounded sums: gamma_n * sum |w||x|.

    n roundings at most: a weight, the taps folded into it, its product, and the sum of an output.
    """
    grey = np.full((3, *SIZE), 1 / 2, dtype=np.float32)
    means = phase_means(panel(grey, "numpy").astype(np.float64))
    taps, reads = prod(panel.weight.shape), 3 * 16  # inputs of bicubic, the widest
    unit = np.finfo(np.float32).eps / 2
    n = 1 + taps + 1 + reads
    bound = n * unit / (1 - n * unit) * float(reach(panel)) / 2
    assert np.ptp(means) <= 2 * bound < 1e-3
    assert np.ptp(phase_means(CHECKERED(grey, "numpy"))) > 0.3


def reach(panel: Panel) -> Fraction:
    """The largest sum of |weights| in an output, those of a resize included."""
    ones = np.full(panel.op.input_shape, Fraction(1))
    return 2 * max(panel.op.apply(ones, abs(panel.weight)).flat)  # Keys' kernel: below 2 in all


def test_the_projected_weight_is_checkerboard_free_in_integers() -> None:
    scale = np.lcm.reduce([w.denominator for w in PROJECTED.weight.flat])
    weight = np.array([int(w * scale) for w in PROJECTED.weight.flat], dtype=np.int64)
    kernel = codegen.build(PROJECTED.op, "numpy", dtype="int64")
    ones = np.ones((3, *SIZE), dtype=np.int64)
    inner = kernel(ones, weight.reshape(PROJECTED.weight.shape))[0, 4:-4, 4:-4]
    assert np.unique(inner).tolist() == [scale]


def test_without_a_compiler_the_numpy_kernel_is_used(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    build = codegen.build

    def failing(op: derive.Operator, target: str) -> object:
        if target == "c":
            raise codegen.CompileError("no compiler")
        return build(op, target)

    monkeypatch.setattr(codegen, "build", failing)
    picture = np.ones((3, *SIZE), dtype=np.float32)
    assert np.array_equal(CONVOLUTION(picture), CONVOLUTION(picture, "numpy"))
    assert "using the NumPy kernel" in capsys.readouterr().out
