"""onnxruntime: one session, its input and output bound to our arrays."""

from __future__ import annotations

import numpy as np
import onnxruntime

from benchmarks.case import Case, Data
from benchmarks.contestant import Contestant

from .onnx_model import serialized


def session(case: Case, data: Data, threads: int) -> Contestant:
    """The bound session."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    model = serialized(case, data)
    made = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    bound, y = made.io_binding(), np.empty(data.grad.shape, np.float32)
    bound.bind_input("x", "cpu", 0, np.float32, data.x.shape, data.x.ctypes.data)
    bound.bind_output("y", "cpu", 0, np.float32, y.shape, y.ctypes.data)
    return Contestant(lambda: made.run_with_iobinding(bound), lambda _: y)
