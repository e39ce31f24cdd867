"""Convolution-like layers derived exactly: operators, matrices, formulas.

>>> import derive
>>> op = derive.Conv2d(1, 1, kernel_size=3, bias=False, input_size=(4, 4))
>>> op.matrix().shape, op.T.matrix() == op.matrix().T
((4, 16), True)
"""

from .composite import Composite
from .core.derivation import Derivation, Step
from .errors import GeometryError
from .layers import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from .linear_map import LinearMap
from .operator import Operator

__all__ = [
    "Composite",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "Derivation",
    "GeometryError",
    "LinearMap",
    "Operator",
    "Step",
]
