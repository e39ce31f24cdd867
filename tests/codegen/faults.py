"""Faults that a hand may make in templates and in lowering: one place, and what stands there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Fault:
    """One place in a file of the two packages, and what stands there by mistake."""

    file: str
    old: str
    new: str

    def apply(self, root: Path) -> None:
        path = root / self.file
        text = path.read_text()
        assert text.count(self.old) == 1, (self, text.count(self.old))
        path.write_text(text.replace(self.old, self.new))


TEMPLATES = "codegen/templates/"
C, FOLD, RESAMPLE, ROWS, BY_ROWS = (
    f"{TEMPLATES}{name}.c.j2" for name in ("kernel", "fold", "resample", "rows", "row_gradient")
)
LANES, GRADIENT, COLUMNS, STRIPS, POSITIONS, TRANSFORM = (
    f"{TEMPLATES}{name}.c.j2"
    for name in (
        "lanes",
        "lane_gradient",
        "column_lanes",
        "depthwise",
        "position_gradient",
        "transform",
    )
)
NUMPY, NUMPY_RESAMPLE = "codegen/templates/kernel.py.j2", "codegen/templates/resample.py.j2"
ROW = "y[{{ update.target }}] += {{ update.terms"
SAMPLE = ") {\n            const SCALAR *const y_channel = y{{ n"
LANE = "o < {}; o++)\n            for (ptrdiff_t j"
RATIO = "RATIO({coefficient.numerator}, {coefficient.denominator})"
TURNED = "RATIO({coefficient.denominator}, {coefficient.numerator})"
PLACES = "p < {{ output_positions }}; p++)"
FAULTS = {
    "outputs are not cleared": Fault(ROWS, "y_row[j] = start;", "y_row[j] += start;"),
    "only the last tap counts": Fault(ROWS, ROW, ROW.replace("+=", "=")),
    "the bias is lost": Fault(ROWS, "start = {{ start }};", "start = 0;"),
    "gradients are not cleared": Fault(BY_ROWS, "w_taps[t] = 0;", "w_taps[t] += 0;"),
    "the first sample alone": Fault(BY_ROWS, f"b++{SAMPLE}", f"b += batch{SAMPLE}"),
    "the last row of a gradient alone": Fault(
        BY_ROWS, "w[{{ update.target }}] += sum;", "w[{{ update.target }}] = sum;"
    ),
    "sample and channel exchanged": Fault(
        C, "({{ output_channels }}*b + o)", "({{ output_channels }}*o + b)"
    ),
    "the last position lost": Fault(C, PLACES, PLACES.replace("; p++", " - 1; p++")),
    "x and y exchanged": Fault(
        BY_ROWS,
        '{{ update.terms | products("y", "x") }};',
        '{{ update.terms | products("x", "y") }};',
    ),
    "the outer rows at one place": Fault(
        ROWS, "y_row, x_channels{{ call.x | plus }}", "y_row, x_channels"
    ),
    "a fold that adds to what is there": Fault(
        FOLD, "v[{{ line.target }}] =", "v[{{ line.target }}] +="
    ),
    "one pair of channels folded": Fault(FOLD, "p < {{ folds.pairs }}", "p < 1"),
    "the bias lost in lanes": Fault(LANES, "start[l] = {{ start }};", "start[l] = 0;"),
    "one lane stored": Fault(LANES, LANE.format("lanes"), LANE.format(1)),
    "the last column of a short row": Fault(
        LANES, "j < {{ row.width }}; j++", "j < {{ row.width }} - 1; j++"
    ),
    "the weight advances as x does": Fault(
        LANES, "ws += (*at)[{{ axis.w }}]", "ws += (*at)[{{ axis.x }}]"
    ),
    "one input channel's weight": Fault(LANES, "+ {{ w_input }}*i", "+ 0*i"),
    "lane gradients not cleared": Fault(GRADIENT, "w_block[p] = 0;", "w_block[p] += 0;"),
    "the first sample alone in lanes": Fault(
        "codegen/templates/lane_gradient.c.j2", "at[0]{{ y_inside | plus }}", "at[0]"
    ),
    "x advances as y does": Fault(GRADIENT, "xs += at[{{ axis.x }}]", "xs += at[{{ axis.y }}]"),
    "one lane unpacked": Fault(
        "codegen/targets/lane_gradient.py", "l = 0; l < lanes; l++)", "l = 0; l < 1; l++)"
    ),
    "the bias lost in columns": Fault(COLUMNS, "starts[o] = {{ block.start }};", "starts[o] = 0;"),
    "one input channel in columns": Fault(COLUMNS, "i < {{ inputs }}; i++", "i < 1; i++"),
    "a weight packed as it lies": Fault(
        COLUMNS, "weight[{{ each.weight_at }}]", "weight[{{ each.packed_at }}]"
    ),
    "columns: the weight advances as x does": Fault(
        COLUMNS, "ws += (*at)[{{ axis.w }}]", "ws += (*at)[{{ axis.x }}]"
    ),
    "the bias lost in strips": Fault(STRIPS, "start = {{ start }};", "start = 0;"),
    "strips at one place": Fault(STRIPS, "{{ each.strip.x_step }}*r", "0*r"),
    "positions: the first sample alone": Fault(POSITIONS, "b < batch; b++", "b < 1; b++"),
    "sums that are not cleared": Fault(POSITIONS, "room)[p] = zero;", "room)[p] += zero;"),
    "sums added to what is there": Fault(POSITIONS, "(room + p) = t0;", "(room + p) += t0;"),
    "a block of rows again": Fault(POSITIONS, "{{ body.y_step }}*q", "0*q"),
    "transform: the bias is lost": Fault(
        TRANSFORM, "l % {{ lanes }}] = {{ start }};", "l % {{ lanes }}] = 0;"
    ),
    "the input beyond a border": Fault(
        TRANSFORM, "        to[c] = zero;\n    for (c = h", "for (c = h"
    ),
    "one term of the products": Fault(TRANSFORM, "k < {{ terms }}; k++,", "k < 1; k++,"),
    "one lane of the transformed weight": Fault(
        TRANSFORM, "to[l] = (SCALAR)from[l];", "to[0] = (SCALAR)from[0];"
    ),
    "a blend without its last column": Fault(
        RESAMPLE, "j < {{ gather.nest.row_length }}", "j < {{ gather.nest.row_length }} - 1"
    ),
    "rows are not blended": Fault(RESAMPLE, "x_row = blend;", "x_row = x_channel;"),
    "NumPy: a sum that is thrown away": Fault(
        NUMPY, "part += np.matmul(w[tap], _flat", "part = part + np.matmul(w[tap], _flat"
    ),
    "NumPy: outputs are not cleared": Fault(NUMPY, "x[...] = 0\n", "x[...] *= 1\n"),
    "NumPy: the first sample alone": Fault(NUMPY, ".sum(axis=0)", "[0]"),
    "NumPy: the last line of a resize": Fault(
        NUMPY_RESAMPLE, "part[_at(axis, at_x)] +=", "part[_at(axis, at_x)] ="
    ),
    "NumPy: x advances as y does": Fault(
        "codegen/targets/numpy.py",
        '"x": _slice(box.x, box.x_step, box.count)',
        '"x": _slice(box.x, box.y_step, box.count)',
    ),
    "the first tap is left out": Fault(
        "codegen/lower.py", "for a in range(box.taps if", "for a in range(1, box.taps if"
    ),
    "seventeen taps are too many": Fault(
        "codegen/lower.py", "if box.taps > UNROLL:", "if box.taps > UNROLL + 1:"
    ),
    "the bias of the first group": Fault(
        "codegen/lower.py", "Affine.of(0, g=form.channels_out, o=1)", "Affine.of(0, o=1)"
    ),
    "a run advances by its step": Fault(
        "codegen/boxes.py", "t_step, x, run.advance, x_step", "t_step, x, run.step, x_step"
    ),
    "a strand advances by its step": Fault(
        "codegen/boxes.py", "s.tap, 0, s.x, axis.advance, 0", "s.tap, 0, s.x, axis.step, 0"
    ),
    "a border tile taken for an inner one": Fault(
        "codegen/cpu/tiles.py", "// period + 1))", "// period + 2))"
    ),
    "the rows that are left over": Fault(
        "codegen/cpu/sweeps.py", "divmod(last.count, rows)", "(last.count // rows, 0)"
    ),
    "an outer axis of the weight": Fault(
        "codegen/cpu/sweeps.py", "form.weight_shape[d + 3 :]", "form.weight_shape[d + 2 :]"
    ),
    "a border tile of columns taken for an inner one": Fault(
        "codegen/cpu/column_tiles.py", "(high - first) // width))", "(high - first) // width + 1))"
    ),
    "the end of a short row": Fault(
        "codegen/cpu/shuffles.py", "shift = half - (end - half - begin)", "shift = 0"
    ),
    "vectors in the wrong lanes": Fault(
        "codegen/cpu/shuffles.py", "self.lanes + second.index(want)", "second.index(want)"
    ),
    "an axis made one with the next": Fault(
        "codegen/cpu/column_lanes.py", "n * s.x, n * s.count", "n * s.x, s.count"
    ),
    "a vector of x at the wrong place": Fault(
        "codegen/cpu/phase_rows.py", "shift = v - u", "shift = u - v"
    ),
    "lanes that do not count": Fault(
        "codegen/cpu/phase_rows.py", "if outside else None", "if 0 else None"
    ),
    "rows that come twice": Fault(
        "codegen/cpu/row_bands.py", "done += blocks * rows", "done += blocks"
    ),
    "phases of another length": Fault(
        "codegen/targets/row_copies.py", "range(common, places)", "range(common, places - 1)"
    ),
    "the channels that are left over": Fault(
        "codegen/cpu/lane_gradient.py",
        "return (*chunks, Chunk(whole * size, 1, rest)) if rest else",
        "return",
    ),
    "folds of an outer axis": Fault("codegen/folds.py", "a=count * inner", "a=inner"),
    "the groups of the weight": Fault("codegen/places.py", "g=w // form.groups, o=o", "g=0, o=o"),
    "the rows of a resize": Fault(
        "codegen/resample.py", "run.step * y_strides[d]", "run.advance * y_strides[d]"
    ),
    "a butterfly of one width": Fault(
        "codegen/targets/lanes.py", "high = [at + distance", "high = [at + 1"
    ),
    "a fraction upside down": Fault("codegen/render.py", RATIO, TURNED),
    "the first row of an axis": Fault(
        "derive/core/axis.py",
        "begin = max(0, -(offset // advance))",
        "begin = max(0, 1 - offset // advance)",
    ),
    "a tap folded once only": Fault(
        "derive/core/polyphase.py", "tuple(sorted(taps))", "tuple(sorted(taps)[:1])"
    ),
}
