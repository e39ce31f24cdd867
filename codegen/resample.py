"""Operators that learn nothing, as loop nests: one axis after the other inside each row.

The weights are a product over the axes, so a row of the output is one blend of input rows,
weighed by the outer axes, and then one pass along the columns.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from math import prod

from derive.core.form import TrilinearForm
from derive.core.polyphase import Run

from .errors import LoweringError
from .nests import Affine, Assignment, BlendedRows, Loop, Resample

LONGEST_ROW = 1 << 16  # scalars of a blend that are kept on the stack


def resample(form: TrilinearForm) -> Resample:
    """The loop nests of an operator that learns nothing, each channel its own group.

    >>> from derive import Interpolate
    >>> nests = resample(Interpolate(1, (2, 2), scale_factor=2, mode="bilinear").form)
    >>> len(nests.rows), [str(each.target) for each in nests.columns]
    (4, ['0', '1', '2', '3'])
    """
    *outer, column = form.axes
    if outer and column.n_in > LONGEST_ROW:
        raise LoweringError(
            f"rows of {column.n_in} positions; kernels are emitted for at most {LONGEST_ROW}"
        )
    channels = tuple(Loop(v, n) for v, n in (("b", "batch"), ("g", form.groups)) if n != 1)
    y_plane, x_plane = prod(form.output_shape[1:]), prod(form.input_shape[1:])
    rows = tuple(_rows(form, runs) for runs in product(*(axis.runs for axis in outer)))
    return Resample(
        channels,
        Affine.of(0, b=form.groups * y_plane, g=y_plane).within(channels),
        Affine.of(0, b=form.groups * x_plane, g=x_plane).within(channels),
        column.n_in,
        rows,
        tuple(_weighing(run) for run in column.runs),
    )


def _rows(form: TrilinearForm, runs: tuple[Run, ...]) -> BlendedRows:
    loops = tuple(Loop(f"q{d}", run.count) for d, run in enumerate(runs) if run.count > 1)
    y_strides = [prod(form.output_shape[d + 2 :]) for d in range(len(runs))]
    x_strides = [prod(form.input_shape[d + 2 :]) for d in range(len(runs))]
    y = Affine.of(
        sum(run.first * y_strides[d] for d, run in enumerate(runs)),
        **{f"q{d}": run.step * y_strides[d] for d, run in enumerate(runs)},
    ).within(loops)
    moving = {f"q{d}": run.advance * x_strides[d] for d, run in enumerate(runs)}
    terms = []
    for taps in product(*(run.taps for run in runs)):
        first = sum(
            (run.source + tap.offset) * x_strides[d]
            for d, (run, tap) in enumerate(zip(runs, taps, strict=True))
        )
        coefficient = prod((tap.weights[0][1] for tap in taps), start=Fraction(1))
        terms.append((coefficient, Affine.of(first, **moving).within(loops)))
    if len(terms) == 1 and terms[0][0] == 1:
        return BlendedRows(loops, y, terms[0][1], ())
    return BlendedRows(loops, y, Affine.of(0), (tuple(terms),))


def _weighing(run: Run) -> Assignment:
    loops = (Loop("q", run.count),) if run.count > 1 else ()
    return Assignment(
        loops,
        Affine.of(run.first, q=run.step).within(loops),
        tuple(
            (
                tap.weights[0][1],
                Affine.of(run.source + tap.offset, q=run.advance).within(loops),
            )
            for tap in run.taps
        ),
    )
