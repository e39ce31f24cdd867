"""The Python module beside a CUDA text."""

from __future__ import annotations

from typing import Any

from codegen._runtime.cuda.program import Function, Program
from codegen.describe import header
from codegen.render import render
from codegen.targets import kernel_object
from codegen.trials import trial
from derive import Operator


def emit_cuda_face(op: Operator, program: Program) -> str:
    """The module that launches a program: its text beside it, its launches inside."""
    load = """cuda_functions(
        {program.dtype: program},
        test=lambda *made: trial.wrong(kernel, *made),
    )"""
    words = ["dtypes=(program.dtype,)", "source=program.source"]
    return render(
        "cuda/face.py.j2",
        docstring="\n".join(header(op, program.name)),
        trial=trial(op),
        dtype=program.dtype,
        architecture=program.architecture,
        functions=[_function(*each) for each in program.functions.items()],
        **kernel_object(op, program.name, load, "CudaKernel", words),
    )


def _function(direction: str, function: Function) -> dict[str, Any]:
    return {
        "direction": direction,
        "steps": function.steps,
        "prepare": function.prepare,
        "rooms": [{"name": name, "value": room} for name, room in function.rooms.items()],
    }
