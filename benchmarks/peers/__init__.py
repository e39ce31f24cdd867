"""The peers: libraries that compute the same layers, each optional.

``find(name)`` imports a peer's module; ImportError says that the peer is not installed. Every
module makes a ``Contestant`` of a case and its data, or raises UnsupportedError.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from benchmarks.case import Case, Data
from benchmarks.contestant import Contestant

Peer = Callable[[Case, Data, int], Contestant]
WHERE = {  # name: module and function
    "torch": ("torch", "contiguous"),
    "torch channels-last": ("torch", "channels_last"),
    "torch.compile": ("compiled", "compiled"),
    "onnxruntime": ("onnxruntime", "session"),
    "OpenVINO": ("openvino", "request"),
    "ncnn": ("ncnn", "net"),
}


def find(name: str) -> Peer:
    """What makes the contestants of a peer: (case, data, threads) -> Contestant."""
    module, function = WHERE[name]
    peer: Peer = getattr(import_module(f".{module}_peer", __package__), function)
    return peer
