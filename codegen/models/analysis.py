"""A torch model -> the report of its layers from shapes alone: no weight is read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_map_only

from .chains import Chain, chains
from .errors import KeptError, ModelError
from .exported import Traced, exported
from .layer import LayerReport
from .measure import tensors
from .modules import fit, is_layer, obstacle, uninitialised
from .report import Report
from .walked import walked


def analyse(model: nn.Module, example_input: Any) -> Report:
    """Which layers of a model are operators of ours, alone or with a resize or pad before.

    ``example_input`` is a tensor, a tuple of arguments, or a dict of keyword arguments; only
    shapes are used, and a model whose weights are on "meta" will do. Nothing of the model is
    changed. ModelError for what is no model or example.

    >>> model = nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(4, 4, 3, padding=1))
    >>> report = analyse(model.to("meta"), torch.empty(1, 4, 8, 8))
    >>> [(layer.name, layer.kind, layer.sizes) for layer in report.layers]
    [('1', 'Upsample + Conv2d', '4x8x8 -> 4x16x16')]
    """
    found, notes = traced_chains(model, example_input)
    layers = [_layer(same) for same in grouped(found)]
    rest = untouched(model, {layer.name for layer in layers})
    return Report(source=type(model).__name__, layers=(*layers, *rest), notes=notes)


def traced_chains(model: nn.Module, example_input: Any) -> tuple[list[Chain], tuple[str, ...]]:
    """The chains of a model, and why only its parts were followed where that is so."""
    if not isinstance(model, nn.Module):
        raise ModelError(f"model is of type {type(model).__name__}: allowed is a torch.nn.Module")
    if any(map(uninitialised, model.modules())):
        return [], ("a lazy module has no shape yet: call the model once, then convert it",)
    given, notes = call_arguments(model, example_input), []
    try:
        traced = exported(model, *given)
    except KeptError as error:
        traced = Traced((), {})
        notes.append(f"{error}; its parts are looked at one by one")
    calls, users = list(traced.calls), dict(traced.users)
    known = {call.name for call in calls}
    if any(fit(module) and name not in known for name, module in model.named_modules()):
        try:
            more = walked(model, *given, known)
            calls, users = [*calls, *more.calls], {**users, **more.users}
        except KeptError as error:
            notes += [str(error)] * bool(notes)
    return chains(calls, users), tuple(notes)


def call_arguments(model: nn.Module, example: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Positional and keyword arguments of an example, on the device of the model."""
    if isinstance(example, dict):
        args, kwargs = (), dict(example)
    else:
        args, kwargs = tuple(example) if isinstance(example, (tuple, list)) else (example,), {}
    if not tensors((args, kwargs)):
        raise ModelError(
            f"example_input is of type {type(example).__name__}: allowed is a tensor, a tuple of "
            "arguments with one, or a dict of keyword arguments"
        )
    if any(p.device.type == "meta" for p in model.parameters()):
        moved: Any = tree_map_only(torch.Tensor, lambda value: value.to("meta"), (args, kwargs))
        args, kwargs = moved
    return args, kwargs


def grouped(found: Iterable[Chain]) -> list[list[Chain]]:
    """The chains of one module together: it may be called several times."""
    by_owner: dict[str, list[Chain]] = {}
    for chain in found:
        by_owner.setdefault(chain.last.name, []).append(chain)
    return list(by_owner.values())


def _layer(same: Sequence[Chain]) -> LayerReport:
    """The calls of one module: a chain only where there is one of them."""
    first = same[0]
    reasons = dict.fromkeys(chain.reason for chain in same if chain.reason)
    swapped = all(chain.fit for chain in same)
    ops = tuple(chain.op for chain in same if chain.op is not None)
    kinds = dict.fromkeys(chain.kind for chain in same)
    fused = "one kernel" if swapped and len(first.calls) > 1 else ""
    return LayerReport(
        name=first.last.name,
        kind=", ".join(kinds),
        ops=ops,
        swapped=swapped,
        reason="; ".join(filter(None, [fused, *reasons])),
    )


def untouched(model: nn.Module, known: set[str]) -> list[LayerReport]:
    """Convolutions that no call was seen of."""
    return [
        LayerReport(
            name=name,
            kind=type(module).__name__,
            ops=(),
            swapped=False,
            reason=obstacle(module) or "no call of it was seen",
        )
        for name, module in model.named_modules()
        if is_layer(module) and name not in known
    ]
