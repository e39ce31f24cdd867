"""Boxes: the triples of one axis as loops over positions and taps.

    y = y0 + y_step*q,   t = t0 + t_step*a,   x = x0 + x_step*q + x_tap_step*a

for q < count and a < taps. An axis is a disjoint union of boxes in many ways: by its runs, where
outputs must be met once each, or by its strands, where taps must.
"""

from __future__ import annotations

from dataclasses import dataclass

from derive.core.axis import Axis
from derive.core.polyphase import Run


@dataclass(frozen=True, slots=True)
class Box:
    """One such family of triples."""

    count: int
    taps: int
    y: int
    y_step: int
    t: int
    t_step: int
    x: int
    x_step: int
    x_tap_step: int


def boxes_of_run(run: Run) -> list[Box]:
    """The run's taps as arithmetic progressions, each as long as it goes.

    >>> from derive.core.rules import ConvolutionRule
    >>> run = ConvolutionRule(kernel=3, dilation=2).at(9).runs[0]
    >>> [(box.taps, box.t_step, box.x_tap_step) for box in boxes_of_run(run)]
    [(3, 1, 2)]
    """
    taps = sorted((t, run.source + tap.offset) for tap in run.taps for t, _ in tap.weights)
    boxes = []
    begin = 0
    while begin < len(taps):
        (t, x), end = taps[begin], begin + 1
        t_step = x_step = 0
        if end < len(taps):
            t_step, x_step = taps[end][0] - t, taps[end][1] - x
            while end < len(taps) and taps[end] == (
                t + t_step * (end - begin),
                x + x_step * (end - begin),
            ):
                end += 1
        boxes.append(
            Box(run.count, end - begin, run.first, run.step, t, t_step, x, run.advance, x_step)
        )
        begin = end
    return boxes


def boxes_of_strands(axis: Axis) -> list[Box]:
    """One box for each strand, by tap.

    >>> from derive.core.rules import ConvolutionRule
    >>> [(box.t, box.y, box.count) for box in boxes_of_strands(ConvolutionRule(kernel=2).at(3))]
    [(0, 0, 2), (1, 0, 2)]
    """
    return [
        Box(s.count, 1, s.y, axis.step, s.tap, 0, s.x, axis.advance, 0)
        for s in sorted(axis.strands, key=lambda s: (s.tap, s.y))
    ]
