"""One layer of a model: what it computes, whether it is swapped, and what that is worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import derive
from derive import Operator


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of one call, medians of turns taken by both."""

    before: float
    after: float

    @property
    def ratio(self) -> float:
        """How many times faster it has become."""
        return self.before / self.after


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerReport:
    """A layer, or a chain of them that is one operator.

    ``ops`` holds the operator of each call, empty where there is none; ``reason`` says what takes
    the layer's place, or why it is kept.

    >>> from derive import ConvTranspose1d
    >>> op = ConvTranspose1d(1, 1, 3, stride=2, input_size=8)
    >>> found = LayerReport(name="up", kind="ConvTranspose1d", ops=(op,), swapped=True, reason="")
    >>> found.sizes, found.checkerboard, found.macs
    ('1x8 -> 1x17', 'ratio 2', 24)
    """

    name: str
    kind: str
    ops: tuple[Operator, ...]
    swapped: bool
    reason: str
    checked: str = ""  # on what it was compared, and how
    times: Times | None = None

    @property
    def sizes(self) -> str:
        """Input and output shape of a sample, of each call."""
        return ", ".join(dict.fromkeys(map(_sizes, self.ops)))

    @property
    def checkerboard(self) -> str:
        """Whether a kernel of ones makes a pattern: none, a ratio of overlaps, dead outputs."""
        sized = (op for op in self.ops if op.sizes is not None)
        return ", ".join(dict.fromkeys(map(_verdict, sized)))

    @property
    def macs(self) -> int | None:
        """Multiply-adds of a sample in our kernels, all calls; None where a size is free."""
        sized = all(op.sizes is not None for op in self.ops) and self.ops
        return sum(op.macs for op in self.ops) if sized else None

    @property
    def naive_macs(self) -> int | None:
        """The same when every output visits every tap."""
        sized = all(op.sizes is not None for op in self.ops) and self.ops
        return sum(op.naive_macs for op in self.ops) if sized else None

    def facts(self) -> dict[str, Any]:
        """The layer as plain data; times in seconds."""
        return {
            "name": self.name,
            "kind": self.kind,
            "operators": [repr(op) for op in dict.fromkeys(self.ops)],
            "calls": len(self.ops),
            "swapped": self.swapped,
            "reason": self.reason,
            "checked": self.checked,
            "sizes": self.sizes,
            "checkerboard": self.checkerboard,
            "macs": self.macs,
            "naive_macs": self.naive_macs,
            "before": None if self.times is None else self.times.before,
            "after": None if self.times is None else self.times.after,
        }


def _sizes(op: Operator) -> str:
    if op.sizes is None:
        return f"{op.channels[0]} -> {op.channels[1]} channels, any size"
    return " -> ".join("x".join(map(str, shape)) for shape in (op.input_shape, op.output_shape))


def _verdict(op: Operator) -> str:
    found = derive.checkerboard(op)
    if found.uniform:
        return "none"
    if found.ratio is None:
        return f"dead outputs {found.dead_outputs.fraction}"
    return f"ratio {found.ratio}"
