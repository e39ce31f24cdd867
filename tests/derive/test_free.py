"""The normal form for free sizes against the one of each fixed size."""

import pytest

from derive.core.free import free_polyphase
from derive.core.rules import AdjointRule, AxisRule, ConvolutionRule, TransposedRule
from tests.cases import MODES, generator, random_layer


def check(rule: AxisRule) -> None:
    free = free_polyphase(rule)
    assert free.period == len(free.residues)
    sizes = [*range(free.least, free.least + 3 * free.period + 5), 1000, 1001, 10**6 + 7]
    for n in sizes:
        assert free.at(n) == rule.at(n).runs, (rule, n)


@pytest.mark.parametrize("chunk", range(10))
def test_free_runs_are_the_runs_of_every_size(chunk: int) -> None:
    for case in range(6):
        rule = random_layer(generator(30, chunk, case), 1).rules[0]
        check(rule)
        check(AdjointRule(rule))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("pads", [(0, 0), (3, 1), (-2, 4), (2, -3)])
def test_every_padding_mode(mode: str, stride: int, pads: tuple[int, int]) -> None:
    rule = ConvolutionRule(
        kernel=3, stride=stride, dilation=2, before=pads[0], after=pads[1], mode=mode
    )
    check(rule)
    check(AdjointRule(rule))


@pytest.mark.parametrize("up", [2, 3])
@pytest.mark.parametrize("stride", [1, 2, 4, 6])
def test_every_residue_of_input_dilation(up: int, stride: int) -> None:
    rule = ConvolutionRule(kernel=4, stride=stride, before=2, after=1, up=up)
    check(rule)
    check(AdjointRule(rule))


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("extra", [0, 1, 2])
def test_transposed_with_output_padding(stride: int, extra: int) -> None:
    rule = TransposedRule(kernel=4, stride=stride, dilation=3, before=2, output_padding=extra)
    check(rule)
    check(AdjointRule(rule))


def test_counts_of_the_interior_grow_and_nothing_else() -> None:
    (runs,) = free_polyphase(ConvolutionRule(kernel=3, before=1, after=1)).residues
    growing = [run for run in runs if run.count.free_symbols]
    assert [str(run.count) for run in growing] == ["n - 2"]
    assert all(not tap.offset.free_symbols for run in runs for tap in run.taps)


def test_circular_borders_read_the_other_end() -> None:
    rule = ConvolutionRule(kernel=3, before=1, after=1, mode="circular")
    (runs,) = free_polyphase(rule).residues
    assert [str(tap.offset) for tap in runs[0].taps] == ["0", "1", "n - 1"]


def test_sizes_where_borders_may_meet_are_refused() -> None:
    free = free_polyphase(ConvolutionRule(kernel=5, before=2, after=2))
    with pytest.raises(ValueError, match=f"n = {free.least - 1}: .* n = {free.least} on"):
        free.at(free.least - 1)
