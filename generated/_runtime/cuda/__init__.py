# Copied by `python -m codegen` from codegen/_runtime; edit it there.
"""CUDA at run time: what a text holds, how it is compiled, kept and launched.

Nothing here needs a GPU, a driver or cuda-core before a kernel is called. A generated module says::

    kernel = CudaKernel(
        name="conv", input_shape=(1, 8), ..., dtypes=("float32",), record=read_record(__file__),
        load=cuda_functions(
            {"float32": Program("conv", "float32", text, {"forward": Function(...), ...})},
            test=lambda *made: trial.wrong(kernel, *made),
        ),
    )

where ``text`` is the .cu file beside it, and ``trial`` is as for C.
"""

from .arrays import DeviceArray
from .functions import cuda_functions
from .kernel import CudaKernel
from .launch import PreparedOnDevice
from .program import Function, Program, Room, Step, read_text

__all__ = [
    "CudaKernel",
    "DeviceArray",
    "Function",
    "PreparedOnDevice",
    "Program",
    "Room",
    "Step",
    "cuda_functions",
    "read_text",
]
