"""Modules side by side: they take turns, so that what disturbs one disturbs the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from statistics import median
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

SECONDS = 0.4  # for one comparison
FEWEST, MOST = 3, 25  # turns


def medians(calls: Sequence[Callable[[], Any]]) -> list[float]:
    """Seconds of each call, the median of its turns; each has had one before."""
    for call in calls:
        call()
    first = [_seconds(call) for call in calls]
    turns = min(MOST, max(FEWEST, int(SECONDS / max(sum(first), 1e-9))))
    times = [[_seconds(call) for call in calls] for _ in range(turns)]
    return [median(column) for column in zip(*times, strict=True)]


def layer_call(module: nn.Module, x: Tensor, *, train: bool) -> Callable[[], Any]:
    """A call of a layer: forward, and backward to input and parameters where one trains."""
    if not train:
        return lambda: _without_gradient(module, (x,), {})
    x = x.detach().clone().requires_grad_()
    leaves = [x, *(p for p in module.parameters() if p.requires_grad)]

    def call() -> None:
        y = module(x)
        torch.autograd.grad(y, leaves, torch.ones_like(y))

    return call


def model_call(
    model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], *, train: bool
) -> Callable[[], Any]:
    """A call of a whole model; the sum of all outputs is what is differentiated."""
    if not train:
        return lambda: _without_gradient(model, args, kwargs)
    leaves = [p for p in model.parameters() if p.requires_grad]

    def call() -> None:
        total = sum(y.sum() for y in tensors(model(*args, **kwargs)) if y.requires_grad)
        if isinstance(total, Tensor) and leaves:
            torch.autograd.grad(total, leaves, allow_unused=True)

    return call


def tensors(value: Any) -> list[Tensor]:
    """All tensors in what a model gives: in tuples, lists, dicts and dataclasses, however deep."""
    if isinstance(value, Tensor):
        return [value]
    if is_dataclass(value) and not isinstance(value, (type, Mapping)):
        value = [getattr(value, each.name) for each in fields(value)]
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, (tuple, list)):
        return [each for part in value for each in tensors(part)]
    return []


def _without_gradient(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    with torch.no_grad():
        return module(*args, **kwargs)


def _seconds(call: Callable[[], Any]) -> float:
    begin = perf_counter()
    call()
    return perf_counter() - begin
