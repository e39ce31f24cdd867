# Copied by `python -m codegen` from codegen/_runtime; edit it there.
"""One entry of the cache: a folder that holds a library, named by its hash, and a manifest.

It is made in private and published by one rename, so it is there as a whole or not at all,
whenever its maker dies. What does not match its manifest is put aside and never loaded.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from .errors import CompileError
from .machine import missing

MANIFEST = "manifest.json"
MANIFEST_BYTES = 1 << 16
PRIVATE = ".making-"  # folders that are no entries yet, or no longer


@dataclass(frozen=True)
class Manifest:
    """What must hold to load a library, and what it was made from."""

    runtime: str
    abi: str
    sha256: str
    features: list[str]
    files: list[str]
    scalar: str
    compiler: str

    @staticmethod
    def of(text: bytes) -> Manifest | None:
        """The manifest that this text is, None where it is none.

        >>> Manifest.of(b"{}") is None
        True
        """
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            return None
        kinds = {f.name: list if "list" in str(f.type) else str for f in fields(Manifest)}
        if not isinstance(found, dict) or found.keys() != kinds.keys():
            return None
        for name, kind in kinds.items():
            value = found[name]
            parts = value if isinstance(value, list) else [value]
            if not isinstance(value, kind) or not all(isinstance(each, str) for each in parts):
                return None
        return Manifest(**found) if re.fullmatch("[0-9a-f]{64}", found["sha256"]) else None


def read(target: Path) -> Manifest | None:
    """The manifest of an entry, None where there is none of ours."""
    content = _content(target / MANIFEST, MANIFEST_BYTES)
    return None if content is None else Manifest.of(content)


def sound(target: Path, runtime: str, abi: str, suffix: str = ".so") -> Path | None:
    """The library of an entry if it may be loaded here, unharmed as its manifest says."""
    manifest = read(target)
    if manifest is None or (manifest.runtime, manifest.abi) != (runtime, abi):
        return None
    if missing(manifest.features):
        return None
    library = target / f"{manifest.sha256}{suffix}"
    content = _content(library)
    if content is None or hashlib.sha256(content).hexdigest() != manifest.sha256:
        return None
    return library


def private_entry(library: Path, manifest: Manifest) -> Path:
    """A new folder beside ``library`` that holds it and its manifest, safe on the disk."""
    folder = Path(tempfile.mkdtemp(dir=library.parent))
    inside = folder / f"{manifest.sha256}{library.suffix}"
    os.rename(library, inside)
    (folder / MANIFEST).write_text(json.dumps(asdict(manifest), indent=1) + "\n")
    for path in (inside, folder / MANIFEST, folder):
        _to_disk(path)
    return folder


def publish(target: Path, made: Path, runtime: str, abi: str, suffix: str = ".so") -> Path:
    """Bring a private entry to its place by one rename; a sound one that is there stays."""
    for attempt in range(500):
        if path := sound(target, runtime, abi, suffix):
            return path
        if made.exists():
            with contextlib.suppress(OSError):
                os.rename(made, target)
                continue
            _put_aside(target)
        elif attempt > 2:
            time.sleep(0.01)  # another has put aside what it took for damaged, and writes now
    raise CompileError(f"{target} cannot be written, or is damaged at once; is the disk full?")


def _put_aside(target: Path) -> None:
    """Take away by one rename what is there, then remove it; another may have been faster."""
    private = tempfile.mkdtemp(dir=target.parent, prefix=PRIVATE)
    with contextlib.suppress(FileNotFoundError):
        os.rename(target, Path(private, "old"))
    shutil.rmtree(private, ignore_errors=True)


def _content(path: Path, most: int = -1) -> bytes | None:
    """What is in a file that is no link, None where that cannot be read."""
    try:
        with open(os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)), "rb") as file:
            return file.read(most)
    except OSError:
        return None


def _to_disk(path: Path) -> None:
    with contextlib.suppress(PermissionError):  # Windows opens no folders
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
