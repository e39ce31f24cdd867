"""The weight gradient in position lanes: for depthwise layers and groups of few channels.

Lanes lie along the positions of a row, so a number of the gradient is a vector of sums until the
end. Rows are copied first, their phases apart and with zeros around, a band at a time that stays
in the first cache. Accumulators are taps times a few channels of either side: a vector of y and
one of x serve several of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod

from codegen._runtime.machine import Machine
from derive.core.axis import Axis
from derive.core.form import TrilinearForm
from derive.core.relation import Relation

from .lane_gradient import Chunk, chunks
from .phase_rows import Line, Span, lanes_for, lines, spans, vector_cost
from .position_block import Pattern, best_block, groups, patterns_of
from .row_bands import Band, RowCalls, bands_of

BAND_BYTES = 24 << 10  # of rows copied at a time
POINT = Axis.of(Relation(), n_in=1, n_out=1, n_tap=1)  # the rows of a layer that has none


@dataclass(frozen=True, slots=True)
class Body:
    """``rows`` rows of y side by side; each meets the rows of x of the pattern."""

    rows: int
    pattern: Pattern
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class PositionGradient:
    """A weight gradient in position lanes; of an adjoint form x and y are ``exchanged``."""

    form: TrilinearForm
    exchanged: bool
    lanes: int
    outputs: tuple[Chunk, ...]
    inputs: tuple[Chunk, ...]
    kernel: int
    y_line: Line
    x_line: Line
    y_rows: int  # at most in a band
    x_rows: int
    step: int  # from one row of y to the next of its phase, in rows of y
    advance: int  # and in rows of x
    bodies: tuple[Body, ...]
    bands: tuple[Band, ...]
    cycles: float  # estimated


def position_gradient(
    form: TrilinearForm, machine: Machine, item: int, *, exchanged: bool = False
) -> PositionGradient:
    """The schedule of a folded form for scalars of ``item`` bytes."""
    if len(form.axes) == 1:
        form = replace(form, axes=(POINT, *form.axes))
    *_, row, column = form.axes
    lanes = lanes_for(column, machine, item)
    cover = spans(column, lanes)
    y_line, x_line = lines(column, cover, lanes)
    block = best_block(form, cover, (y_line.copied, x_line.copied), machine.registers)
    line = block.outputs * y_line.numbers + block.inputs * row.advance * x_line.numbers
    band_rows = max(1, BAND_BYTES // item // (line * block.rows)) * block.rows
    patterns = patterns_of(row, block)
    parts = [*_parts(cover, column.n_tap, block.taps)]
    bodies = tuple(Body(rows, pattern, part) for rows, pattern in patterns for part in parts)
    rows_of = RowCalls(row, block, patterns, len(parts), column.n_tap)
    bands = tuple(bands_of(form, rows_of, band_rows * row.step))
    return PositionGradient(
        form=form,
        exchanged=exchanged,
        lanes=lanes,
        outputs=chunks(form.channels_out, block.outputs),
        inputs=chunks(form.channels_in, block.inputs),
        kernel=prod(axis.n_tap for axis in form.axes),
        y_line=y_line,
        x_line=x_line,
        y_rows=max(band.y_rows for band in bands),
        x_rows=max(band.x_rows for band in bands),
        step=row.step,
        advance=row.advance,
        bodies=bodies,
        bands=bands,
        cycles=block.cycles
        * vector_cost(machine, lanes * item)
        / vector_cost(machine, machine.vector_bytes),
    )


def _parts(cover: Sequence[Span], taps: int, most: int) -> Iterator[tuple[Span, ...]]:
    """The spans with some of the taps of a kernel row each time."""
    for chunk in groups(range(taps), most):
        within = [
            replace(span, uses=tuple(use for use in span.uses if use.tap in chunk))
            for span in cover
        ]
        if found := tuple(span for span in within if span.uses):
            yield found
