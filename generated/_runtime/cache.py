# Copied by `python -m codegen` from codegen/_runtime; edit it there.
"""Libraries made once and kept: looked up, or compiled, tested and published.

The name of an entry is the hash of everything it was made from. Who builds holds a lock, so that
others wait for what comes; right does not depend on it, only that nothing is built twice.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

from .bounded import SECONDS, OutOfBoundsError, run
from .compiler import Compiler, Sources, find_compiler, write_sources
from .entry import PRIVATE, Manifest, private_entry, publish, sound
from .errors import CompileError
from .folder import cache_folder

try:
    import fcntl
except ImportError:  # then what two processes need at once is built twice
    fcntl = None  # type: ignore[assignment]

WAIT = 60.0  # seconds for another process that builds the same, before building privately
STALE = 2 * SECONDS  # nobody works that long in a private folder


class Job(NamedTuple):
    """A library to have: its files, its scalar type, and a test that raises if it is wrong."""

    sources: Sources
    scalar: str
    check: Callable[[Path], None] | None = None


class Maker(Protocol):
    """A compiler: what its libraries depend on, and what the manifest of each says of it."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def features(self) -> frozenset[str]:
        """Of the processor, that its code needs."""

    @property
    def runtime(self) -> str:
        """It changes with what an entry holds."""

    @property
    def abi(self) -> str:
        """Where its code runs."""

    @property
    def suffix(self) -> str:
        """Of its libraries."""

    def key(self, sources: Sources, scalar: str, /) -> str:
        """The hash of everything a library is made from."""


M = TypeVar("M", bound=Maker)
Make = Callable[[M, Path, Mapping[str, Job]], None]  # writes folder/(key + suffix) for each key


def compile_library(job: Job) -> Path:
    """The compiled library of one job, made if the cache does not have it."""
    return libraries(find_compiler(), [job], _compile)[0]


def libraries(compiler: M, jobs: Iterable[Job], make: Make[M], wait: float = WAIT) -> list[Path]:
    """The libraries of the jobs, sound and ready to load; ``make`` makes the missing ones.

    Each passes the test of its job before anybody else can see it.
    """
    jobs = list(jobs)
    keys = [compiler.key(job.sources, job.scalar) for job in jobs]
    wanted = dict(zip(keys, jobs, strict=True))
    folder = cache_folder()
    found = _sound(compiler, folder, wanted)
    if len(found) < len(wanted):
        with _locked(folder, wanted.keys() - found, wait):
            found = _sound(compiler, folder, wanted)
            lacking = {key: job for key, job in wanted.items() if key not in found}
            if lacking:
                found |= _made(compiler, folder, lacking, make)
    return [found[key] for key in keys]


def _sound(maker: Maker, folder: Path, keys: Iterable[str]) -> dict[str, Path]:
    runtime, abi, suffix = maker.runtime, maker.abi, maker.suffix
    paths = {key: sound(folder / key, runtime, abi, suffix) for key in keys}
    return {key: path for key, path in paths.items() if path is not None}


def _made(compiler: M, folder: Path, jobs: Mapping[str, Job], make: Make[M]) -> dict[str, Path]:
    """Make, test and publish; the first test that fails is raised when the others are kept."""
    wrong: list[CompileError] = []
    found = {}
    try:
        _sweep(folder)
        with tempfile.TemporaryDirectory(
            dir=folder, prefix=PRIVATE, ignore_cleanup_errors=True
        ) as private:
            make(compiler, Path(private), jobs)
            for key, job in jobs.items():
                made = Path(private, f"{key}{compiler.suffix}")
                if not made.exists():
                    raise CompileError(f"{compiler.name} made no library, and said nothing")
                try:
                    if job.check is not None:
                        job.check(made)
                except CompileError as error:
                    wrong.append(error)
                else:
                    ready = private_entry(made, _manifest(compiler, job, made))
                    about = compiler.runtime, compiler.abi, compiler.suffix
                    found[key] = publish(folder / key, ready, *about)
    except OSError as error:
        raise CompileError(f"no library could be kept in {folder}: {error}") from None
    if wrong:
        raise wrong[0]
    return found


def _manifest(compiler: Maker, job: Job, library: Path) -> Manifest:
    return Manifest(
        runtime=compiler.runtime,
        abi=compiler.abi,
        sha256=hashlib.sha256(library.read_bytes()).hexdigest(),
        features=sorted(compiler.features),
        files=sorted(job.sources),
        scalar=job.scalar,
        compiler=compiler.version.partition("\n")[0],
    )


def _compile(compiler: Compiler, folder: Path, jobs: Mapping[str, Job]) -> None:
    """Compile one job after the other."""
    for key, job in jobs.items():
        inside = folder / key
        inside.mkdir()
        source = write_sources(inside, job.sources)
        try:
            done = run(compiler.arguments(job.scalar, str(source), str(folder / f"{key}.so")))
        except OutOfBoundsError as error:
            raise CompileError(f"{source.name}: {error}") from None
        if done.returncode:
            raise CompileError(f"{compiler.name} refused {source.name}:\n{done.stderr}")


def _sweep(folder: Path) -> None:
    """Remove private folders whose makers were killed."""
    for left in folder.glob(f"{PRIVATE}*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > STALE:
                shutil.rmtree(left, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: Path, keys: Iterable[str], wait: float) -> Iterator[None]:
    """Hold the locks of the keys. The kernel drops them when their holder dies, however it dies.

    Who has waited long enough goes on without.
    """
    with contextlib.ExitStack() as held:
        end = time.monotonic() + wait
        for name in sorted({key[:2] for key in keys}):  # in one order, and not too many
            if fcntl is None or not _lock(held, folder / f"{name}.lock", end):
                break
        yield


def _lock(held: contextlib.ExitStack, path: Path, end: float) -> bool:
    """Whether the lock could be had before the time ``end``."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError:
        return False
    held.callback(os.close, handle)
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        else:
            return True
