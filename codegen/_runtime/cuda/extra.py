"""The packages of the extra ``cuda``, imported when a kernel is first called."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ..errors import DeviceError

REMEDY = 'pip install "exactconv[cuda]"'


def imported(name: str) -> Any:
    """A module of theirs; DeviceError that says how to get it where it is not installed."""
    try:
        return import_module(name)
    except ImportError as error:
        raise DeviceError(f"{name} cannot be imported ({error}): {REMEDY}") from None
