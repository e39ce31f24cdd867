"""What takes part in a measurement."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


class UnsupportedError(Exception):
    """A peer has no such layer; the message says which."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """``run`` does the work once; ``result`` makes of what it returned what is judged."""

    run: Callable[[], Any]
    result: Callable[[Any], Any]
