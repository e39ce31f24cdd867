# Copied by `python -m codegen` from codegen/_runtime; edit it there.
"""CUDA at run time: what a text holds, how it is compiled, kept and launched.

Nothing here needs a GPU, a driver or cuda-core before a kernel is called.
"""

from .arrays import DeviceArray
from .functions import cuda_functions
from .kernel import CudaKernel
from .launch import PreparedOnDevice
from .program import Function, Program, Room, Step

__all__ = [
    "CudaKernel",
    "DeviceArray",
    "Function",
    "PreparedOnDevice",
    "Program",
    "Room",
    "Step",
    "cuda_functions",
]
