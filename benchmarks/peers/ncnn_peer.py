"""ncnn: a net of one layer, or of a resize and a layer, in its own words; float32 throughout."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import ncnn
import numpy as np

from benchmarks.case import Case, Data
from benchmarks.contestant import Contestant, UnsupportedError
from derive.layers.transposed import TransposedConvolution

MAGIC = 7767517
NAMES = {1: "1D", 2: "", 3: "3D"}
RESIZE = {"nearest": 1, "bilinear": 2}
# numbers of a layer's parameters; those of the other axes follow the first
PARAMETERS = {"kernel_size": 1, "dilation": 2, "stride": 3, "padding": 4}
OUTPUTS, BIAS, WEIGHTS, GROUPS, OUTPUT_PADDING = 0, 5, 6, 7, 18
HALF = ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_storage", "bf16_packed")


def net(case: Case, data: Data, threads: int) -> Contestant:
    """The net, fed by our array without a copy."""
    if case.dtype != "float32" or case.direction != "forward" or case.batch != 1:
        raise UnsupportedError("float32, forward and one sample only")
    made = ncnn.Net()
    options = made.opt
    options.num_threads, options.use_vulkan_compute = threads, False
    for name in HALF:
        if hasattr(options, f"use_{name}"):
            setattr(options, f"use_{name}", False)
    made.opt = options
    with tempfile.TemporaryDirectory() as folder:
        text, numbers = Path(folder, "net.param"), Path(folder, "net.bin")
        text.write_text(_text(case))
        weight = data.weight
        if isinstance(case.layer, TransposedConvolution):
            weight = weight.swapaxes(0, 1)
        flag = bytes(4)  # what follows is float32
        numbers.write_bytes(flag + weight.tobytes() + data.bias.tobytes())
        if made.load_param(str(text)) or made.load_model(str(numbers)):
            raise UnsupportedError("does not load the layer")
    x = ncnn.Mat(data.x[0])

    def run() -> Any:
        extractor = made.create_extractor()
        extractor.input("x", x)
        return extractor.extract("y")[1]

    return Contestant(run, lambda result: np.array(result)[None])


def _text(case: Case) -> str:
    lines, source = ["Input x 0 1 x"], "x"
    if case.resize is not None:
        words = {0: RESIZE[case.resize.parameters["mode"]], 1: 2.0, 2: 2.0}
        lines.append(f"Interp larger 1 1 x larger {_written(words)}")
        source = "larger"
    layer = case.layer
    kind = "Deconvolution" if isinstance(layer, TransposedConvolution) else "Convolution"
    if layer.groups > 1:
        kind += "DepthWise"
    kind += NAMES[layer.dimensions]
    lines.append(f"{kind} layer 1 1 {source} y {_written(_words(case))}")
    return "\n".join([str(MAGIC), f"{len(lines)} {len(lines)}", *lines]) + "\n"


def _words(case: Case) -> dict[int, Any]:
    layer, words = case.layer, case.layer.parameters
    found = {number: words[name] for name, number in PARAMETERS.items()}
    if any(not isinstance(value, int) for value in found.values()):
        raise UnsupportedError("one number for all axes only")
    found |= {OUTPUTS: words["out_channels"], BIAS: 1, WEIGHTS: prod(layer.form.weight_shape)}
    if layer.groups > 1:
        found[GROUPS] = layer.groups
    if extra := words.get("output_padding", 0):
        found[OUTPUT_PADDING] = extra
    return found


def _written(words: Mapping[int, Any]) -> str:
    return " ".join(f"{number}={value}" for number, value in sorted(words.items()))
