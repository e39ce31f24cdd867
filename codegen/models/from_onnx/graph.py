"""The graph of an ONNX model as mappings: producers, readers, shapes, small constants."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from codegen.models.errors import KeptError, ModelError

from .file import SMALL, Shape

STANDARD = ("", "ai.onnx")  # domains of the operators that the standard defines


@dataclass(frozen=True, slots=True)
class Graph:
    """The nodes in order, with what is known of the values between them."""

    nodes: tuple[Any, ...]
    opset: int
    users: Counter[str]
    shapes: dict[str, Shape]
    constants: dict[str, Any]  # name -> TensorProto

    def shape(self, value: str) -> Shape:
        """Shape of a value, None for each size that is not known; KeptError without a rank."""
        if value not in self.shapes:
            raise KeptError(f"the shape of {value!r} is not known")
        return self.shapes[value]

    def numbers(self, value: str, what: str) -> tuple[Any, ...] | None:
        """The numbers of a small constant, None where the input is left out."""
        if not value:
            return None
        tensor = self.constants.get(value)
        if tensor is None:
            raise KeptError(f"{what} are computed while the model runs")
        if tensor.data_location == tensor.EXTERNAL:
            raise KeptError(f"{what} are in external data, which is not opened")
        from onnx import numpy_helper

        try:
            array = numpy_helper.to_array(tensor)
        except Exception as error:
            raise KeptError(f"{what} cannot be read: {error}") from None
        if array.size > SMALL:
            raise KeptError(f"{what} have {array.size} elements")
        return tuple(array.reshape(-1).tolist())


def graph_of(model: Any) -> Graph:
    """The graph of a model whose shapes were inferred; ModelError where it is not one."""
    graph = model.graph
    opsets = [each.version for each in model.opset_import if each.domain in STANDARD]
    _check_order(graph.node)
    users = Counter(output.name for output in graph.output)
    for node in graph.node:
        users.update(name for name in node.input if name)
    users.update(_outer_names(graph.node))
    return Graph(
        tuple(graph.node), max(opsets, default=0), users, _shapes(graph), _constants(graph)
    )


def _check_order(nodes: Sequence[Any]) -> None:
    """ModelError unless each value is computed once, before it is read: then nothing circles."""
    later = Counter(name for node in nodes for name in node.output if name)
    for name, count in later.items():
        if count > 1:
            raise ModelError(f"value {name!r} is computed twice: this is no ONNX graph")
    for node in nodes:
        for name in node.input:
            if name in later:
                raise ModelError(f"value {name!r} is read before it is computed")
        for name in node.output:
            later.pop(name, None)


def attributes(node: Any) -> dict[str, Any]:
    """The attributes of a node by their names, as Python values."""
    from onnx import helper

    try:
        found = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    except Exception as error:
        raise KeptError(f"an attribute cannot be read: {error}") from None
    return {n: v.decode(errors="replace") if isinstance(v, bytes) else v for n, v in found.items()}


def _shapes(graph: Any) -> dict[str, Shape]:
    """name -> shape of every value whose rank is known."""
    shapes: dict[str, Shape] = {}
    for value in (*graph.input, *graph.value_info, *graph.output):
        if value.type.tensor_type.HasField("shape"):
            dims = value.type.tensor_type.shape.dim
            shapes[value.name] = tuple(
                dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else None
                for dim in dims
            )
    return shapes | {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}


def _constants(graph: Any) -> dict[str, Any]:
    """name -> tensor of initializers and of Constant nodes."""
    from onnx import helper, numpy_helper

    found = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type != "Constant" or len(node.output) != 1 or len(node.attribute) != 1:
            continue
        (attribute,) = node.attribute
        if attribute.name == "value":
            found[node.output[0]] = attribute.t
        elif attribute.name in ("value_ints", "value_floats", "value_int", "value_float"):
            import numpy as np

            kind = np.int64 if "int" in attribute.name else np.float32
            array = np.array(helper.get_attribute_value(attribute), kind)
            found[node.output[0]] = numpy_helper.from_array(array)
    return found


def _outer_names(nodes: Sequence[Any]) -> Counter[str]:
    """Values that the bodies of If, Loop and Scan read: of the graph around them, perhaps."""
    found: Counter[str] = Counter()
    for node in nodes:
        for attribute in node.attribute:
            for body in (attribute.g, *attribute.graphs):
                for inner in body.node:
                    found.update(name for name in inner.input if name)
                found.update(_outer_names(body.node))
                found.update(output.name for output in body.output)
    return found
