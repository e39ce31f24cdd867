"""The layer as an ONNX model, its weights constants: what onnxruntime and OpenVINO read."""

from __future__ import annotations

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

from benchmarks.case import Case, Data
from benchmarks.contestant import UnsupportedError
from derive.arguments import per_axis
from derive.layers import Interpolate
from derive.layers.transposed import TransposedConvolution

OPSET, IR = 17, 8
RESIZE = {
    "nearest": {
        "mode": "nearest",
        "coordinate_transformation_mode": "asymmetric",
        "nearest_mode": "floor",
    },
    "bilinear": {"mode": "linear", "coordinate_transformation_mode": "half_pixel"},
}


def serialized(case: Case, data: Data) -> bytes:
    """The model, from "x" to "y"."""
    if case.dtype != "float32" or case.direction != "forward":
        raise UnsupportedError("float32 and forward only")
    constants = [numpy_helper.from_array(data.weight, "w"), numpy_helper.from_array(data.bias, "b")]
    nodes, source = [], "x"
    if case.resize is not None:
        factors = np.float32([1, 1, *[case.resize.parameters["scale_factor"]] * len(case.op.axes)])
        constants.append(numpy_helper.from_array(factors, "factors"))
        nodes.append(_resize(case.resize))
        source = "larger"
    nodes.append(_layer(case, source))
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, (case.batch, *shape))
        for name, shape in (("x", case.op.input_shape), ("y", case.op.output_shape))
    ]
    graph = helper.make_graph(nodes, "layer", ends[:1], ends[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
    text: bytes = model.SerializeToString()
    return text


def _resize(resize: Interpolate) -> NodeProto:
    words = RESIZE[resize.parameters["mode"]]
    return helper.make_node("Resize", ["x", "", "factors"], ["larger"], **words)


def _layer(case: Case, source: str) -> NodeProto:
    layer, words = case.layer, case.layer.parameters
    names = {"strides": "stride", "dilations": "dilation", "kernel_shape": "kernel_size"}
    attributes = {
        name: list(per_axis(word, words[word], layer.dimensions, 0)) for name, word in names.items()
    }
    attributes["pads"] = 2 * list(per_axis("padding", words["padding"], layer.dimensions, 0))
    kind = "Conv"
    if isinstance(layer, TransposedConvolution):
        kind = "ConvTranspose"
        extra = per_axis("output_padding", words["output_padding"], layer.dimensions, 0)
        attributes["output_padding"] = list(extra)
    return helper.make_node(kind, [source, "w", "b"], ["y"], group=layer.groups, **attributes)
