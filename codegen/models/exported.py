"""A torch model -> its calls of convolutions, resizes and pads, in the graph of torch.export."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd

import derive
from derive import from_torch
from derive.layers import Layer

from .aten import arguments, kind_of, layer_of, sizes_of
from .chains import Call
from .errors import KeptError
from .modules import obstacle

CALLED_AGAIN = re.compile(r"@\d+")  # how export names further calls of a module


@dataclass(frozen=True, slots=True)
class Site:
    """Where a call stands: its node, and the module in whose forward it is."""

    nodes: tuple[Any, ...]  # the call last, what pads its input for it before
    owner: str
    own: bool  # whether the owner is the layer itself, rather than a module that calls a function


@dataclass(frozen=True, slots=True)
class Traced:
    """The calls of a model in order, and how many read each value."""

    calls: tuple[Call, ...]
    users: Mapping[str, int]


def exported(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Traced:
    """The calls of a model with this example; KeptError where torch.export cannot follow it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.export.export(model, args, kwargs, strict=False)
    except Exception as error:  # of many types: a model may do anything
        line = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise KeptError(f"torch.export cannot follow the model: {line}") from None
    weights = program.graph_signature.inputs_to_parameters
    inside: dict[str, Any] = {}  # what pads the input of a convolution within that
    first = {id(module): name for name, module in model.named_modules()}  # of those with several
    calls = []
    for node in program.graph.nodes:
        kind = kind_of(node.target) if node.op == "call_function" else ""
        if not kind:
            continue
        owner = model.get_submodule(_owner(node))
        path = first[id(owner)]
        if kind == "pad" and isinstance(owner, _ConvNd):
            inside[node.name] = node
        elif kind == "convolution":
            calls.append(_convolution(node, path, owner, inside.get(node.args[0].name), weights))
        else:
            calls.append(_moving(node, path, owner, kind))
    users = {node.name: len(node.users) for node in program.graph.nodes}
    return Traced(tuple(calls), users)


def _owner(node: Any) -> str:
    """The path of the innermost module in whose forward a node was made."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    return CALLED_AGAIN.sub("", stack[-1][0]) if stack else ""


def _convolution(
    node: Any, path: str, owner: nn.Module, padding: Any, weights: Mapping[str, str]
) -> Call:
    own = isinstance(owner, _ConvNd)
    source = (node if padding is None else padding).args[0]
    layer, reason = None, ""
    if not own:
        reason = f"a function, in the forward of {path or 'the model'}: not a module"
    elif not (reason := obstacle(owner)) and arguments(node)["weight"].name not in weights:
        reason = "its weight is computed while the model runs"
    try:
        layer = layer_of(node) if padding is None else _padding_itself(owner, source)
    except (KeptError, derive.GeometryError) as error:
        reason = reason or str(error)
    return Call(
        name=path if own else f"{path}.{node.name}".lstrip("."),
        kind=type(owner).__name__ if own else _function(node),
        source=source.name,
        result=node.name,
        layer=layer,
        learns=True,
        reason=reason,
        token=Site((node,) if padding is None else (padding, node), path, own),
    )


def _padding_itself(module: nn.Module, source: Any) -> Layer:
    axes = len(module.kernel_size)  # type: ignore[arg-type]
    layer = from_torch(module, sizes_of(source)[-axes:])
    assert isinstance(layer, Layer)
    return layer


def _moving(node: Any, path: str, owner: nn.Module, kind: str) -> Call:
    """A resize or a pad: a module of torch's, or a function in somebody's forward."""
    own = isinstance(owner, nn.Upsample) or type(owner).__module__ == "torch.nn.modules.padding"
    layer, reason = None, ""
    try:
        layer = layer_of(node)
    except (KeptError, derive.GeometryError) as error:
        reason = str(error)
    return Call(
        name=path if own else f"{path}.{node.name}".lstrip("."),
        kind=type(owner).__name__ if own else {"resize": "interpolate"}.get(kind, kind),
        source=node.args[0].name,
        result=node.name,
        layer=layer,
        learns=False,
        reason=reason,
        unfit=obstacle(owner, learns=False) if own else "",
        token=Site((node,), path, own),
    )


def _function(node: Any) -> str:
    return str(node.target).split(".")[1]
