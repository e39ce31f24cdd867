"""One schedule for all operators, also for those that another would suit better."""

from __future__ import annotations

from collections.abc import Callable

from codegen._runtime.cuda.program import ITEMSIZE
from codegen.cuda.depthwise import depthwise
from codegen.cuda.device import Device
from codegen.cuda.direct_choice import direct
from codegen.cuda.schedule import ByWeight, CudaPlan, Gathered, Schedule, plan
from codegen.cuda.tensor_gradient_choice import tensor_gradient
from codegen.cuda.tensor_tiles import tensor_of
from codegen.cuda.weight_gradient import weight_gradient
from codegen.cuda.windows import window_of
from derive.core.form import TrilinearForm

Plan = Callable[[TrilinearForm, str], CudaPlan]  # of a folded form and a dtype
DEVICE = Device()
SETS = (1, 8, 64)  # samples that a tile is chosen for: another tile each


def by_tables(form: TrilinearForm, dtype: str) -> CudaPlan:
    return CudaPlan(Gathered(), Gathered(), Gathered())


def by_rule(form: TrilinearForm, dtype: str) -> CudaPlan:
    return plan(form, DEVICE, dtype)


def by_tensor_cores(form: TrilinearForm, dtype: str) -> CudaPlan:
    """Wherever every axis has windows, whatever the channels."""

    def of(form: TrilinearForm) -> Schedule:
        windows = [window_of(axis) for axis in form.axes]
        if not all(w.count and len(w.phases) == w.step for w in windows):
            return Gathered()
        found = tensor_of(form, DEVICE, SETS[sum(form.input_shape) % 3])
        return Gathered() if found is None else found[1]

    by_weight = tensor_gradient(form, DEVICE) or in_tiles(form, dtype)
    return CudaPlan(of(form), of(form.adjoint), by_weight)


def in_tiles(form: TrilinearForm, dtype: str) -> ByWeight:
    """The weight gradient, wherever all outputs read alike."""
    return weight_gradient(form, DEVICE, dtype) or Gathered()


def by_tiles(form: TrilinearForm, dtype: str) -> CudaPlan:
    """Wherever it is possible, however small."""

    def of(form: TrilinearForm) -> Schedule:
        return direct(form, DEVICE, ITEMSIZE[dtype], SETS[sum(form.input_shape) % 3]) or Gathered()

    return CudaPlan(of(form), of(form.adjoint), in_tiles(form, dtype))


def by_planes(form: TrilinearForm, dtype: str) -> CudaPlan:
    """Depthwise wherever groups are small enough, else in tiles."""
    others = by_tiles(form, dtype)
    return CudaPlan(
        depthwise(form, DEVICE, dtype) or others.forward,
        depthwise(form.adjoint, DEVICE, dtype) or others.input_gradient,
        others.weight_gradient,
    )


PLANS: dict[str, Plan] = {
    "tables": by_tables,
    "rule": by_rule,
    "tensor cores": by_tensor_cores,
    "direct": by_tiles,
    "depthwise": by_planes,
}
