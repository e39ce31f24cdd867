"""Blocks of output rows, and the input rows that each adds up: loops for the outer axes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from codegen.boxes import boxes_of_run
from codegen.nests import Affine, Loop
from codegen.places import loops_of, row_of
from derive.core.form import TrilinearForm
from derive.core.polyphase import Run


@dataclass(frozen=True, slots=True)
class Sweep:
    """Loops over blocks of ``rows`` rows; a call is (x, w, then count, x step, w step by axis)."""

    loops: tuple[Loop, ...]
    y: Affine
    x: Affine
    rows: int
    calls: tuple[tuple[int, ...], ...]


def sweeps_of(form: TrilinearForm, most_rows: int, side_by_side: int) -> tuple[Sweep, ...]:
    """All rows of a form, at most ``most_rows`` of a run together.

    In the packed weight a tap is so many channels ``side_by_side``.
    """
    return tuple(
        sweep
        for runs in product(*(axis.runs for axis in form.axes[:-1]))
        for sweep in _of_runs(form, runs, most_rows, side_by_side)
    )


def _of_runs(
    form: TrilinearForm, runs: Sequence[Run], most_rows: int, side_by_side: int
) -> Iterator[Sweep]:
    """A product of runs of the outer axes: whole blocks of rows, and what is left of them."""
    if not runs:
        yield Sweep((), Affine.of(0), Affine.of(0), 1, ((0, 0),))
        return
    *before, last = runs
    rows = min(most_rows, last.count)
    whole, rest = divmod(last.count, rows)
    for first, blocks, height in ((0, whole, rows), (rows * whole, int(rest > 0), rest)):
        if not blocks:
            continue
        counts = [*(run.count for run in before), blocks]
        steps = [*(1 for _ in before), height]
        loops = loops_of(**{f"q{d}": count for d, count in enumerate(counts)})
        firsts = [*(0 for _ in before), first]
        y = row_of(
            form.output_shape,
            [run.first + run.step * q for run, q in zip(runs, firsts, strict=True)],
            [run.step * step for run, step in zip(runs, steps, strict=True)],
        )
        x = row_of(
            form.input_shape,
            [run.advance * q for run, q in zip(runs, firsts, strict=True)],
            [run.advance * step for run, step in zip(runs, steps, strict=True)],
        )
        calls = _calls(form, runs, side_by_side)
        x = x if calls else Affine.of(0)  # rows that read nothing may lie beyond the input
        yield Sweep(loops, y.within(loops), x.within(loops), height, calls)


def _calls(
    form: TrilinearForm, runs: Sequence[Run], side_by_side: int
) -> tuple[tuple[int, ...], ...]:
    """The input rows that an output row adds up: one call for each product of boxes."""
    x_strides = [prod(form.input_shape[d + 2 :]) for d in range(len(runs))]
    w_strides = [side_by_side * prod(form.weight_shape[d + 3 :]) for d in range(len(runs))]
    calls = []
    for boxes in product(*(boxes_of_run(run) for run in runs)):
        call = [
            sum(box.x * stride for box, stride in zip(boxes, x_strides, strict=True)),
            sum(box.t * stride for box, stride in zip(boxes, w_strides, strict=True)),
        ]
        for box, x_stride, w_stride in zip(boxes, x_strides, w_strides, strict=True):
            call += [box.taps, box.x_tap_step * x_stride, box.t_step * w_stride]
        calls.append(tuple(call))
    return tuple(calls)
