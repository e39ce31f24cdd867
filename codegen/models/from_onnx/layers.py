"""An ONNX file -> the report of its convolutions, resizes and pads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import derive
from codegen.models.chains import Call, Chain, chains
from codegen.models.errors import KeptError
from codegen.models.layer import LayerReport
from codegen.models.report import Report
from derive.layers import Layer

from .convolution import convolution, transposed
from .file import read
from .graph import STANDARD, Graph, graph_of
from .pad import pad
from .resize import resize

LEARNED: dict[str, Callable[[Any, Graph], Layer]] = {
    "Conv": convolution,
    "ConvTranspose": transposed,
}
MOVING: dict[str, Callable[[Any, Graph], Layer]] = {
    "Pad": pad,
    "Resize": resize,
    "Upsample": resize,
}
ALIKE = {
    "ConvInteger": "it convolves quantised integers",
    "QLinearConv": "it convolves quantised integers",
    "DeformConv": "its taps move with the data",
}
Bar = Callable[[Iterable[Any], int, str], list[Any]]


def analyse_onnx(
    path: Path | str,
    sizes: Mapping[str, Sequence[int]] | None = None,
    bar: Bar = lambda items, length, label: list(items),
) -> Report:
    """Which nodes of an ONNX file are operators of ours, alone or with a resize or pad before.

    Only shapes are looked at: weights are not read, external data is not opened. ``sizes`` gives
    inputs of free size a shape, by their names. ``bar(items, length, label)`` may show how far it
    is. ModelError where the file is no model, OSError where it cannot be read.
    """
    model = read(Path(path), sizes)
    graph = graph_of(model)
    nodes = list(enumerate(graph.nodes))
    found = bar((_call(place, node, graph) for place, node in nodes), len(nodes), "read   ")
    calls = [call for call in found if call is not None]
    layers = tuple(map(_layer, chains(calls, dict(graph.users))))
    return Report(source=Path(path).name, layers=layers, notes=_notes(graph))


def _call(place: int, node: Any, graph: Graph) -> Call | None:
    """What a node computes, None where it is of no kind that is looked for."""
    kind, name = node.op_type, node.name or f"{node.op_type}_{place}"
    if node.domain not in STANDARD or kind not in {*LEARNED, *MOVING, *ALIKE}:
        return None
    layer, reason = None, ALIKE.get(kind, "")
    if not reason:
        try:
            layer = _layer_of(node, graph)
        except (KeptError, derive.GeometryError) as error:
            reason = str(error)
    return Call(
        name=name,
        kind=kind,
        source=node.input[0] if node.input else "",
        result=_output(node),
        layer=layer,
        learns=kind not in MOVING,
        reason=reason,
    )


def _layer_of(node: Any, graph: Graph) -> Layer:
    if not (node.input and _output(node)):
        raise KeptError("it has no input or no output")
    return (LEARNED | MOVING)[node.op_type](node, graph)


def _output(node: Any) -> str:
    return node.output[0] if node.output else ""


def _layer(chain: Chain) -> LayerReport:
    swapped = chain.op is not None and chain.last.learns
    reason = chain.reason
    if swapped and len(chain.calls) > 1:
        reason = "; ".join(filter(None, ["one kernel", reason]))
    return LayerReport(
        name=chain.last.name,
        kind=chain.kind,
        ops=() if chain.op is None else (chain.op,),
        swapped=swapped,
        reason=reason,
    )


def _notes(graph: Graph) -> tuple[str, ...]:
    bodies = sum(a.HasField("g") or bool(a.graphs) for n in graph.nodes for a in n.attribute)
    if not bodies:
        return ()
    return (f"what is inside the {bodies} bodies of If, Loop and Scan was not looked at",)
