"""How many multiply-adds this machine can do, measured beside everything else."""

from __future__ import annotations

import ctypes
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

from codegen._runtime.bounded import run
from codegen._runtime.compiler import SCALARS, find_compiler
from codegen._runtime.errors import CompileError

SUMS = 12  # more than a pipeline holds, fewer than there are registers
STEPS = 20_000
TEXT = """
#include <stddef.h>
typedef SCALAR V __attribute__((vector_size({bytes})));
SCALAR multiply_adds(ptrdiff_t steps, SCALAR factor)
{{
    V f = (V){{0}} + factor, {zeros};
    for (ptrdiff_t i = 0; i < steps; i++) {{
        {body}
    }}
    return ({total})[0];
}}
"""


@cache
def multiply_adds(dtype: str) -> tuple[Callable[[], object], int]:
    """A loop of vector registers alone, and how many floating-point operations a call does."""
    compiler = find_compiler()
    size = compiler.machine.vector_bytes if compiler.machine else 16
    names = [f"s{i}" for i in range(SUMS)]
    text = TEXT.format(
        bytes=size,
        zeros=", ".join(f"{name} = {{{i}}}" for i, name in enumerate(names)),
        body=" ".join(f"{name} = {name} * f + f;" for name in names),
        total=" + ".join(names),
    )
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "peak.c"), Path(folder, "peak.so")
        source.write_text(text)
        done = run(compiler.arguments(SCALARS[dtype], str(source), str(target)))
        if done.returncode:
            raise CompileError(done.stderr)
        function = ctypes.CDLL(str(target)).multiply_adds
    scalar = {"float32": ctypes.c_float, "float64": ctypes.c_double}[dtype]
    function.argtypes, function.restype = [ctypes.c_ssize_t, scalar], scalar
    lanes = size // np.dtype(dtype).itemsize
    return lambda: function(STEPS, 0.5), 2 * STEPS * SUMS * lanes
