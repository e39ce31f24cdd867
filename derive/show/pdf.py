"""LaTeX to PDF by pdflatex, where it is installed."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from derive.errors import ExportError

PROGRAM = "pdflatex"
SECONDS = 120
PASSES = 3  # at most, until the contents know their pages
HINT = (
    "a PDF needs pdflatex: install TeX Live (on Debian and Ubuntu the packages texlive-latex-base "
    "and texlive-pictures), or take --format latex --standalone and compile it elsewhere"
)
QUIET = ("-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape")


def installed() -> bool:
    """Whether there is a pdflatex."""
    return shutil.which(PROGRAM) is not None


def compiled(source: str) -> bytes:
    """The PDF of a LaTeX document; ExportError says what is missing or wrong.

    It is compiled in a folder of its own, and may not run programs.
    """
    if not installed():
        raise ExportError(HINT)
    with tempfile.TemporaryDirectory() as folder:
        page, aux = Path(folder) / "page.tex", Path(folder) / "page.aux"
        page.write_text(source, encoding="utf-8")
        for _ in range(PASSES):
            before = aux.read_bytes() if aux.exists() else b""
            _run([PROGRAM, *QUIET, page.name], folder)
            if aux.read_bytes() == before:
                break
        return page.with_suffix(".pdf").read_bytes()


def _run(command: list[str], folder: str) -> None:
    try:
        run = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ExportError(f"{command[0]} did not finish: {error}") from None
    if run.returncode:
        log = run.stdout.decode("utf-8", "replace").splitlines()
        wrong = next((line for line in log if line.startswith("!")), "no message")
        raise ExportError(f"{command[0]} failed: {wrong}")
