"""Boxes, of runs and of strands: both are exactly the triples of their axis."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest

from codegen.boxes import Box, boxes_of_run, boxes_of_strands
from derive.core.axis import Axis
from derive.core.rules import ConvolutionRule, TransposedRule
from tests.cases import generator
from tests.derive.axes import axes_of_every_kind

Triple = tuple[int, int, int]


def triples(boxes: Iterable[Box]) -> Iterator[Triple]:
    for box in boxes:
        for q in range(box.count):
            for a in range(box.taps):
                yield (
                    box.y + box.y_step * q,
                    box.t + box.t_step * a,
                    box.x + box.x_step * q + box.x_tap_step * a,
                )


def of_axis(axis: Axis) -> list[Triple]:
    return sorted((y, t, x) for y, t, x, _ in axis.entries())


@pytest.mark.parametrize("chunk", range(8))
def test_both_kinds_are_the_triples(chunk: int) -> None:
    for case in range(60):
        for axis in axes_of_every_kind(generator(410, chunk, case)):
            of_runs = [box for run in axis.runs for box in boxes_of_run(run)]
            assert sorted(triples(of_runs)) == of_axis(axis)
            assert sorted(triples(boxes_of_strands(axis))) == of_axis(axis)


@pytest.mark.parametrize("seed", range(100))
def test_boxes_of_strands_go_by_tap(seed: int) -> None:
    for axis in axes_of_every_kind(generator(411, seed)):
        boxes = boxes_of_strands(axis)
        assert [(box.t, box.y) for box in boxes] == sorted((box.t, box.y) for box in boxes)
        assert all(box.taps == 1 for box in boxes)


@pytest.mark.parametrize("kernel", [1, 2, 5, 31])
@pytest.mark.parametrize("dilation", [1, 3])
def test_the_interior_of_a_convolution_is_one_box(kernel: int, dilation: int) -> None:
    rule = ConvolutionRule(kernel=kernel, dilation=dilation, before=dilation, after=dilation)
    longest = max(rule.at(400).runs, key=lambda run: run.count)
    (box,) = boxes_of_run(longest)
    assert (box.taps, box.t) == (kernel, 0)
    assert kernel == 1 or (box.t_step, box.x_tap_step) == (1, dilation)


def test_a_phase_of_a_transposed_convolution_is_one_box() -> None:
    for run in TransposedRule(kernel=9, stride=4).at(40).runs:
        (box,) = boxes_of_run(run)
        assert box.taps == len(run.taps)


def test_a_dead_run_has_no_box() -> None:
    axis = TransposedRule(kernel=2, stride=2, dilation=2).at(5)
    dead = [run for run in axis.runs if not run.taps]
    assert dead
    assert all(boxes_of_run(run) == [] for run in dead)
