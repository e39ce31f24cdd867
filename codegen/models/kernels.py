"""Kernels of the layers of a model: one that cannot be made is left out, and the others written."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from codegen.errors import LoweringError
from codegen.generate import check_ways, entry_files, package_files, without_new_claims, write
from codegen.report import checked, summary
from codegen.voice import Voice
from derive.catalogue import Entry

Made = dict[Entry, dict[str, str]]
WORKERS = 2  # each may hold a gigabyte
FAILURES = (LoweringError, ValueError, MemoryError)  # ValueError: GeometryError is one


def write_kernels(entries: Sequence[Entry], out: Path, voice: Voice) -> bool:
    """Make, check and write the kernels of entries, at least one; whether none was left out.

    Nothing is written before all is checked. FileExistsError where a file is in the way.
    """
    with ThreadPoolExecutor(WORKERS) as pool:
        emitted = voice.bar(pool.map(_emitted, entries), len(entries), "emit   ")
    made = {e: files for e, files in zip(entries, emitted, strict=True) if isinstance(files, dict)}
    for entry, reason in zip(entries, emitted, strict=True):
        if isinstance(reason, str):
            voice.warn(f"left out: {entry.name}, {entry.op!r}: {reason}")
    if made:
        made = _right(made, out, voice)
    if not made:
        voice.warn("nothing was written")
    return len(made) == len(entries)


def _emitted(entry: Entry) -> dict[str, str] | str:
    """The files of an entry, or why there are none."""
    try:
        return dict(entry_files(entry))
    except FAILURES as error:
        return (str(error).strip() or type(error).__name__).splitlines()[0]


def _right(
    made: dict[Entry, dict[str, str]], out: Path, voice: Voice
) -> dict[Entry, dict[str, str]]:
    """Those that pass every check, which are written."""
    check_ways(out, _all(made))
    checks = checked(list(made), _all(made), voice.bar)
    voice.say(summary(checks))
    for each in checks.obstacles:
        voice.warn(each)
    wrong = checks.wrong()
    for name, faults in wrong.items():
        voice.warn(f"left out: {name} is wrong: {', '.join(faults)}")
    right = {entry: files for entry, files in made.items() if entry.name not in wrong}
    if right:
        files = _all(right)
        kept = files if checks.complete else without_new_claims(out, files)
        write(out, kept)
        voice.say(f"{len(right)} operators, {len(kept)} files in {out}/")
        if len(kept) < len(files):
            voice.warn(f"{len(files) - len(kept)} records of C kernels were not written")
    return right


def _all(made: Made) -> dict[str, str]:
    """path -> text of the package."""
    return dict(package_files()) | {p: text for files in made.values() for p, text in files.items()}
