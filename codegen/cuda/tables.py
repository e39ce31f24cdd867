"""An axis as small tables that a kernel reads: of the outputs by runs, of the taps by strands.

They are right for every axis, and short: they grow with the runs and taps, not with the size,
unless an axis has so many runs that it is sooner looked up which one a position is in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from codegen.boxes import boxes_of_run, boxes_of_strands
from derive.core.axis import Axis
from derive.core.folding import Combination

SCANNED = 8  # runs that are searched one after the other


@dataclass(frozen=True, slots=True)
class Rows:
    """The outputs of an axis: output y is in one of ``runs``, which reads ``terms`` begin to end.

    A run is (first, step, count, begin, end). A term of a learned axis is (taps, place in w, step
    in w, place in x, step in x by q, step in x by tap); of another, (place in x, step by q) with
    its coefficient. ``places`` is the run of each y where there are too many to search.
    """

    outputs: int
    runs: tuple[tuple[int, int, int, int, int], ...]
    terms: tuple[tuple[int, ...], ...]
    coefficients: tuple[Fraction, ...] = ()
    places: tuple[int, ...] = ()


def learned_rows(axis: Axis, x_stride: int, w_stride: int) -> Rows:
    """Of an axis with taps; positions and taps lie so many numbers apart.

    >>> from derive.core.rules import ConvolutionRule
    >>> learned_rows(ConvolutionRule(kernel=3).at(5), 10, 1)
    Rows(outputs=3, runs=((0, 1, 3, 0, 1),), terms=((3, 0, 1, 0, 10, 10),), coefficients=(), \
places=())
    """
    runs: list[tuple[int, int, int, int, int]] = []
    terms: list[tuple[int, ...]] = []
    for run in axis.runs:
        boxes = [box for box in boxes_of_run(run) if box.taps]
        runs.append((run.first, run.step, run.count, len(terms), len(terms) + len(boxes)))
        for box in boxes:
            places = (box.t * w_stride, box.t_step * w_stride, box.x * x_stride)
            steps = (box.x_step * x_stride, box.x_tap_step * x_stride)
            terms.append((box.taps, *places, *steps))
    return _searched(axis.n_out, runs, terms)


def fixed_rows(axis: Axis, x_stride: int) -> Rows:
    """Of an axis that learns nothing."""
    runs: list[tuple[int, int, int, int, int]] = []
    terms: list[tuple[int, ...]] = []
    coefficients: list[Fraction] = []
    for run in axis.runs:
        runs.append((run.first, run.step, run.count, len(terms), len(terms) + len(run.taps)))
        for tap in run.taps:
            terms.append(((run.source + tap.offset) * x_stride, run.advance * x_stride))
            coefficients.append(tap.weights[0][1])
    return _searched(axis.n_out, runs, terms, coefficients)


def combined_rows(combinations: Sequence[Combination], stride: int) -> Rows:
    """Of taps that are combinations of other taps."""
    runs: list[tuple[int, int, int, int, int]] = []
    terms: list[tuple[int, ...]] = []
    coefficients: list[Fraction] = []
    for f, combination in enumerate(combinations):
        runs.append((f, 1, 1, len(terms), len(terms) + len(combination)))
        for tap, coefficient in combination:
            terms.append((tap * stride, 0))
            coefficients.append(coefficient)
    return _searched(len(runs), runs, terms, coefficients)


def _searched(
    outputs: int,
    runs: Sequence[tuple[int, int, int, int, int]],
    terms: Sequence[tuple[int, ...]],
    coefficients: Sequence[Fraction] = (),
) -> Rows:
    ordered = tuple(sorted(runs, key=lambda run: -run[2]))  # the longest is found first
    places: list[int] = []
    if len(ordered) > SCANNED:
        places = [0] * outputs
        for i, (first, step, count, _, _) in enumerate(ordered):
            for q in range(count):
                places[first + step * q] = i
    return Rows(outputs, ordered, tuple(terms), tuple(coefficients), tuple(places))


@dataclass(frozen=True, slots=True)
class Taps:
    """The taps of an axis: tap t joins y and x along ``lines`` begin to end of its bounds.

    A line is (place in y, place in x, count); from one to the next of its pairs y advances by
    ``y_step`` and x by ``x_step`` numbers.
    """

    bounds: tuple[tuple[int, int], ...]
    lines: tuple[tuple[int, int, int], ...]
    y_step: int
    x_step: int


def taps_of(axis: Axis, y_stride: int, x_stride: int) -> Taps:
    """Of an axis whose coefficients are all 1."""
    boxes = boxes_of_strands(axis)
    lines = tuple((box.y * y_stride, box.x * x_stride, box.count) for box in boxes)
    bounds = []
    begin = 0
    for tap in range(axis.n_tap):
        end = begin + sum(box.t == tap for box in boxes)
        bounds.append((begin, end))
        begin = end
    return Taps(tuple(bounds), lines, axis.step * y_stride, axis.advance * x_stride)
