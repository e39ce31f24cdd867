# Copied by `python -m codegen` from codegen/_runtime; edit it there.
"""A compiler as a child process that cannot outlive, outgrow or outwait its bounds."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

try:
    import resource
except ImportError:  # Windows has no such limits
    resource = None  # type: ignore[assignment]

SECONDS = 300  # for one call; a kernel takes less than two
MEMORY = 8 << 30  # bytes of address space for each process of it
FILE = 1 << 30  # bytes of a file it may write


class OutOfBoundsError(RuntimeError):
    """The child was stopped because it took too long."""


def run(arguments: Sequence[str], seconds: float = SECONDS) -> subprocess.CompletedProcess[str]:
    """The finished call: its exit status and all it said. No shell, no input.

    Raises:
        OSError: the program cannot be started.
        OutOfBoundsError: it was not done in time; it and what it started have been ended.

    >>> run(["true"]).returncode
    0

    """
    with subprocess.Popen(
        arguments,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,  # so that all it starts can be ended with it
    ) as child:
        try:
            _limit(child.pid, seconds)
            stdout, stderr = child.communicate(timeout=seconds)
        except BaseException as error:
            _end(child)
            if isinstance(error, subprocess.TimeoutExpired):
                words = f"{arguments[0]} was stopped: not done after {seconds:g} s"
                raise OutOfBoundsError(words) from None
            raise
    return subprocess.CompletedProcess(list(arguments), child.returncode, stdout, stderr)


def _limit(pid: int, seconds: float) -> None:
    """Limits of the child, which what it starts inherits; an orphan ends by them too."""
    if sys.platform != "linux" or resource is None:
        return
    for kind, most in (
        (resource.RLIMIT_CPU, int(seconds) + 1),
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_FSIZE, FILE),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(ProcessLookupError, PermissionError, ValueError):
            soft, hard = resource.prlimit(pid, kind)
            least = [most, *(each for each in (soft, hard) if each != resource.RLIM_INFINITY)]
            resource.prlimit(pid, kind, (min(least), hard))


def _end(child: subprocess.Popen[str]) -> None:
    """End the child and what it started; when this returns they write no more."""
    if not hasattr(os, "killpg"):
        child.kill()
        return
    end = time.monotonic() + 1
    with contextlib.suppress(ProcessLookupError, PermissionError):
        while time.monotonic() < end:
            os.killpg(child.pid, signal.SIGKILL)
            child.poll()
            time.sleep(0.01)
