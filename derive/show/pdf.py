"""LaTeX to PDF by the compiler that is installed."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from derive.errors import ExportError

SECONDS = 120
HINT = (
    "a PDF needs pdflatex: install TeX Live (on Debian and Ubuntu the packages texlive-latex-base "
    "and texlive-pictures), or take --format latex --standalone and compile it elsewhere"
)
QUIET = ("-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape")


def compiler() -> str | None:
    """``latexmk`` or ``pdflatex``, the one to be used; None where there is none."""
    if shutil.which("pdflatex") is None:
        return None
    return "latexmk" if shutil.which("latexmk") else "pdflatex"


def compiled(source: str) -> bytes:
    """The PDF of a LaTeX document; ExportError says what is missing or wrong.

    It is compiled in a folder of its own, and may not run programs. Without latexmk three times,
    so that its contents have their pages.
    """
    program = compiler()
    if program is None:
        raise ExportError(HINT)
    passes = 1 if program == "latexmk" else 3
    mode = ["-pdf", "-norc"] if program == "latexmk" else []
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "page.tex").write_text(source, encoding="utf-8")
        for _ in range(passes):
            _run([program, *mode, *QUIET, "page.tex"], folder)
        return (Path(folder) / "page.pdf").read_bytes()


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
