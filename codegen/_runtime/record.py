"""The record beside a generated kernel: hashes of its texts, and what was checked of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

SUFFIX = ".cert.json"


class RecordError(RuntimeError):
    """A text that is not the one its record speaks of, or a record that cannot be read."""


def sha256(content: bytes) -> str:
    """The hash as records write it."""
    return hashlib.sha256(content).hexdigest()


def _beside(path: Path, name: str) -> Path:
    """A text in the folder of its record or below it."""
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise ValueError(f"{name} is not beside it")
    return path.parent / name


def read_record(face: str) -> Callable[[], Mapping[str, Any]]:
    """What reads the record beside a kernel's Python file; RecordError where a text has changed."""

    def read() -> Mapping[str, Any]:
        path = Path(face).with_suffix(SUFFIX)
        try:
            found: dict[str, Any] = json.loads(path.read_bytes())
            texts: dict[str, str] = found["texts"]
            hashes = {name: sha256(_beside(path, name).read_bytes()) for name in texts}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise RecordError(f"{path.name}: {type(error).__name__}: {error}") from None
        changed = [name for name in texts if hashes[name] != texts[name]]
        if changed:
            raise RecordError(f"{path.name} does not speak of this text: {', '.join(changed)}")
        return found

    return read
