"""Exact operators as specialised kernels: lowered once, emitted as NumPy and C, built, checked."""

from ._runtime import CompileError, Kernel, LayoutError
from .build import build
from .errors import LoweringError
from .exact_vectors import Vectors, vectors
from .indices import IndexSafety, index_safety
from .judge import Certificate, Counterexample, certify
from .prime_field import Identity, identity

__all__ = [
    "Certificate",
    "CompileError",
    "Counterexample",
    "Identity",
    "IndexSafety",
    "Kernel",
    "LayoutError",
    "LoweringError",
    "Vectors",
    "build",
    "certify",
    "identity",
    "index_safety",
    "vectors",
]
