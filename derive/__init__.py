"""Convolution-like layers derived exactly: operators, matrices, formulas.

>>> import derive
>>> op = derive.Conv2d(1, 1, kernel_size=3, bias=False, input_size=(4, 4))
>>> op.matrix().shape, op.T.matrix() == op.matrix().T
((4, 16), True)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import derivations, proofs, winograd
    from .composite import Composite
    from .core.derivation import Derivation, Step
    from .core.sizes import convolution_size, inverse_size, transposed_size
    from .errors import GeometryError
    from .explaining import Explanation, explain
    from .layers import (
        Conv1d,
        Conv2d,
        Conv3d,
        ConvTranspose1d,
        ConvTranspose2d,
        ConvTranspose3d,
        Interpolate,
        Pad,
    )
    from .layers.from_torch import from_torch
    from .linear_map import LinearMap
    from .operator import Operator
    from .show import figures
    from .study.checkerboard import Checkerboard, checkerboard
    from .study.equivalence import Difference, Equal, equivalent
    from .study.float_index import float_index_differences
    from .study.initialisers import bilinear_weight, checkerboard_free, icnr
    from .study.no_sizes import NoSizes
    from .study.size_choice import SizeChoice
    from .study.solve_sizes import solve_sizes
    from .study.transposed_form import AsConvTranspose, NoTransposed, as_conv_transpose

# where each name lives; imported when it is first used, so that a command line starts at once
_HOMES = {
    "AsConvTranspose": "study.transposed_form",
    "Checkerboard": "study.checkerboard",
    "Composite": "composite",
    "Conv1d": "layers",
    "Conv2d": "layers",
    "Conv3d": "layers",
    "ConvTranspose1d": "layers",
    "ConvTranspose2d": "layers",
    "ConvTranspose3d": "layers",
    "Derivation": "core.derivation",
    "Difference": "study.equivalence",
    "Equal": "study.equivalence",
    "Explanation": "explaining",
    "GeometryError": "errors",
    "Interpolate": "layers",
    "LinearMap": "linear_map",
    "NoSizes": "study.no_sizes",
    "NoTransposed": "study.transposed_form",
    "Operator": "operator",
    "Pad": "layers",
    "SizeChoice": "study.size_choice",
    "Step": "core.derivation",
    "as_conv_transpose": "study.transposed_form",
    "bilinear_weight": "study.initialisers",
    "checkerboard": "study.checkerboard",
    "checkerboard_free": "study.initialisers",
    "convolution_size": "core.sizes",
    "derivations": "derivations",
    "equivalent": "study.equivalence",
    "explain": "explaining",
    "figures": "show",
    "float_index_differences": "study.float_index",
    "from_torch": "layers.from_torch",
    "icnr": "study.initialisers",
    "inverse_size": "core.sizes",
    "proofs": "proofs",
    "solve_sizes": "study.solve_sizes",
    "transposed_size": "core.sizes",
    "winograd": "winograd",
}

__all__ = [
    "AsConvTranspose",
    "Checkerboard",
    "Composite",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "Derivation",
    "Difference",
    "Equal",
    "Explanation",
    "GeometryError",
    "Interpolate",
    "LinearMap",
    "NoSizes",
    "NoTransposed",
    "Operator",
    "Pad",
    "SizeChoice",
    "Step",
    "as_conv_transpose",
    "bilinear_weight",
    "checkerboard",
    "checkerboard_free",
    "convolution_size",
    "derivations",
    "equivalent",
    "explain",
    "figures",
    "float_index_differences",
    "from_torch",
    "icnr",
    "inverse_size",
    "proofs",
    "solve_sizes",
    "transposed_size",
    "winograd",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = import_module(f"{__name__}.{_HOMES[name]}")
    value = home if name == _HOMES[name] else getattr(home, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
