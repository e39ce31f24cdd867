"""Whole models: which layers have kernels here, what that is worth, and the swap."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .analysis import analyse
    from .conversion import convert
    from .errors import ModelError
    from .from_onnx import analyse_onnx
    from .layer import LayerReport
    from .report import Report

# imported when first used: torch and onnx are extras
_HOMES = {
    "LayerReport": "layer",
    "ModelError": "errors",
    "Report": "report",
    "analyse": "analysis",
    "analyse_onnx": "from_onnx",
    "convert": "conversion",
}

__all__ = ["LayerReport", "ModelError", "Report", "analyse", "analyse_onnx", "convert"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
