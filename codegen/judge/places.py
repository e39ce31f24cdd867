"""Which numbers are wrong, in words: the residue classes, borders, channels that hold them all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import gcd

import numpy as np
from numpy.typing import NDArray

from derive import Operator
from derive.core.rules import TransposedRule

Mask = NDArray[np.bool_]
NAMES = {1: ("position",), 2: ("row", "column"), 3: ("plane", "row", "column")}
LETTERS = {1: "y", 2: "yx", 3: "zyx"}


def where(op: Operator, direction: str, wrong: Mask) -> str:
    """Where ``wrong`` is true, as "differs in the last column: 5 of 20 outputs".

    Its axes are (sample, channel, *positions), or those of the weight or the bias.
    """
    count = f"{int(wrong.sum())} of {wrong.size} outputs"
    if wrong.all():
        return f"differs everywhere: {count}"
    if direction == "forward" and not wrong[..., ~_added(op)].any():
        return f"differs only in outputs that output_padding adds: {count}"
    words = _product(op, direction, wrong)
    if words and _is_product(wrong):
        return f"differs {_joined(words)}: {count}"
    right = ~wrong
    if _is_product(right) and right.any(axis=tuple(range(1, wrong.ndim))).all():  # no chance hit
        return f"differs except {_joined(_product(op, direction, right))}: {count}"
    among = f", all of them {_joined(words)}" if words else ""
    return f"differs in {count}{among}"


def _added(op: Operator) -> Mask:
    """The positions that output_padding adds, on any axis."""
    added = np.zeros(op.output_shape[1:], bool)
    for axis, (rule, n) in enumerate(zip(op.rules, added.shape, strict=True)):
        if isinstance(rule, TransposedRule) and rule.output_padding:
            np.moveaxis(added, axis, 0)[n - rule.output_padding :] = True
    return added


def _joined(words: Sequence[str]) -> str:
    return " and ".join(words).replace(" and where ", " and ")


def _is_product(mask: Mask) -> bool:
    """Whether the mask is the product of the sets that it has along each axis."""
    return bool(mask.any()) and int(mask.sum()) == int(np.prod([p.sum() for p in _sides(mask)]))


def _sides(mask: Mask) -> list[Mask]:
    axes = range(mask.ndim)
    return [np.asarray(mask.any(axis=tuple(a for a in axes if a != axis))) for axis in axes]


def _product(op: Operator, direction: str, mask: Mask) -> list[str]:
    """A phrase for each axis along which the mask is not everywhere."""
    sides = _sides(mask)
    if direction == "bias_gradient":
        return list(_channel(op, sides[0], op.channels_out))
    if direction == "weight_gradient":
        words = [*_plain(sides[0], "first channel"), *_plain(sides[1], "second channel")]
        return words + [w for a, s in enumerate(sides[2:]) for w in _plain(s, f"tap[{a}]")]
    batch = [] if len(sides) == len(op.rules) + 1 else [sides.pop(0)]
    words = ["in samples after the first"] * any(not s[0] and s[1:].all() for s in batch)
    if not words:
        words = [w for side in batch for w in _plain(side, "sample")]
    per_group = op.channels_out if direction == "forward" else op.channels_in
    words += _channel(op, sides[0], per_group)
    for axis, side in enumerate(sides[1:]):
        words += _along(op, direction, axis, side)
    return words


def _channel(op: Operator, side: Mask, per_group: int) -> Iterator[str]:
    groups = side.reshape(op.groups, per_group)
    whole = groups.all(axis=1)
    if side.all():
        return
    if op.groups > 1 and per_group > 1 and not groups[~whole].any():
        chosen = np.flatnonzero(whole)
        yield f"in channels of {'group' if len(chosen) == 1 else 'groups'} {_list(chosen)}"
    else:
        yield from _plain(side, "channel")


def _along(op: Operator, direction: str, axis: int, side: Mask) -> Iterator[str]:
    """The set of positions along an axis: a border or a residue class."""
    n, chosen = len(side), np.flatnonzero(side)
    if len(chosen) == n:
        return
    dimensions = len(op.rules)
    name, letter = NAMES[dimensions][axis], LETTERS[dimensions][axis]
    rule = op.rules[axis]
    if len(chosen) == 1 and chosen[0] in (0, n - 1):
        yield f"in the {'last' if chosen[0] else 'first'} {name}"
    elif (found := _residues(op, direction, axis, chosen, n)) is not None:
        yield f"where {_shifted(letter, rule, direction)} mod {found[0]} = {_list(found[1])}"
    else:
        yield from _plain(side, letter)


def _residues(
    op: Operator, direction: str, axis: int, chosen: NDArray[np.intp], n: int
) -> tuple[int, list[int]] | None:
    """(modulus, residues) of a union of classes, the step of the runs before widths of vectors."""
    form = op.form if direction == "forward" else op.form.adjoint
    rule = op.rules[axis]
    shift = _shift(rule, direction)
    step = form.axes[axis].step
    for modulus in (step, 2, 3, 4, 8, 16):
        if modulus < 2 or n < 2 * modulus:
            continue
        residues = sorted({int(y) % modulus for y in chosen})
        expected = [y for y in range(n) if y % modulus in residues]
        if len(residues) < modulus and expected == chosen.tolist():
            return modulus, sorted((r + shift) % modulus for r in residues)
    return None


def _shift(rule: object, direction: str) -> int:
    forward = isinstance(rule, TransposedRule) and direction == "forward"
    return rule.before if forward and isinstance(rule, TransposedRule) else 0


def _shifted(letter: str, rule: object, direction: str) -> str:
    shift = _shift(rule, direction)
    return f"({letter} + {shift})" if shift else letter


def _plain(side: Mask, name: str) -> Iterator[str]:
    chosen = np.flatnonzero(side)
    n = len(side)
    if len(chosen) == n or not len(chosen):
        return
    first, last = int(chosen[0]), int(chosen[-1])
    if len(chosen) > 1 and last - first + 1 == len(chosen):
        if last == n - 1:
            yield f"where {name} >= {first}"
        elif first == 0:
            yield f"where {name} <= {last}"
        else:
            yield f"where {first} <= {name} <= {last}"
    elif len(chosen) <= 4:
        yield f"where {name} = {_list(chosen)}"
    elif (step := gcd(*map(int, np.diff(chosen)))) > 1:
        yield f"where {name} mod {step} = {first % step} and {first} <= {name} <= {last}"
    else:
        yield f"at {len(chosen)} of {n} of {name}"


def _list(numbers: Sequence[int] | NDArray[np.intp]) -> str:
    words = [str(int(number)) for number in numbers]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
