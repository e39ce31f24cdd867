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


C, LANES, GRADIENT = (
    f"codegen/templates/{name}.c.j2" for name in ("kernel", "lanes", "lane_gradient")
)
FOLD, RESAMPLE = "codegen/templates/fold.c.j2", "codegen/templates/resample.c.j2"
NUMPY, NUMPY_RESAMPLE = "codegen/templates/kernel.py.j2", "codegen/templates/resample.py.j2"
ROW = "y[{{ update.target }}] += {{ update.terms"
SAMPLE = ") {\n            const SCALAR *const y_channel = y{{ c"
RATIO = "RATIO({coefficient.numerator}, {coefficient.denominator})"
TURNED = "RATIO({coefficient.denominator}, {coefficient.numerator})"
POSITIONS = "p < {{ output_positions }}; p++)"
FAULTS = {
    "outputs are not cleared": Fault(C, "y_row[j] = start;", "y_row[j] += start;"),
    "only the last tap counts": Fault(C, ROW, ROW.replace("+=", "=")),
    "the bias is lost": Fault(C, "start = {{ gather.start }};", "start = 0;"),
    "gradients are not cleared": Fault(C, "w_taps[t] = 0;", "w_taps[t] += 0;"),
    "the first sample alone": Fault(C, f"b++{SAMPLE}", f"b += batch{SAMPLE}"),
    "the last row of a gradient alone": Fault(
        C, "w[{{ update.target }}] += sum;", "w[{{ update.target }}] = sum;"
    ),
    "sample and channel exchanged": Fault(
        C, "({{ output_channels }}*b + o)", "({{ output_channels }}*o + b)"
    ),
    "the last position lost": Fault(C, POSITIONS, POSITIONS.replace("; p++", " - 1; p++")),
    "x and y exchanged": Fault(
        C, '{{ update.terms | products("y", "x") }};', '{{ update.terms | products("x", "y") }};'
    ),
    "the outer rows at one place": Fault(
        C, "y_row, x_channels{{ call.x | plus }}", "y_row, x_channels"
    ),
    "a fold that adds to what is there": Fault(
        FOLD, "v[{{ line.target }}] =", "v[{{ line.target }}] +="
    ),
    "one pair of channels folded": Fault(FOLD, "p < {{ folds.pairs }}", "p < 1"),
    "the bias lost in lanes": Fault(LANES, "start[l] = {{ lane.start }};", "start[l] = 0;"),
    "one lane stored": Fault(LANES, "o < lanes; o++)\n        *({{", "o < 1; o++)\n        *({{"),
    "the last column of a short row": Fault(
        LANES, "j < {{ row.width }}; j++", "j < {{ row.width }} - 1; j++"
    ),
    "the weight advances as x does": Fault(
        LANES, "ws += (*at)[{{ axis.w }}]", "ws += (*at)[{{ axis.x }}]"
    ),
    "one input channel's weight": Fault(LANES, "+ {{ lane.w_input }}*i", "+ 0*i"),
    "lane gradients not cleared": Fault(GRADIENT, "w_block[p] = 0;", "w_block[p] += 0;"),
    "the first sample alone in lanes": Fault(
        "codegen/templates/lane_gradient.c.j2", "at[0]{{ y_inside | plus }}", "at[0]"
    ),
    "x advances as y does": Fault(GRADIENT, "xs += at[{{ axis.x }}]", "xs += at[{{ axis.y }}]"),
    "one lane unpacked": Fault(
        "codegen/targets/lane_gradient.py", "l = 0; l < lanes; l++)", "l = 0; l < 1; l++)"
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
        "codegen/tiles.py", "// period + 1))", "// period + 2))"
    ),
    "the rows that are left over": Fault(
        "codegen/lanes.py", "divmod(last.count, rows)", "(last.count // rows, 0)"
    ),
    "an outer axis of the weight": Fault(
        "codegen/lanes.py", "form.weight_shape[d + 3 :]", "form.weight_shape[d + 2 :]"
    ),
    "the channels that are left over": Fault(
        "codegen/lane_gradient.py",
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
