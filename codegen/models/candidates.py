"""What could take the place of a layer: compared on integers, timed beside what there is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

import derive
from codegen._runtime import CompileError
from codegen.errors import LoweringError
from codegen.torch_ops import drop_in, words_of
from derive.layers import Interpolate, Layer

from .chains import Chain
from .copies import take_over
from .fused import Fused, Moved
from .layer import Times
from .measure import layer_call, medians
from .verify import compared

FAILURES = (derive.GeometryError, CompileError, LoweringError, ValueError, RuntimeError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a conversion was asked for."""

    keep: str
    algorithm: str
    train: bool
    measure: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A module for the place of a layer, or none: then ``reason`` says why it is kept."""

    chain: Chain
    module: nn.Module | None
    reason: str
    checked: str = ""
    times: Times | None = None
    second: Candidate | None = None  # what to take where a chain cannot be put in place

    @property
    def fused(self) -> bool:
        """Whether it computes what came before the convolution too."""
        return self.module is not None and len(self.chain.calls) > 1

    @property
    def moving(self) -> set[str]:
        """The names of what comes before the convolution."""
        return {call.name for call in self.chain.calls[:-1]}


@dataclass(slots=True)
class Workshop:
    """Makes candidates for one model; alike layers are compared and timed once."""

    model: nn.Module
    options: Options
    on_meta: bool = False
    _compared: dict[Any, tuple[str, list[str]]] = field(default_factory=dict)
    _timed: dict[Any, list[float]] = field(default_factory=dict)

    def best(self, group: Sequence[Chain]) -> Candidate:
        """What takes the place of the calls of one module."""
        first = group[0]
        reasons = "; ".join(dict.fromkeys(chain.reason for chain in group if chain.reason))
        if not all(chain.fit for chain in group):
            return Candidate(chain=first, module=None, reason=reasons)
        made = list(self._candidates(group))
        right = [each for each in made if each.module is not None]
        if not right:
            return made[-1]
        found, *others = self._fastest(right) if self.options.measure else right
        apart = [f"not with what is before it: {e.reason}" for e in made[:-1] if e.module is None]
        if found.module is not None and not found.fused and any(each.fused for each in right):
            apart.append("alone it is faster than with what is before it")
        reason = "; ".join(filter(None, [found.reason, *apart, reasons]))
        return replace(found, reason=reason, second=others[0] if others else None)

    def _candidates(self, group: Sequence[Chain]) -> Iterator[Candidate]:
        """The chain as one module first, then the convolution alone; or why they are not right."""
        first = group[0]
        if len(first.calls) > 1 and (apart := self._apart(group)):
            yield Candidate(chain=first, module=None, reason=apart)
        elif len(first.calls) > 1:
            yield self._right(first, [first], self._layers(first))
        alone = [Chain((chain.last,), chain.last.layer) for chain in group]
        yield self._right(alone[0], alone, [[_learned(alone[0])]])

    def _apart(self, group: Sequence[Chain]) -> str:
        """Why the calls of a chain cannot become one module."""
        if self.on_meta:
            return "on meta nothing can be run to see whether somebody looks at what is between"
        if len(group) > 1:
            return f"it is called {len(group)} times"
        return ""

    @staticmethod
    def _layers(chain: Chain) -> list[list[Layer]]:
        """The layers of a chain; and with torch's arithmetic where it picks other pixels."""
        layers = [call.layer for call in chain.calls if call.layer is not None]
        ways = [layers]
        if any(isinstance(each, Interpolate) and _picks_pixels(each) for each in layers):
            ways.append([_as_torch_picks(each) for each in layers])
        return ways

    def _right(
        self, chain: Chain, calls: Sequence[Chain], ways: Sequence[Sequence[Layer]]
    ) -> Candidate:
        """A candidate that all calls agree with, or one without a module."""
        conv = self.model.get_submodule(chain.last.name)
        dtype, reason = conv.get_parameter("weight").dtype, ""
        for layers in ways:
            words = words_of(*layers, algorithm=self.options.algorithm)
            try:
                how, wrong = self._compare(calls, words, dtype)
                if not wrong:
                    module = self._module(conv, layers)
                    by = f"{type(module).__module__.rpartition('.')[0]}.{type(module).__name__}"
                    return Candidate(chain=chain, module=module, reason=by, checked=how)
                reason = f"differs from torch ({how}): {', '.join(wrong)}"
            except FAILURES as error:
                reason = str(error).splitlines()[0]
        return Candidate(chain=chain, module=None, reason=reason)

    def _module(self, conv: nn.Module, layers: Sequence[Layer]) -> nn.Module:
        if len(layers) > 1:
            return take_over(conv, Fused(conv, layers, self.options.algorithm))
        return take_over(conv, drop_in(conv, self.options.algorithm))

    def _compare(
        self, calls: Sequence[Chain], words: str, dtype: torch.dtype
    ) -> tuple[str, list[str]]:
        """Over all calls: how, and the functions that differ."""
        hows, wrong = [], []
        for chain in calls:
            assert chain.op is not None
            each = words
            if len(chain.calls) == 1:  # output_size may make calls of one module differ
                each = words_of(_learned(chain), algorithm=self.options.algorithm)
            key = (each, chain.op.input_shape, dtype)
            if key not in self._compared:
                self._compared[key] = compared(chain, each, dtype)
            hows.append(self._compared[key][0])
            wrong += self._compared[key][1]
        return "; ".join(dict.fromkeys(hows)), list(dict.fromkeys(wrong))

    def _fastest(self, right: Sequence[Candidate]) -> list[Candidate]:
        """Those that are faster than what there is, the fastest first; else the one to keep."""
        longest = max((each.chain for each in right), key=lambda chain: len(chain.calls))
        conv = self.model.get_submodule(longest.last.name)
        nodes = [node for call in longest.calls[:-1] for node in call.token.nodes]
        modules = [conv, *(each.module for each in right if each.module is not None)]
        fused = [False, *(each.fused for each in right)]
        contest = [m if f else Moved(nodes, m) for m, f in zip(modules, fused, strict=True)]
        before, *after = self._times(longest, conv, contest)
        timed = [
            replace(each, times=Times(before, seconds))
            for each, seconds in zip(right, after, strict=True)
        ]
        timed.sort(key=lambda each: each.times.after if each.times else 0)
        faster = [each for each in timed if each.times and each.times.after < before]
        if self.options.keep == "all":
            return timed
        if faster:
            return faster
        reason = "torch is faster"
        return [replace(timed[0], module=None, reason=reason)]

    def _times(self, chain: Chain, conv: nn.Module, contest: Sequence[nn.Module]) -> list[float]:
        value = chain.calls[0].token.nodes[0].args[0].meta["val"]
        layers = [repr(call.layer) for call in chain.calls]
        key = (*layers, len(contest), tuple(value.shape), value.dtype)
        if key not in self._timed:
            x = torch.randn(tuple(value.shape), dtype=value.dtype)
            calls = [layer_call(module, x, train=self.options.train) for module in contest]
            self._timed[key] = medians(calls)
        return self._timed[key]


def _learned(chain: Chain) -> Layer:
    layer = chain.last.layer
    assert layer is not None
    return layer


def _picks_pixels(layer: Interpolate) -> bool:
    return str(layer.parameters["mode"]).startswith("nearest")


def _as_torch_picks(layer: Layer) -> Layer:
    if not isinstance(layer, Interpolate) or not _picks_pixels(layer):
        return layer
    return Interpolate(**{**layer.parameters, "index_arithmetic": "float32"})
