"""A file -> an ONNX model with the shapes of its values and without its weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

from codegen.models.errors import ModelError

HINT = "pip install 'exactconv[onnx]'"
SMALL = 64  # elements of a tensor that says sizes, scales or pads; larger ones are weights
LARGEST_FILE = 2**31 - 1  # bytes that a protocol buffer may have
Shape = tuple[int | None, ...]


def read(path: Path, sizes: Mapping[str, Sequence[int]] | None = None) -> Any:
    """The model of a file, its functions put in place, its weights dropped, its shapes inferred.

    ``sizes`` gives inputs a shape, by their names. ModelError where there is no model to read.
    """
    try:
        import onnx
        from onnx import inliner, shape_inference
    except ImportError:
        raise ModelError(f"{path}: reading it needs the package onnx: {HINT}") from None
    model = _parsed(path, onnx)
    drop_weights(model.graph)
    _give_sizes(model, sizes or {})
    try:
        model = inliner.inline_local_functions(model)
        return shape_inference.infer_shapes(model, strict_mode=False, data_prop=True)
    except Exception as error:  # of C++, of many types
        raise ModelError(f"{path}: shapes cannot be inferred: {_first_line(error)}") from None


def _parsed(path: Path, onnx: Any) -> Any:
    if path.stat().st_size > LARGEST_FILE:
        raise ModelError(
            f"{path} has {path.stat().st_size:,} bytes: allowed are at most {LARGEST_FILE:,}; "
            "save the weights as external data"
        )
    model = onnx.ModelProto()
    try:
        model.ParseFromString(path.read_bytes())
    except Exception as error:  # google.protobuf.message.DecodeError, or of its own C++
        raise ModelError(f"{path} is no ONNX model: {_first_line(error)}") from None
    if not model.graph.node or not model.opset_import:
        raise ModelError(f"{path} is no ONNX model: it has no nodes, or does not say its opset")
    return model


def drop_weights(graph: Any) -> None:
    """Empty all large tensors: only their shapes are looked at."""
    for tensor in _tensors(graph):
        if abs(prod(tensor.dims)) > SMALL or tensor.data_location == tensor.EXTERNAL:
            for field in ("raw_data", "float_data", "int32_data", "int64_data", "double_data"):
                tensor.ClearField(field)


def _tensors(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t


def _give_sizes(model: Any, sizes: Mapping[str, Sequence[int]]) -> None:
    """Write shapes into the inputs of these names."""
    inputs = {value.name: value for value in model.graph.input}
    for name, shape in sizes.items():
        if name not in inputs:
            raise ModelError(f"input {name!r}: allowed is one of {', '.join(inputs) or 'none'}")
        dims = inputs[name].type.tensor_type.shape.dim
        if dims and len(dims) != len(shape):
            raise ModelError(f"input {name!r} has {len(dims)} axes; given are {len(shape)} sizes")
        if any(size < 1 for size in shape):
            raise ModelError(f"input {name!r} = {tuple(shape)}: allowed are sizes >= 1")
        inputs[name].type.tensor_type.shape.ClearField("dim")
        for size in shape:
            inputs[name].type.tensor_type.shape.dim.add().dim_value = size


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
