"""The folder of the cache: the user's own, which nobody else can write."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from .errors import CompileError

REMEDY = "set EXACTCONV_CACHE to a folder of your own"
OTHERS = stat.S_IWGRP | stat.S_IWOTH


def cache_folder() -> Path:
    """$EXACTCONV_CACHE, else exactconv in the user's cache folder; made with mode 0700.

    CompileError where it is a link, another user's, or can be written by others: who can write
    there could have us run their code.
    """
    try:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        folder = Path(os.environ.get("EXACTCONV_CACHE") or Path(base, "exactconv")).absolute()
        if not folder.is_symlink():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
        above = folder.parent.stat()
    except (OSError, RuntimeError) as error:
        raise CompileError(f"no cache for libraries: {error}; {REMEDY}") from None
    if fault := _fault(folder, found) or _fault_above(folder.parent, above):
        raise CompileError(f"no cache for libraries: {fault}")
    return folder


def _fault(folder: Path, found: os.stat_result) -> str:
    """What is wrong with the folder, and how to mend it; empty where nothing is."""
    if stat.S_ISLNK(found.st_mode):
        return f"{folder} is a symbolic link; {REMEDY} and not to a link"
    if not hasattr(os, "geteuid"):
        return ""
    if found.st_uid != os.geteuid():
        return f"{folder} belongs to user {found.st_uid}, not to {os.geteuid()}; {REMEDY}"
    if found.st_mode & OTHERS:
        return f"others may write {folder}; chmod 700 {folder}, and clear it: who wrote it?"
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return f"{folder} cannot be written; chmod 700 {folder}, or {REMEDY}"
    return ""


def _fault_above(parent: Path, found: os.stat_result) -> str:
    """Others must not be able to rename the folder, which the sticky bit sees to."""
    if hasattr(os, "geteuid") and found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX:
        return f"anybody may replace what is in {parent}; chmod o-w {parent}, or {REMEDY}"
    return ""
