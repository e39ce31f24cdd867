"""What takes part in a measurement."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .case import Array


class UnsupportedError(Exception):
    """A peer has no such layer; the message says which."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """``run`` does the work once; ``result`` makes an array of what it returned."""

    run: Callable[[], Any]
    result: Callable[[Any], Array]
