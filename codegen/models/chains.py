"""Which calls of a model are one operator: a learned layer, and resizes and pads before it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import derive
from derive import Operator
from derive.layers import Layer


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a layer: from the value ``source`` to the value ``result``.

    ``layer`` is what it computes, None where that is not known; ``reason`` says why it is kept as
    it is. ``unfit`` says why it cannot be part of a chain. ``token`` is the caller's own.
    """

    name: str
    kind: str
    source: Hashable
    result: Hashable
    layer: Layer | None
    learns: bool
    reason: str = ""
    unfit: str = ""
    token: Any = None


@dataclass(frozen=True, slots=True)
class Chain:
    """Calls that are one operator, the one that is applied first leading; the last may learn."""

    calls: tuple[Call, ...]
    op: Operator | None
    reason: str = ""  # why it has no operator, or why it is not longer

    @property
    def last(self) -> Call:
        """The call whose result the chain gives."""
        return self.calls[-1]

    @property
    def fit(self) -> bool:
        """Whether it learns, and an operator of ours can take its place."""
        return self.op is not None and self.last.learns and not self.last.reason

    @property
    def kind(self) -> str:
        """The kinds of the calls, in the order in which they are applied."""
        return " + ".join(call.kind for call in self.calls)


def chains(calls: Sequence[Call], users: Mapping[Any, int]) -> list[Chain]:
    """The chains of a model's calls, in the order of their last ones.

    ``users`` counts the readers of a value, the model's caller among them. A resize or pad joins
    the learned layer that reads it where nobody else does; what joins none stands alone.

    >>> up = derive.Interpolate(1, 4, scale_factor=2)
    >>> conv = derive.Conv1d(1, 1, 3, input_size=8)
    >>> common = {"kind": "", "reason": ""}
    >>> found = chains([
    ...     Call(name="up", source=0, result=1, layer=up, learns=False, **common),
    ...     Call(name="conv", source=1, result=2, layer=conv, learns=True, **common),
    ... ], {0: 1, 1: 1, 2: 1})
    >>> [[call.name for call in chain.calls] for chain in found]
    [['up', 'conv']]
    """
    giving = {call.result: call for call in calls if not call.learns}
    found = [_longest(call, giving, users) for call in calls if call.learns]
    taken = {call.result for chain in found for call in chain.calls}
    alone = [_alone(call, calls, users) for call in calls if call.result not in taken]
    place = {call.result: number for number, call in enumerate(calls)}
    return sorted([*found, *alone], key=lambda chain: place[chain.last.result])


def _longest(last: Call, giving: Mapping[Hashable, Call], users: Mapping[Any, int]) -> Chain:
    """A learned call with all that can be computed together with it."""
    if last.layer is None or last.reason:
        return Chain((last,), last.layer, last.reason)
    calls: tuple[Call, ...] = (last,)
    op: Operator = last.layer
    while (before := giving.get(calls[0].source)) is not None:
        joined = _joined(op, before, last, users)
        if isinstance(joined, str):
            return Chain(calls, op, f"without {before.name}: {joined}")
        op, calls = joined, (before, *calls)
    return Chain(calls, op)


def _joined(op: Operator, before: Call, last: Call, users: Mapping[Any, int]) -> Operator | str:
    """The operator of both, or why they are not one."""
    if before.layer is None:
        return before.reason
    if users[before.result] > 1:
        return "what it gives is read elsewhere too"
    if unfit := before.unfit or last.unfit:
        return unfit
    try:
        both = op @ before.layer
    except derive.GeometryError as error:
        return str(error)
    assert isinstance(both, Operator)
    return both


def _alone(call: Call, calls: Sequence[Call], users: Mapping[Any, int]) -> Chain:
    """A resize or a pad that no convolution takes in."""
    if call.layer is None:
        return Chain((call,), None, call.reason)
    readers = [each.name for each in calls if each.source == call.result and each.learns]
    if not readers:
        return Chain(
            (call,), call.layer, "no convolution reads what it gives, and it learns nothing"
        )
    return Chain((call,), call.layer, f"kept apart from {readers[0]}, which says why")
