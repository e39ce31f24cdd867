"""Calls that the graph of a whole model does not show: each seen in a run, its part exported."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn
from torch.utils import _pytree

from .chains import Call
from .copies import copied
from .errors import KeptError
from .exported import Traced, exported
from .modules import is_layer

Given = tuple[tuple[Any, ...], dict[str, Any]]
AUTOCAST = "it is called under autocast, which changes its dtype"


def walked(model: nn.Module, args: Any, kwargs: Any, known: Iterable[str] = ()) -> Traced:
    """The calls in the largest parts that torch.export can follow and that have none of ``known``.

    KeptError where the model fails with this example.
    """
    walk = _Walk(copied(model).eval(), frozenset(known))
    walk.run(args, kwargs)
    calls = tuple(walk.calls("", walk.model))
    return Traced(calls, walk.users)


@dataclass(slots=True)
class _Walk:
    """One run of a model, then an export of each part with what it was called with."""

    model: nn.Module
    known: frozenset[str]
    seen: dict[str, dict[Any, Given]] = field(default_factory=dict)  # by name, by shapes
    autocast: set[str] = field(default_factory=set)
    users: dict[Any, int] = field(default_factory=dict)

    def run(self, args: Any, kwargs: Any) -> None:
        handles = []
        for name, module in self.model.named_modules():

            def note(_: Any, args: Any, kwargs: Any, name: str = name) -> None:
                if torch.is_autocast_enabled("cpu"):
                    self.autocast.add(name)
                key = str(_pytree.tree_map(_told, (args, kwargs)))
                self.seen.setdefault(name, {}).setdefault(key, (args, kwargs))

            if name and any(map(is_layer, module.modules())):
                handles.append(module.register_forward_pre_hook(note, with_kwargs=True))
        try:
            with torch.random.fork_rng(devices=[]), torch.no_grad():
                self.model(*args, **kwargs)
        except Exception as error:  # whatever the model raises
            raise KeptError(f"the model fails with {type(error).__name__}") from None
        finally:
            for handle in handles:
                handle.remove()

    def calls(self, name: str, module: nn.Module) -> Iterator[Call]:
        """Of a part as a whole where it can be followed, else of its parts."""
        layers = [each for each, m in module.named_modules(prefix=name) if is_layer(m)]
        new = [each for each in layers if each not in self.known]
        found = self._exported(name, module) if new == layers and name in self.seen else None
        if found is not None:
            yield from found
        elif new:
            for own, each in module.named_children():
                yield from self.calls(f"{name}.{own}".lstrip("."), each)

    def _exported(self, name: str, module: nn.Module) -> list[Call] | None:
        found = []
        for args, kwargs in self.seen[name].values():
            try:
                traced = exported(module, args, kwargs)
            except KeptError:
                return None
            number = len(self.users)
            self.users |= {(number, value): count for value, count in traced.users.items()}
            found += [self._renamed(call, name, number) for call in traced.calls]
        return found

    def _renamed(self, call: Call, name: str, number: int) -> Call:
        """The call under its name in the whole model."""
        owner = f"{name}.{call.token.owner}".strip(".")
        return replace(
            call,
            name=f"{name}.{call.name}".strip("."),
            source=(number, call.source),
            result=(number, call.result),
            reason=AUTOCAST if owner in self.autocast else call.reason,
            token=replace(call.token, owner=owner),
        )


def _told(value: Any) -> Any:
    """A tensor by its shape and dtype."""
    return (tuple(value.shape), value.dtype) if isinstance(value, torch.Tensor) else value
