"""Operator -> loop nests: the three derivatives of its trilinear form.

The last axis is the column: its runs become the loops of one row function. The other axes
become the loops around that function, so the text grows with their runs, not with the product
of all taps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from math import prod

from derive.core.folding import fold
from derive.core.form import TrilinearForm

from .boxes import Box, boxes_of_run, boxes_of_strands
from .folds import axis_folds
from .nests import Affine, Call, Correlation, Gather, Loop, Nests, Rows, Update
from .places import channel_places, loops_of, row_of

UNROLL = 16  # taps of a column run that are written out; more become a loop


def lower(form: TrilinearForm) -> Nests:
    """The loop nests of a learned operator, its taps folded where that pays.

    >>> from derive import Conv1d
    >>> nests = lower(Conv1d(1, 1, 3, padding=1, input_size=8).form)
    >>> [(str(update.target), update.loops) for update in nests.forward.columns]
    [('0', ()), ('q + 1', (Loop(variable='q', count=6),)), ('7', ())]
    """
    foldings = [fold(axis) for axis in form.axes]
    folded = replace(form, axes=tuple(folding.axis for folding in foldings))
    taps = form.weight_shape[2:]
    folds = axis_folds(foldings, taps)
    pairs = prod(form.weight_shape[:2])
    return Nests(
        folded, _gather(folded), _gather(folded.adjoint), _correlation(folded), folds, pairs
    )


def _gather(form: TrilinearForm) -> Gather:
    *outer, column = form.axes
    channels = loops_of(b="batch", g=form.groups, o=form.channels_out)
    rows = []
    for runs in product(*(axis.runs for axis in outer)):
        around = loops_of(**{f"q{d}": run.count for d, run in enumerate(runs)})
        calls = []
        for boxes in product(*(boxes_of_run(run) for run in runs)):
            taps = {f"a{d}": box.taps for d, box in enumerate(boxes)}
            calls.append(_call(form, boxes, loops_of(i=form.channels_in, **taps), around))
        first = row_of(form.output_shape, [run.first for run in runs], [run.step for run in runs])
        rows.append(Rows(around, first.within(around), tuple(calls)))
    y, x, w = channel_places(form)
    return Gather(
        channels,
        y.within(channels),
        x.within(channels),
        w.within(channels),
        Affine.of(0, g=form.channels_out, o=1).within(channels),
        column.n_out,
        tuple(rows),
        tuple(update for run in column.runs for update in _dots(boxes_of_run(run))),
    )


def _correlation(form: TrilinearForm) -> Correlation:
    *outer, column = form.axes
    order = {"o": form.channels_out, "i": form.channels_in}
    if not form.output_leads:
        order = dict(reversed(order.items()))
    channels = loops_of(g=form.groups, **order)
    calls = []
    for boxes in product(*(boxes_of_strands(axis) for axis in outer)):
        loops = {f"q{d}": box.count for d, box in enumerate(boxes)}
        calls.append(_call(form, boxes, loops_of(**loops), ()))
    columns = []
    for box in boxes_of_strands(column):
        along = (Loop("q", box.count),)
        at_y = Affine.of(box.y, q=box.y_step).within(along)
        at_x = Affine.of(box.x, q=box.x_step).within(along)
        columns.append(Update(along, Affine.of(box.t), ((at_y, at_x),)))
    y, x, w = channel_places(form)
    samples = (*channels, Loop("b", "batch"))
    return Correlation(
        channels,
        y.within(samples),
        x.within(samples),
        w.within(channels),
        prod(form.weight_shape[2:]),
        tuple(calls),
        tuple(columns),
    )


def _dots(boxes: Sequence[Box]) -> list[Update]:
    """The updates of one column run: y[...] += sum over its taps of w[...] * x[...]."""
    updates = []
    written_out = [
        (Affine.of(box.t + box.t_step * a), Affine.of(box.x + box.x_tap_step * a, q=box.x_step))
        for box in boxes
        for a in range(box.taps if box.taps <= UNROLL else 0)
    ]
    if written_out:
        along = loops_of(q=boxes[0].count)
        y = Affine.of(boxes[0].y, q=boxes[0].y_step).within(along)
        updates.append(Update(along, y, tuple((w, x.within(along)) for w, x in written_out)))
    for box in boxes:
        if box.taps > UNROLL:
            loops = loops_of(a=box.taps, q=box.count)
            w = Affine.of(box.t, a=box.t_step)
            x = Affine.of(box.x, q=box.x_step, a=box.x_tap_step).within(loops)
            y = Affine.of(box.y, q=box.y_step).within(loops)
            updates.append(Update(loops, y, ((w, x),)))
    return updates


def _call(
    form: TrilinearForm, boxes: Sequence[Box], loops: Sequence[Loop], around: Sequence[Loop]
) -> Call:
    """The rows that a product of boxes on the outer axes joins, relative to their channels."""
    y = row_of(form.output_shape, [b.y for b in boxes], [b.y_step for b in boxes])
    taps = row_of(form.weight_shape[1:], [b.t for b in boxes], a_steps=[b.t_step for b in boxes])
    x = row_of(
        form.input_shape,
        [b.x for b in boxes],
        [b.x_step for b in boxes],
        [b.x_tap_step for b in boxes],
    )
    _, channel_x, channel_w = channel_places(form)
    inner = [loop for loop in loops if loop.variable == "i"]
    return Call(
        tuple(loops),
        y.within(loops),
        (channel_x.within(inner) + x).within((*around, *loops)),
        (channel_w.within(inner) + taps).within(loops),
    )
