"""One schedule for all operators, also for those that another would suit better."""

from __future__ import annotations

from codegen.cuda.device import Device
from codegen.cuda.schedule import CudaPlan, Gathered, plan
from codegen.lower import lower
from derive import Operator


def by_tables(op: Operator, device: Device, dtype: str) -> CudaPlan:
    return CudaPlan(Gathered(), Gathered(), Gathered())


def by_rule(op: Operator, device: Device, dtype: str) -> CudaPlan:
    return plan(lower(op.form).form, device, dtype)


PLANS = {"tables": by_tables, "rule": by_rule}
