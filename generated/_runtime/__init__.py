# Copied by `python -m codegen` from codegen/_runtime; edit it there.
"""What a generated kernel needs at run time: NumPy and the standard library, nothing else.

The generator copies this folder beside the kernels, so that they run without it.
"""

from .arrays import LayoutError
from .compiler import read_sources
from .errors import CompileError, DeviceError, WrongKernelError
from .kernel import Kernel
from .library import Takes, c_functions
from .record import RecordError, read_record
from .trial import Trial
from .weighted import PreparedWeight

__all__ = [
    "CompileError",
    "DeviceError",
    "Kernel",
    "LayoutError",
    "PreparedWeight",
    "RecordError",
    "Takes",
    "Trial",
    "WrongKernelError",
    "c_functions",
    "read_record",
    "read_sources",
]
