"""Files written whole or not at all, and never over somebody else's."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

MARK = "ed by `python -m codegen`"  # generated or copied: a file that does not say so is not ours


def write_whole(path: Path, content: bytes) -> None:
    """Write a file by one rename: whoever reads it finds the old one or the new one, whole.

    Its folder is made. OSError leaves what was there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).chmod(0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def is_ours(path: Path, mark: str = MARK) -> bool:
    """Whether a file says that it was generated."""
    return path.is_file() and mark.encode() in path.read_bytes()


def refuse_others(path: Path, mark: str = MARK) -> None:
    """FileExistsError where something is that we did not write.

    An empty file holds nothing to lose.
    """
    empty = path.is_file() and not path.stat().st_size
    if path.exists() and not empty and not is_ours(path, mark):
        raise FileExistsError(f"{path} was not generated and is in the way; move it")
