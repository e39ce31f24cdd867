"""Tiles put together again are the exact axis: every family, random parameters, with borders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import derive
from derive import GeometryError
from derive.core.resize_rule import ResizeRule
from derive.core.rules import AdjointRule, AxisRule, ChainRule, ConvolutionRule, TransposedRule
from derive.operator import Operator
from derive.winograd import (
    Borders,
    Interior,
    Tile,
    borders,
    fast_axis,
    fast_tile,
    growth,
    phases,
    summed,
)
from tests.cases import generator
from tests.winograd.tiling import Tensor, assembled, exact, run, written

CASES = 45


def number(rng: np.random.Generator, low: int, high: int) -> int:
    return int(rng.integers(low, high + 1))


def convolution(rng: np.random.Generator, mode: str = "zeros", **given: int) -> ConvolutionRule:
    kernel, dilation = number(rng, 1, 7), number(rng, 1, 3)
    reach = dilation * (kernel - 1)
    parameters = {
        "kernel": kernel,
        "stride": number(rng, 1, 4),
        "dilation": dilation,
        "before": number(rng, 0, reach),
        "after": number(rng, 0, reach),
    }
    return ConvolutionRule(mode=mode, **{**parameters, **given})


def transposed(rng: np.random.Generator) -> TransposedRule:
    stride, kernel, dilation = number(rng, 1, 4), number(rng, 1, 7), number(rng, 1, 3)
    return TransposedRule(
        kernel=kernel,
        stride=stride,
        dilation=dilation,
        before=number(rng, 0, dilation * (kernel - 1) // 2),
        after=number(rng, 0, dilation * (kernel - 1) // 2),
        output_padding=number(rng, 0, stride - 1),
    )


def resized(rng: np.random.Generator) -> ChainRule:
    kind = str(rng.choice(("nearest", "linear", "cubic", "nearest-exact")))
    inner = ResizeRule(kind=kind, factor=Fraction(number(rng, 2, 3)))
    kernel = number(rng, 1, 5)
    pads = {"before": number(rng, 0, kernel - 1), "after": number(rng, 0, kernel - 1)}
    stride, dilation = number(rng, 1, 2), number(rng, 1, 2)
    return ChainRule(
        convolution(rng, kernel=kernel, stride=stride, dilation=dilation, **pads), inner
    )


def padded(rng: np.random.Generator) -> ConvolutionRule:
    mode = str(rng.choice(("reflect", "replicate", "circular")))
    return convolution(rng, mode, dilation=1, stride=number(rng, 1, 2))


def spread(rng: np.random.Generator) -> ConvolutionRule:
    return convolution(rng, up=number(rng, 2, 3), dilation=1)


FAMILIES = {
    "convolution": convolution,
    "transposed": transposed,
    "resized": resized,
    "padded": padded,
    "spread": spread,
}


def random_tile(rule: AxisRule, rng: np.random.Generator) -> Tile:
    step = Interior.of(rule).step
    return fast_axis(rule, step * number(rng, 1, max(1, 8 // step)))


@pytest.mark.parametrize("family", FAMILIES)
def test_tiles_make_the_axis(family: str) -> None:
    rng = generator(1)
    transformed = mended = 0
    for _ in range(CASES):
        rule = FAMILIES[family](rng)
        tile, axis = random_tile(rule, rng), rule.at(number(rng, 20, 40))
        wrong, limits = tile.unlike(axis), borders(tile, axis)
        found, wanted = assembled(tile, axis), exact(axis)
        assert written(tile, axis) == dict.fromkeys(range(axis.n_out), 1)
        assert {p[0] for p in {*found, *wanted} if found.get(p) != wanted.get(p)} == set(wrong)
        assert not (wrong and family in ("convolution", "transposed", "spread"))
        assert {*limits.direct} <= {*wrong}
        assert _mended(found, tile, limits, axis.n_out) == {
            p: value for p, value in wanted.items() if p[0] not in limits.direct
        }
        mended += len(wrong) > len(limits.direct)
        transformed += growth(tile.algorithm) > 1
    assert transformed > CASES // 6
    assert mended > CASES // 3 or family in ("convolution", "transposed", "spread")


def _mended(found: Tensor, tile: Tile, limits: Borders, n_out: int) -> Tensor:
    """With the border tiles put in, and without the outputs that are summed directly."""
    replaced = {y + each.shift for each in limits.tiles for y in tile.outputs} | {*limits.direct}
    kept = {place: value for place, value in found.items() if place[0] not in replaced}
    for each in limits.tiles:
        algorithm = replace(tile.algorithm, BT=each.BT, n_in=len(each.inputs))
        kept |= {
            (tile.outputs[j] + each.shift, t, each.inputs[i]): value
            for (j, t, i), value in algorithm.tensor.items()
            if 0 <= tile.outputs[j] + each.shift < n_out
        }
    return kept


@pytest.mark.parametrize("family", ["convolution", "transposed", "spread"])
def test_the_adjoint_of_the_algorithm_is_that_of_the_adjoint_axis(family: str) -> None:
    rng = generator(2)
    for _ in range(CASES // 2):
        rule = FAMILIES[family](rng)
        tile, axis = random_tile(rule, rng), rule.at(number(rng, 15, 30))
        spreading, adjoint = tile.adjoint(), axis.adjoint()
        gathering = random_tile(AdjointRule(rule), rng)
        assert spreading.adjoint() == tile
        assert spreading.products == tile.products
        assert not gathering.unlike(adjoint)
        assert assembled(spreading, adjoint) == assembled(gathering, adjoint) == exact(adjoint)


def test_only_an_adjoint_adds_tiles_up() -> None:
    tile = fast_axis(ConvolutionRule(kernel=3), 4)
    assert not tile.overlaps
    assert tile.adjoint().overlaps
    assert not fast_axis(ConvolutionRule(kernel=3, dilation=2), 2).adjoint().adjoint().overlaps
    assert not fast_axis(ConvolutionRule(kernel=2, stride=2), 2).adjoint().overlaps


def conv(k: int, mode: str = "zeros", **kw: int) -> ConvolutionRule:
    return ConvolutionRule(kernel=k, before=k // 2, after=k // 2, mode=mode, **kw)


def up(kind: str, factor: int, k: int = 3) -> ChainRule:
    return ChainRule(conv(k), ResizeRule(kind=kind, factor=Fraction(factor)))


@pytest.mark.parametrize(
    ("rule", "m", "products", "input_rows"),
    [
        (conv(3), 4, 6, 6),
        (conv(3), 6, 8, 8),
        (conv(3, stride=2), 4, 9, 9),  # 4 identity products and F(4, 2)
        (ConvolutionRule(kernel=3, dilation=2), 6, 8, 8),
        (conv(7, stride=2), 4, 13, 13),  # F(4, 4) and F(4, 3)
        (TransposedRule(kernel=4, stride=2, before=1, after=1), 6, 8, 4),
        (TransposedRule(kernel=2, stride=2), 4, 4, 2),
        (TransposedRule(kernel=3, stride=2, before=1, after=1), 6, 7, 7),  # 3 and F(3, 2)
        (TransposedRule(kernel=16, stride=8, before=4, after=4), 32, 40, 5),
        (up("nearest", 2), 2, 3, 3),
        (up("nearest", 2), 4, 5, 4),
        (up("nearest", 2), 6, 7, 5),
        (up("nearest", 3), 3, 3, 3),
        (up("linear", 2), 6, 8, 8),
        (up("cubic", 2), 6, 8, 8),
        (AdjointRule(up("nearest", 2)), 3, 7, 7),
        (AdjointRule(conv(3, stride=2)), 4, 5, 4),
        (ResizeRule(kind="linear", factor=Fraction(2)), 4, 4, 4),
    ],
)
def test_products(rule: AxisRule, m: int, products: int, input_rows: int) -> None:
    tile = fast_axis(rule, m)
    assert (tile.products, len(tile.algorithm.input_rows)) == (products, input_rows)


def test_of_equal_counts_the_least_growth() -> None:
    """F(4, 3) of linear x2 takes as many products from either phase, and with points in pairs."""
    assert growth(fast_axis(up("linear", 2), 4).algorithm) == Fraction(50, 9)


def test_a_wrong_tile_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = phases.phase_tile

    def reversed_(interior: Interior, m: int, points: Sequence[Fraction]) -> Tile:
        tile = honest(interior, m, points)
        return replace(tile, outputs=tile.outputs[::-1])

    monkeypatch.setattr(phases, "phase_tile", reversed_)
    with pytest.raises(AssertionError, match="the algorithm has"):
        fast_axis(conv(3), 2)


def test_windows() -> None:
    """Where tiles lie: shifted so that phases share a window, spaced for a dilation."""
    four = fast_axis(TransposedRule(kernel=4, stride=2, before=1, after=1), 6)
    assert (four.outputs, four.inputs) == ((1, 2, 3, 4, 5, 6), (0, 1, 2, 3))
    assert (four.output_step, four.input_step) == (6, 3)
    dilated = fast_axis(ConvolutionRule(kernel=3, dilation=2, before=2, after=2), 4)
    assert (dilated.outputs, dilated.inputs) == ((0, 2, 4, 6), (-2, 0, 2, 4, 6, 8))
    assert (dilated.images, dilated.output_step, dilated.spacing, dilated.origin) == (2, 8, 2, -2)
    nearest = fast_axis(up("nearest", 2), 6)
    assert (nearest.outputs[0] - 1) % 2 == 1  # the first position read of the resized signal
    assert (nearest.output_step, nearest.input_step, len(nearest.inputs)) == (6, 3, 5)


def op2d(layer: derive.LinearMap) -> Operator:
    assert isinstance(layer, Operator)
    return layer


OPERATORS = {
    "conv": (derive.Conv2d(2, 3, 3, padding=1, bias=False, input_size=(9, 8)), (4, 2), 24),
    "strided": (derive.Conv2d(2, 1, 3, stride=2, padding=1, bias=False, input_size=9), (2, 2), 25),
    "dilated": (
        derive.Conv2d(1, 2, 3, dilation=2, padding=2, bias=False, input_size=7),
        (2, 2),
        16,
    ),
    "rows summed": (
        derive.Conv2d(2, 1, (3, 7), stride=2, bias=False, input_size=13),
        (None, 4),
        39,
    ),
    "transposed": (
        derive.ConvTranspose2d(2, 2, 4, stride=2, padding=1, bias=False, input_size=5),
        (6, 6),
        64,
    ),
    "nearest": (
        derive.Conv2d(2, 2, 3, padding=1, bias=False, input_size=(12, 14))
        @ derive.Interpolate(2, (6, 7), scale_factor=2, mode="nearest"),
        (6, 6),
        49,
    ),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_a_whole_operator(name: str) -> None:
    layer, m, products = OPERATORS[name]
    op, rng = op2d(layer), generator(3)
    tile = fast_tile(op, m)
    assert tile.products == products
    x = rng.integers(-9, 10, op.input_shape).astype(object)
    assert op.weight_shape is not None
    weight = rng.integers(-9, 10, op.weight_shape).astype(object)
    by_output = weight if op.output_leads else weight.swapaxes(0, 1)
    assert (run(tile, op, x, by_output) == op.apply(x, weight)).all()


@pytest.mark.parametrize(
    "rule",
    [
        *(conv(3, mode=mode) for mode in ("reflect", "replicate", "circular")),
        up("linear", 2),
        up("cubic", 2),
        up("nearest", 2),
    ],
)
def test_no_border_needs_direct_sums(rule: AxisRule) -> None:
    axis = rule.at(21)
    tile = fast_axis(rule, 6)
    limits = borders(tile, axis)
    assert limits.direct == ()
    assert len(limits.tiles) == (0 if rule == up("nearest", 2) else 2)


def test_a_border_may_miss_a_product() -> None:
    """Reflected, the resized signal comes in other pairs, which a dropped product would tell."""
    rule = ChainRule(conv(5, "reflect"), ResizeRule(kind="nearest", factor=Fraction(2)))
    tile, axis = fast_axis(rule, 6), rule.at(21)
    assert tile.products == 9
    assert tile.unlike(axis) == (0, 1, 40, 41)
    limits = borders(tile, axis)
    assert limits.direct == (40, 41)
    assert [each.shift + tile.outputs[0] for each in limits.tiles] == [-5, 1]


def test_depth_taps_are_summed() -> None:
    op = op2d(derive.Conv3d(1, 1, 3, padding=1, input_size=(9, 9, 9)))
    tile = fast_tile(op, (None, 4, 4))
    assert tile.products == 3 * 36
    assert tile.products_per_output == Fraction(27, 4)
    assert tile.axes[0].algorithm.AT == ((1, 1, 1),)
    assert tile.input_rows == 108


def test_a_small_axis_takes_the_rule() -> None:
    """No size is too small: the rule knows the interior."""
    op = op2d(derive.Conv1d(1, 1, 7, padding=3, input_size=2))
    tile = fast_tile(op, (2,))
    assert tile.axes[0].products == 8
    assert assembled(tile.axes[0], op.axes[0]) == exact(op.axes[0])


def test_a_scale_of_the_size_takes_the_axis() -> None:
    rule = ResizeRule(kind="area", factor=Fraction(1, 2))
    with pytest.raises(GeometryError, match="give an axis of one size"):
        fast_axis(rule, 2)
    layer = derive.Conv1d(1, 1, 3, bias=False, input_size=20) @ derive.Interpolate(
        1, 40, scale_factor=0.5, mode="area"
    )
    tile = fast_tile(op2d(layer), (4,))
    assert tile.products == 6
    assert assembled(tile.axes[0], op2d(layer).axes[0]) == exact(op2d(layer).axes[0])


def test_summed_axes_have_no_transform() -> None:
    tile = summed(TransposedRule(kernel=5, stride=2, before=2, after=2))
    assert tile.products == 5
    assert growth(tile.algorithm) == 1


def test_refused() -> None:
    two = up("nearest", 2)
    with pytest.raises(GeometryError, match="m = 3: allowed is a multiple of the 2 phases"):
        fast_axis(two, 3)
    with pytest.raises(GeometryError, match="m = 0: allowed is an int >= 1"):
        fast_axis(two, 0)
    with pytest.raises(GeometryError, match=r"m = \(2,\): allowed is an int, or 2 of ints"):
        fast_tile(op2d(derive.Conv2d(1, 1, 3, input_size=4)), (2,))
    square = op2d(derive.Conv2d(1, 1, 3, input_size=9))
    assert fast_tile(square, 2) == fast_tile(square, (2, 2))
    with pytest.raises(GeometryError, match="allowed is those of this tile"):
        fast_axis(two, 2).unlike(conv(3).at(9))


def test_few_points_leave_direct_products() -> None:
    assert fast_axis(conv(3), 4, points=(0, 1, -1)).products == 12
    assert fast_axis(conv(3), 2, points=(0, 1, -1)).products == 4
