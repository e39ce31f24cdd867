"""Exact operators as specialised kernels: lowered once, emitted as NumPy and C, built, checked."""

from ._runtime import CompileError, Kernel, LayoutError
from .build import build
from .errors import LoweringError

__all__ = ["CompileError", "Kernel", "LayoutError", "LoweringError", "build"]
