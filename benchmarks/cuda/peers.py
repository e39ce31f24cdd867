"""torch on a GPU, which asks cuDNN: in both layouts, without and with TF32, and compiled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch

from benchmarks.case import Array, Case
from benchmarks.contestant import Contestant, UnsupportedError
from benchmarks.peers.compiled_peer import frozen
from benchmarks.peers.torch_peer import Tensor, Tensors, function, last

from .cases import TF32

Make = Callable[[Case, Tensors], Callable[[], Tensor]]


def contiguous(case: Case, tensors: Tensors) -> Callable[[], Tensor]:
    """Tensors as they are made."""
    return function(case, tensors, torch.contiguous_format)


def channels_last(case: Case, tensors: Tensors) -> Callable[[], Tensor]:
    """Input and weight with the channels of a pixel side by side."""
    return function(case, tensors, last(case))


MAKERS: Mapping[str, Make] = {
    "cuDNN": contiguous,
    "cuDNN channels-last": channels_last,
    "torch.compile": frozen,
}


def peers(case: Case, tensors: Tensors) -> dict[str, Callable[[], Contestant]]:
    """What makes each peer, by name."""
    names = dict.fromkeys(MAKERS, False)
    if case.dtype == "float32":
        names |= {name + TF32: True for name in MAKERS}
    return {
        name: partial(_contestant, MAKERS[name.removesuffix(TF32)], case, tensors, tf32)
        for name, tf32 in names.items()
    }


def _contestant(make: Make, case: Case, tensors: Tensors, tf32: bool) -> Contestant:
    settings = partial(torch.backends.cudnn.flags, enabled=True, benchmark=True, allow_tf32=tf32)
    try:
        with settings():
            once = make(case, tensors)
    except RuntimeError as error:
        raise UnsupportedError(str(error).splitlines()[0][:80]) from None

    def run() -> Tensor:
        with settings():
            return once()

    return Contestant(run, to_host)


def to_host(result: Any) -> Array:
    """A tensor as an array of float64."""
    found: Array = result.double().contiguous().cpu().numpy()
    return found


def exact(case: Case, tensors: Tensors) -> Array:
    """The result in float64, of the numbers as they were rounded: what everybody is held to."""
    double = Tensors(*(each.double() for each in tensors))
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, allow_tf32=False):
        return to_host(contiguous(case, double)())
