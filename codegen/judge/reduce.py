"""A finding made smaller: fewer positions, samples and channels, as long as it stays wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from derive import Operator

from .calls import Caller
from .comparison import Finding, put
from .probes import Probe
from .sizes import Shape, least_along, resized, with_channels

LINEAR = 12  # sizes tried one by one from the least; beyond them by halving


def reduced(caller: Caller, found: Finding, direction: str) -> Finding:
    """The smallest finding of the same kind that the calls left in the budget can reach."""
    if found.probe.op.input_size is None:
        return found
    reduction = _Reduction(caller, direction, found)
    reduction.without_frills()
    for _ in range(2):
        before = reduction.best
        for axis in reversed(range(len(found.probe.op.rules))):
            reduction.along(axis)
        reduction.batch()
        reduction.channels()
        if reduction.best is before:
            break
    return reduction.best


class _Reduction:
    """The smallest finding so far."""

    def __init__(self, caller: Caller, direction: str, found: Finding) -> None:
        self.caller, self.direction, self.best = caller, direction, found

    def _wrong(self, probe: Probe) -> bool:
        """Whether it differs there as well; a refusal counts only where refusals are sought."""
        if self.caller.spent:
            return False
        result = put(self.caller, probe, self.direction)
        if not isinstance(result, Finding) or result.refused != self.best.refused:
            return False
        if (result.wrong is None) != (self.best.wrong is None):
            return False
        self.best = result
        return True

    def without_frills(self) -> None:
        """Small integers, no prefilled output."""
        if self.best.probe.data != "integers" or self.best.probe.out:
            self._wrong(replace(self.best.probe, data="integers", out=False))

    def along(self, axis: int) -> None:
        """The least wrong size of an axis: one by one while small, then by halving."""
        probe = self.best.probe
        if resized(probe.op, _size(probe.op)) is None:
            return
        least, high = least_along(probe.op, axis), _size(probe.op)[axis]
        low = min(high, least + LINEAR)
        for n in range(least, low):
            if self._at(probe, axis, n):
                return
        while low < high:
            middle = (low + high) // 2
            if self._at(probe, axis, middle):
                high = middle
            else:
                low = middle + 1

    def _at(self, probe: Probe, axis: int, n: int) -> bool:
        size = _size(self.best.probe.op)
        op = resized(probe.op, (*size[:axis], n, *size[axis + 1 :]))
        return op is not None and self._wrong(replace(self.best.probe, op=op))

    def batch(self) -> None:
        """One sample."""
        if self.best.probe.batch not in ((), (1,)):
            self._wrong(replace(self.best.probe, batch=(1,)))

    def channels(self) -> None:
        """One channel of each group, on both sides or on one."""
        op = self.best.probe.op
        for into, out in _fewer(op.channels_in, op.channels_out):
            smaller = with_channels(op, into, out)
            if smaller is not None and self._wrong(replace(self.best.probe, op=smaller)):
                return


def _fewer(channels_in: int, channels_out: int) -> Iterator[tuple[int, int]]:
    seen = {(channels_in, channels_out)}
    for pair in ((1, 1), (1, channels_out), (channels_in, 1), (min(2, channels_in),) * 2):
        if pair not in seen and pair[1] <= channels_out:
            seen.add(pair)
            yield pair


def _size(op: Operator) -> Shape:
    size = op.input_size
    assert size is not None
    return size
