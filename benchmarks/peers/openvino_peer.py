"""OpenVINO: one request in float32, its input and output our arrays."""

from __future__ import annotations

import numpy as np
import openvino

from benchmarks.case import Case, Data
from benchmarks.contestant import Contestant

from .onnx_model import serialized


def request(case: Case, data: Data, threads: int) -> Contestant:
    """The request; without the hint it may compute in bfloat16."""
    core = openvino.Core()
    words = {
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
    }
    compiled = core.compile_model(core.read_model(serialized(case, data)), "CPU", words)
    made, y = compiled.create_infer_request(), np.empty(data.grad.shape, np.float32)
    ends = openvino.Tensor(data.x, shared_memory=True), openvino.Tensor(y, shared_memory=True)
    made.set_input_tensor(ends[0])
    made.set_output_tensor(ends[1])

    def run() -> None:
        made.infer()

    return Contestant(run, lambda _, ends=ends: y)
