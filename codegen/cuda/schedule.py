"""Which CUDA schedule computes a function: by rule from its form, the device and the dtype."""

from __future__ import annotations

from dataclasses import dataclass

from codegen._runtime.cuda.program import ITEMSIZE
from derive.core.form import TrilinearForm

from .depthwise import Depthwise, depthwise
from .depthwise_gradient import DepthwiseGradient, depthwise_gradient
from .device import Device
from .direct import Direct
from .direct_choice import direct
from .direct_choice import suits as worth_tiles
from .tensor import Tensor
from .tensor_gradient import TensorGradient
from .tensor_gradient_choice import tensor_gradient
from .tensor_tiles import suits, tensor_of
from .weight_blocks import WeightGradient
from .weight_gradient import weight_gradient


@dataclass(frozen=True)
class Gathered:
    """Every output, or every number of the weight, by tables: right for every form."""


Schedule = Gathered | Depthwise | Direct | Tensor
ByWeight = Gathered | DepthwiseGradient | TensorGradient | WeightGradient


@dataclass(frozen=True)
class CudaPlan:
    """The schedule of each function through the weight."""

    forward: Schedule
    input_gradient: Schedule
    weight_gradient: ByWeight


def plan(form: TrilinearForm, device: Device, dtype: str) -> CudaPlan:
    """By rule, of a folded form."""
    return CudaPlan(
        _gather(form, device, dtype),
        _gather(form.adjoint, device, dtype),
        _by_weight(form, device, dtype),
    )


def _by_weight(form: TrilinearForm, device: Device, dtype: str) -> ByWeight:
    alone = depthwise_gradient(form, device, dtype)
    if alone is not None:
        return alone
    on_cores = tensor_gradient(form, device) if suits(form, device, dtype) else None
    return on_cores or weight_gradient(form, device, dtype) or Gathered()


def _gather(form: TrilinearForm, device: Device, dtype: str) -> Schedule:
    alone = depthwise(form, device, dtype)
    if alone is not None:
        return alone
    if suits(form, device, dtype):
        found = tensor_of(form, device)
        if found is not None:
            return found[1]
    tiled = direct(form, device, ITEMSIZE[dtype]) if worth_tiles(form) else None
    return tiled or Gathered()
