"""Operator -> source text: C, its header, NumPy, and the Python face of the C kernel.

The same operator gives the same bytes on every machine: no dates, no paths, no hash order.
"""

from .describe import default_name
from .targets.c import emit_c, emit_face
from .targets.header import emit_header
from .targets.numpy import emit_numpy

__all__ = ["default_name", "emit_c", "emit_face", "emit_header", "emit_numpy"]
