"""Exact operators as specialised kernels: lowered once, emitted as NumPy, C, CUDA, and checked."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._runtime import CompileError, DeviceError, Kernel, LayoutError, WrongKernelError
    from ._runtime.cuda import CudaKernel, DeviceArray
    from .builder import build
    from .errors import LoweringError
    from .exact_vectors import Vectors, vectors
    from .indices import IndexSafety, index_safety
    from .judge import Certificate, Counterexample, certify
    from .models import convert
    from .prime_field import Identity, identity

# where each name lives; imported when it is first used, so that a command line starts at once
_HOMES = {
    "Certificate": "judge",
    "CompileError": "_runtime",
    "Counterexample": "judge",
    "CudaKernel": "_runtime.cuda",
    "DeviceArray": "_runtime.cuda",
    "DeviceError": "_runtime",
    "Identity": "prime_field",
    "IndexSafety": "indices",
    "Kernel": "_runtime",
    "LayoutError": "_runtime",
    "LoweringError": "errors",
    "Vectors": "exact_vectors",
    "WrongKernelError": "_runtime",
    "build": "builder",
    "certify": "judge",
    "convert": "models",
    "identity": "prime_field",
    "index_safety": "indices",
    "vectors": "exact_vectors",
}

__all__ = [
    "Certificate",
    "CompileError",
    "Counterexample",
    "CudaKernel",
    "DeviceArray",
    "DeviceError",
    "Identity",
    "IndexSafety",
    "Kernel",
    "LayoutError",
    "LoweringError",
    "Vectors",
    "WrongKernelError",
    "build",
    "certify",
    "convert",
    "identity",
    "index_safety",
    "vectors",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
