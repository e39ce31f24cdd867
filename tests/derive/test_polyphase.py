"""Runs: every output in exactly one, and together the tensor that the strands are."""

from math import gcd
from time import process_time

import numpy as np
import pytest

from derive.core.axis import Axis
from derive.core.polyphase import Run
from derive.core.rules import ConvolutionRule, TransposedRule
from tests import definition
from tests.cases import MODES, generator
from tests.derive.axes import axes_of_every_kind

CHUNKS = range(8)
PER_CHUNK = range(60)


def outputs(run: Run) -> range:
    return range(run.first, run.first + run.step * run.count, run.step)


@pytest.mark.parametrize("chunk", CHUNKS)
def test_runs_partition_the_outputs(chunk: int) -> None:
    for case in PER_CHUNK:
        for axis in axes_of_every_kind(generator(20, chunk, case)):
            places = [y for run in axis.runs for y in outputs(run)]
            assert sorted(places) == list(range(axis.n_out)), axis
            assert [run.first for run in axis.runs] == sorted(run.first for run in axis.runs)


@pytest.mark.parametrize("chunk", CHUNKS)
def test_runs_are_the_tensor(chunk: int) -> None:
    for case in PER_CHUNK:
        for axis in axes_of_every_kind(generator(21, chunk, case)):
            sizes = {"n_in": axis.n_in, "n_out": axis.n_out, "n_tap": axis.n_tap}
            dense = definition.of_runs(axis.runs, **sizes)
            assert (dense == definition.of_axis(axis)).all(), axis


@pytest.mark.parametrize("chunk", CHUNKS)
def test_taps_are_sorted_by_offset_and_inside(chunk: int) -> None:
    for case in PER_CHUNK:
        for axis in axes_of_every_kind(generator(22, chunk, case)):
            for run in axis.runs:
                assert (run.step, run.advance) == (axis.step, axis.advance)
                if not run.taps:
                    continue
                offsets = [tap.offset for tap in run.taps]
                assert offsets[0] == 0
                assert offsets == sorted(set(offsets))
                last = run.source + run.advance * (run.count - 1) + offsets[-1]
                assert 0 <= run.source <= last < axis.n_in
                for tap in run.taps:
                    taps = [t for t, _ in tap.weights]
                    assert taps == sorted(set(taps)) != []
                    assert all(coefficient for _, coefficient in tap.weights)


@pytest.mark.parametrize("chunk", CHUNKS)
def test_neighbouring_runs_differ(chunk: int) -> None:
    """No two runs of a phase could be one: the list is as short as it can be."""
    for case in PER_CHUNK:
        for axis in axes_of_every_kind(generator(23, chunk, case)):
            runs = {run.first: run for run in axis.runs}
            for run in axis.runs:
                following = runs.get(run.first + run.step * run.count)
                if following is not None and following.taps == run.taps:
                    assert run.taps
                    assert following.source != run.source + run.advance * run.count


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("up", [1, 2])
def test_length_does_not_grow_with_the_size(mode: str, stride: int, up: int) -> None:
    rule = ConvolutionRule(kernel=4, stride=stride, dilation=2, before=3, after=2, mode=mode, up=up)
    for axis in ("at", "adjoint"):
        lengths = set()
        for n in (600, 600 + 10**3 * stride, 600 + 10**9 * stride):
            found = rule.at(n) if axis == "at" else rule.at(n).adjoint()
            lengths.add(len(found.runs))
        assert len(lengths) == 1


def test_a_million_positions_take_milliseconds() -> None:
    rule = ConvolutionRule(kernel=5, stride=2, dilation=3, before=4, after=4, mode="reflect")
    rule.at(100)
    begin = process_time()
    runs = rule.at(10**6).runs
    assert process_time() - begin < 0.1  # 10 ms on an idle machine
    assert sum(run.count for run in runs) == rule.output_size(10**6)


def test_transposed_stride_two_has_an_even_and_an_odd_phase() -> None:
    axis = TransposedRule(kernel=3, stride=2).at(10)
    interior = [run for run in axis.runs if run.count > 1]
    taps = [[t for tap in run.taps for t, _ in tap.weights] for run in interior]
    assert sorted(taps) == [[1], [2, 0]]
    assert {(run.step, run.advance) for run in interior} == {(2, 1)}


@pytest.mark.parametrize("stride", range(1, 6))
@pytest.mark.parametrize("dilation", range(1, 5))
@pytest.mark.parametrize("kernel", range(1, 6))
def test_overlap_of_each_phase(kernel: int, stride: int, dilation: int) -> None:
    """Phase r of a transposed convolution holds the taps with dilation*t = r (mod stride)."""
    axis = TransposedRule(kernel=kernel, stride=stride, dilation=dilation).at(40)
    by_phase: dict[int, Run] = {}
    for run in axis.runs:
        longest = by_phase.setdefault(run.first % stride, run)
        if run.count > longest.count:
            by_phase[run.first % stride] = run
    for phase in range(stride):
        expected = [t for t in range(kernel) if (dilation * t - phase) % stride == 0]
        found = [t for tap in by_phase[phase].taps for t, _ in tap.weights]
        assert sorted(found) == expected
        if phase % gcd(stride, dilation):
            assert found == []  # dead outputs


def test_zero_outputs_have_no_runs() -> None:
    axis = ConvolutionRule(kernel=3).at(2)
    assert axis.n_out == 0
    assert axis.runs == ()
    assert np.size(definition.of_axis(axis)) == 0


def test_dead_outputs_are_runs_without_taps() -> None:
    axis = Axis(n_in=4, n_out=3, n_tap=1, step=2, advance=1, strands=())
    assert [(run.first, run.count, run.taps) for run in axis.runs] == [(0, 2, ()), (1, 1, ())]
