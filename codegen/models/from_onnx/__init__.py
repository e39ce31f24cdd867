"""ONNX models, read without their weights: which nodes are operators of ours.

A file is data from outside: nothing of it is run, its external data is not opened, and what is
broken is a ModelError.
"""

from .layers import analyse_onnx

__all__ = ["analyse_onnx"]
