"""What differs between targets; what they share is lowered before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from derive import Operator


def facts(op: Operator, name: str) -> dict[str, Any]:
    """What every kernel says of its operator: ``_runtime.specialised.Specialised``."""
    return {
        "name": name,
        "input_shape": op.input_shape,
        "output_shape": op.output_shape,
        "weight_shape": op.weight_shape,
        "bias_shape": op.bias_shape,
        "macs": op.macs,
        "naive_macs": op.naive_macs,
    }


def kernel_object(
    op: Operator, name: str, load: str, kind: str = "Kernel", further: Sequence[str] = ()
) -> dict[str, Any]:
    """What the kernel at the end of every Python file is told, ``further`` words included."""
    return {
        "kind": kind,
        "further": further,
        **facts(op, name),
        "load": load,
    }
