"""Shapes, what reads what, which outputs are border, what output_padding adds, what is left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

from derive.core import notation
from derive.core.axis import Axis
from derive.core.polyphase import Run
from derive.core.rules import AdjointRule, AxisRule, ConvolutionRule, TransposedRule
from derive.linear_map import LinearMap
from derive.show.entries import parts_of
from derive.show.facts import axes_alike, named, size_formulas
from derive.study.checkerboard import checkerboard
from derive.study.phases import interior_of, rules_of

from .section import are, listed

Pattern = tuple[tuple[int, tuple[object, ...]], ...]


def shapes(op: LinearMap) -> Iterator[str]:
    """Shapes, and the size formula of each kind of axis."""
    if op.input_size is not None:
        yield (
            f"It takes {op.input_shape} and gives {op.output_shape}: channels first, then "
            "positions, any batch in front."
        )
    for part in parts_of(op):
        for alike in axes_alike(part):
            words = size_formulas(part, alike[0])
            formula = "".join(w if isinstance(w, str) else notation.text(w) for w in words)
            of_part = f" of {part!r}" if len(parts_of(op)) > 1 else ""
            yield f"Along {named(alike)}{of_part} the size is {formula}."
        if part.weight_shape is not None:
            bias = "and a bias" if part.bias_shape else "and no bias"
            yield f"It learns a weight of shape {part.weight_shape} {bias}."
        else:
            yield "It learns nothing: its weights are fixed."


def reads(op: LinearMap) -> Iterator[str]:
    """How much one output reads, and how much one input reaches."""
    axes = typical_axes(op)
    if axes is None:
        return
    wide = [widest(axis) for axis in axes]
    spans = [span(axis) for axis in axes]
    back = [widest(axis.adjoint()) for axis in axes]
    group = _channels_read(op)
    many = "1 input" if prod(wide) == 1 else f"{listed(wide)} inputs"
    spread = f", spread over {listed(spans)} positions" if spans != wide else ""
    most = "" if all(len(set(map(_taps, axis.runs))) == 1 for axis in axes) else "up to "
    yield f"One output reads {most}{many}{spread}{group}."
    few = "1 output" if prod(back) == 1 else f"{listed(back)} outputs"
    several = " in each channel that it is joined to" if max(op.channels) > 1 else ""
    yield f"One input reaches up to {few}{several}."


def typical_axes(op: LinearMap) -> tuple[Axis, ...] | None:
    """The axes; of a free size those at a size where borders are apart, None if there is none."""
    if op.input_size is not None:
        return op.axes
    rules = rules_of(op)
    try:
        return None if rules is None else tuple(rule.at(_ample(rule)) for rule in rules)
    except ValueError:
        return None


def _ample(rule: AxisRule) -> int:
    return rule.period * -(-rule.settled // rule.period)


def _taps(run: Run) -> int:
    return len(run.taps)


def widest(axis: Axis) -> int:
    """The most inputs that an output of the axis reads."""
    return max(map(_taps, axis.runs))


def span(axis: Axis) -> int:
    """Positions from the first to the last input of an output, at most."""
    return max((run.taps[-1].offset + 1 for run in axis.runs if run.taps), default=0)


def _channels_read(op: LinearMap) -> str:
    parts = parts_of(op)
    if len(parts) != 1 or not parts[0].learned:
        return ""
    count = parts[0].channels_in
    return f" of each of {count} channels" if count > 1 else ""


def border(op: LinearMap) -> Iterator[str]:
    """How many outputs read otherwise than their phase does between the borders."""
    if op.input_size is None:
        return
    rules = rules_of(op) or (None,) * len(op.axes)
    inside = [
        axis.n_out - border_count(axis, rule) for axis, rule in zip(op.axes, rules, strict=True)
    ]
    total = prod(op.output_shape[1:])
    count = total - prod(inside)
    if not count:
        yield "No output is at the border: every one reads what its phase reads anywhere."
        return
    yield f"{count} of {total} output positions are at the border: they {_why(rules)}."
    if prod(inside):
        yield f"The other {listed(inside)} read alike, phase by phase."


def border_count(axis: Axis, rule: AxisRule | None) -> int:
    """Outputs of an axis that read otherwise than their phase does between the borders.

    >>> from derive.core.rules import ConvolutionRule
    >>> rule = ConvolutionRule(kernel=3, before=1, after=1)
    >>> border_count(rule.at(8), rule)
    2
    """
    inside = {run.first % run.step: pattern(run) for run in interior_of(axis, rule)}
    return sum(run.count for run in axis.runs if pattern(run) != inside[run.first % run.step])


def pattern(run: Run) -> Pattern:
    """What a run reads, as if its phase began at output 0."""
    start = run.source - run.advance * (run.first // run.step)
    return tuple((start + tap.offset, tap.weights) for tap in run.taps)


def _why(rules: Sequence[AxisRule | None]) -> str:
    kinds = set(map(_kind, rules))
    return kinds.pop() if len(kinds) == 1 else "read less, or otherwise, than those inside"


def _kind(rule: AxisRule | None) -> str:
    match rule:
        case ConvolutionRule(mode="zeros") | AdjointRule(TransposedRule()):
            return "lack taps, which fall on padding and would multiply zeros"
        case ConvolutionRule(mode=mode):
            return f"read positions of the input again that {mode} padding repeats"
        case TransposedRule() | AdjointRule(ConvolutionRule(mode="zeros")):
            return "lack taps, since there is no input beyond the first and the last"
        case AdjointRule(ConvolutionRule(mode=mode)):
            return f"also collect what {mode} padding had taken from them"
    return "read less, or otherwise, than those inside"


def extra(op: LinearMap) -> Iterator[str]:
    """What output_padding adds, and whether taps reach it."""
    for part in parts_of(op):
        rules = [rule for rule in part.rules if isinstance(rule, TransposedRule)]
        added = [rule.output_padding for rule in rules]
        if len(rules) < len(part.rules) or not any(added):
            continue
        yield (
            f"output_padding = {listed(added)} adds so many positions at the end of each axis; it "
            "names which of the sizes that a convolution maps to one is meant."
        )
        if part.input_size is None:
            continue
        count, reached = added_outputs(part.axes, added)
        yield (
            f"{are(count, 'output')} there because of it, computed and not filled with zeros: "
            f"taps reach {reached}"
            + (", the others hold only the bias." if reached < count and part.bias else ".")
        )


def added_outputs(axes: Sequence[Axis], added: Sequence[int]) -> tuple[int, int]:
    """Output positions that output_padding adds, and how many of them taps reach."""
    sizes = [axis.n_out for axis in axes]
    before = [n - o for n, o in zip(sizes, added, strict=True)]
    live = [
        [bool(axis.row(y)) for y in range(axis.n_out - o, axis.n_out)]
        for axis, o in zip(axes, added, strict=True)
    ]
    alive = [sum(run.count for run in axis.runs if run.taps) for axis in axes]
    older = [n - sum(new) for n, new in zip(alive, live, strict=True)]
    return prod(sizes) - prod(before), prod(alive) - prod(older)


def unused(op: LinearMap) -> Iterator[str]:
    """Dead outputs and inputs that nothing reads."""
    if op.input_size is None:
        return
    found = checkerboard(op)
    dead, unread = found.dead_outputs, found.unread_inputs
    if dead.count:
        yield (
            f"{dead.count} of {dead.total} output positions are dead: no tap reaches them, they "
            "hold the bias or 0 whatever the weight is."
        )
    if unread.count:
        yield f"{unread.count} of {unread.total} input positions are never read."
    if not dead.count and not unread.count:
        yield "Every output reads something, and every input is read."
