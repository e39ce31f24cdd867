"""Which CUDA schedule computes a function: by rule from its form, the device and the dtype."""

from __future__ import annotations

from dataclasses import dataclass

from derive.core.form import TrilinearForm

from .device import Device


@dataclass(frozen=True)
class Gathered:
    """Every output, or every number of the weight, by tables: right for every form."""


Schedule = Gathered


@dataclass(frozen=True)
class CudaPlan:
    """The schedule of each function through the weight."""

    forward: Schedule
    input_gradient: Schedule
    weight_gradient: Schedule


def plan(form: TrilinearForm, device: Device, dtype: str) -> CudaPlan:
    """By rule, of a folded form."""
    return CudaPlan(Gathered(), Gathered(), Gathered())
