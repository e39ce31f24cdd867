"""The bench of the GPU at hand: ours and torch's, graphs, a clock, ceilings."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch

import codegen
from benchmarks.case import Array, Case
from benchmarks.contestant import Contestant
from benchmarks.ours import function
from benchmarks.peers.torch_peer import Tensors
from benchmarks.row import OURS

from . import ceilings, gpu
from .measure import Bench, Makers
from .peers import exact, peers, to_host


def bench(device: str = "cuda") -> Bench:
    """Everything on the current device."""
    return Bench(
        partial(entries, device=device), gpu.captured, gpu.clock, ceilings.copy, ceilings.sums
    )


def entries(case: Case, device: str = "cuda") -> tuple[Array, Makers]:
    """The right result of a case, and who wants to take part."""
    tensors = gpu.tensors(case, device)
    makers: dict[str, Callable[[], Contestant]] = dict(peers(case, tensors))
    makers[OURS + "cuda"] = partial(ours, case, tensors)
    return exact(case, tensors), makers


def ours(case: Case, tensors: Tensors) -> Contestant:
    """Forward with the weight prepared once, as for inference; gradients with it as it is."""
    kernel = codegen.build(case.op, target="cuda", dtype=case.dtype)
    return Contestant(function(kernel, case.direction, tensors, torch.empty_like), to_host)
