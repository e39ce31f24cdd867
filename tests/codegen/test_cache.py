"""The cache under damage, kills, rivals and hostile folders: never a crash, a mix or a hang."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import derive
from codegen import CompileError, build
from codegen._runtime import WrongKernelError, entry, machine
from codegen._runtime.cache import Job, compile_library, libraries
from codegen._runtime.compiler import ABI, RUNTIME, Compiler, find_compiler
from codegen._runtime.entry import MANIFEST, Manifest, private_entry, publish, sound
from codegen._runtime.folder import cache_folder
from codegen._runtime.library import opened
from codegen.builder import c_job, compile_libraries
from codegen.targets.c import emit
from tests.codegen.libraries import needs_compiler

ROOT = Path(__file__).parents[2]
OP = derive.Conv1d(1, 2, 3, padding=1, input_size=6)
X, W, B = np.ones((1, 6), "f4"), np.ones((2, 1, 3), "f4"), np.ones(2, "f4")
Y = [[3, 4, 4, 4, 4, 3]] * 2


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("EXACTCONV_CACHE", str(folder))
    return folder


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache entry of OP, made once."""
    folder = tmp_path_factory.mktemp("built") / "cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXACTCONV_CACHE", str(folder))
        build(OP)
    (made,) = entries(folder)
    return made


def entries(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.suffix != ".lock"]


def library(folder: Path) -> Path:
    (found,) = folder.glob("*.so")
    return found


def copied(built: Path, fresh: Path) -> Path:
    fresh.mkdir(mode=0o700, exist_ok=True)
    return Path(shutil.copytree(built, fresh / built.name))


# --- damage ----------------------------------------------------------------------------------


def rebuilds(monkeypatch: pytest.MonkeyPatch, built: Path) -> list[int]:
    """Replace the compiler by a copy of the good library; the list grows with each use."""
    runs: list[int] = []

    def make(compiler: Compiler, folder: Path, jobs: dict[str, Job]) -> None:
        runs.append(len(jobs))
        for key in jobs:
            shutil.copy(library(built), folder / f"{key}.so")

    monkeypatch.setattr(sys.modules["codegen.builder"], "_run_ninja", make)
    return runs


@needs_compiler
@pytest.mark.parametrize("part", range(4))
def test_truncations_and_bit_flips(
    fresh: Path, built: Path, monkeypatch: pytest.MonkeyPatch, part: int
) -> None:
    """15 of 60 truncations and 15 of 60 flipped bits of the library: each is built anew."""
    rng = random.Random(f"damage {part}")
    runs = rebuilds(monkeypatch, built)
    good = library(built).read_bytes()
    for number in range(30):
        made = copied(built, fresh)
        if number % 2:
            at = rng.randrange(8 * len(good))
            bad = bytearray(good)
            bad[at // 8] ^= 1 << at % 8
        else:
            bad = bytearray(good[: rng.randrange(len(good))])
        library(made).write_bytes(bad)
        assert build(OP)(X, W, B).tolist() == Y
        assert len(runs) == number + 1
        assert library(made).read_bytes() == good
        assert entries(fresh) == [made]
        shutil.rmtree(fresh)


@needs_compiler
@pytest.mark.parametrize(
    "harm",
    [
        lambda made: (made / MANIFEST).unlink(),
        lambda made: (made / MANIFEST).write_text(""),
        lambda made: (made / MANIFEST).write_text("[" * 100_000),
        lambda made: (made / MANIFEST).write_text('{"sha256": "../../x"}'),
        lambda made: (made / MANIFEST).write_bytes(b"\xff" * 9),
        lambda made: library(made).unlink(),
        lambda made: (library(made).rename(made / "x"), library_link(made)),
        lambda made: shutil.rmtree(made),
        lambda made: (shutil.rmtree(made), made.write_text("a file")),
        lambda made: (shutil.rmtree(made), made.mkdir()),
        lambda made: (shutil.rmtree(made), made.symlink_to("/nowhere")),
        lambda made: edited(made, runtime="1"),
        lambda made: edited(made, abi="pdp11"),
        lambda made: edited(made, features=["avx1024"]),
        lambda made: edited(made, sha256="0" * 64),
    ],
)
def test_other_damage(fresh: Path, built: Path, monkeypatch: pytest.MonkeyPatch, harm) -> None:  # type: ignore[no-untyped-def]
    runs = rebuilds(monkeypatch, built)
    made = copied(built, fresh)
    harm(made)
    assert build(OP)(X, W, B).tolist() == Y
    assert runs == [1]
    assert sound(made, RUNTIME, ABI) == library(made)
    assert entries(fresh) == [made]


def library_link(made: Path) -> None:
    """The library as a link to itself elsewhere."""
    manifest = entry.read(made)
    assert manifest is not None
    (made / f"{manifest.sha256}.so").symlink_to(made / "x")


def edited(made: Path, **changes: object) -> None:
    manifest = entry.read(made)
    assert manifest is not None
    text = entry.json.dumps(entry.asdict(replace(manifest, **changes)))  # type: ignore[arg-type]
    (made / MANIFEST).write_text(text)


@needs_compiler
def test_what_is_sound_is_not_built_again(
    fresh: Path, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = rebuilds(monkeypatch, built)
    copied(built, fresh)
    assert build(OP)(X, W, B).tolist() == Y
    assert runs == []


# --- a file is never rewritten ---------------------------------------------------------------


@needs_compiler
def test_edit_and_reload_in_one_process(fresh: Path) -> None:
    """The loader gives the old code for a known path; another text never has a known path."""
    seen = set()
    for number in range(20):
        path = compile_library(Job({"k.c": f"int f(void) {{ return {number}; }}\n"}, "float"))
        assert opened(path).f() == number
        seen.add(path)
    assert len(seen) == 20


@needs_compiler
def test_a_rebuilt_entry_has_another_file(fresh: Path, built: Path) -> None:
    """A loaded library stays as it is when its entry is put aside for a new one."""
    kernel, (made,) = build(OP), entries(fresh)
    inode = library(made).stat().st_ino
    (made / MANIFEST).write_text("")
    again = build(OP)
    assert library(made).stat().st_ino != inode
    assert kernel(X, W, B).tolist() == again(X, W, B).tolist() == Y


# --- a wrong library is not kept -------------------------------------------------------------

WRONG = {
    "an offset": ("y_row[j] = start;", "y_row[j] = start + 1;"),
    "a lost tap": ("w[2]", "w[1]"),
    "a sign": ("] += ", "] -= "),
    "a lost batch": ("b < batch", "b < 1"),
    "a bias gradient": ("bias[o] = sum;", "bias[o] = 2 * sum;"),
}


@needs_compiler
@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_library_is_never_published(
    fresh: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    old, new = WRONG[what]
    job, loaded = c_job(OP, "k", "float32", emit(OP, "k"))
    (text,) = [text for name, text in job.sources.items() if name == "k.c"]
    assert old in text
    bad = job._replace(sources={**job.sources, "k.c": text.replace(old, new)})
    for _ in range(2):
        with pytest.raises(WrongKernelError, match="k fails its test") as caught:
            compile_libraries([bad])
        assert caught.value.functions
        assert entries(fresh) == []
    good = loaded(compile_libraries([job])[0])
    assert good(X, W, B).tolist() == Y


@needs_compiler
@pytest.mark.parametrize("what", WRONG)
def test_nor_by_the_generated_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    old, new = WRONG[what]
    package = Path(shutil.copytree(ROOT / "generated", tmp_path / "copied"))
    path = package / "c/conv1d_k5p2.c"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    done = python(
        "import numpy as np\nfrom copied._runtime import WrongKernelError\n"
        "from copied.c import conv1d_k5p2 as k\n"
        "try:\n    k.kernel.load('int64')\n"
        "except WrongKernelError as error:\n    print(*error.functions)\n",
        tmp_path / "cache",
        PYTHONPATH=str(tmp_path),
    )
    assert done.stdout.strip(), done.stderr
    assert entries(tmp_path / "cache") == []


@needs_compiler
def test_one_wrong_library_does_not_take_the_others_with_it(fresh: Path) -> None:
    def refuse(path: Path) -> None:
        raise WrongKernelError("it", ["forward"])

    jobs = [Job({"k.c": f"int f{i};\n"}, "float", refuse if i == 1 else None) for i in range(3)]
    with pytest.raises(WrongKernelError):
        compile_libraries(jobs)
    assert len(entries(fresh)) == 2


# --- many at once ----------------------------------------------------------------------------


def python(script: str, cache: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, "EXACTCONV_CACHE": str(cache), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


TWENTY = """
from codegen._runtime.cache import Job, compile_library
from codegen._runtime.library import opened
jobs = [Job({f"k{i}.c": f"int f(void) {{ return {i}; }}\\n"}, "float") for i in range(20)]
print(*[opened(compile_library(job)).f() for job in jobs])
"""


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run-time part by itself, which starts in a tenth of the time."""
    folder = tmp_path_factory.mktemp("alone")
    shutil.copytree(ROOT / "codegen/_runtime", folder / "runtime")
    return folder


def light(script: str) -> str:
    return script.replace("codegen._runtime", "runtime")


@needs_compiler
def test_eight_processes_build_the_same_twenty(tmp_path: Path, alone: Path) -> None:
    cache = tmp_path / "cache"
    with ThreadPoolExecutor(8) as pool:
        done = list(
            pool.map(lambda _: python(light(TWENTY), cache, PYTHONPATH=str(alone)), range(8))
        )
    for each in done:
        assert (each.returncode, each.stderr) == (0, "")
        assert each.stdout.split() == [str(i) for i in range(20)]
    found = entries(cache)
    assert len(found) == 20
    assert all(sound(path, RUNTIME, ABI) for path in found)


@needs_compiler
def test_killed_at_random_moments(tmp_path: Path, alone: Path) -> None:
    """20 builders, each killed; the next one finishes, and what is kept is sound."""
    rng = random.Random(13)
    cache = tmp_path / "cache"
    environment = {**os.environ, "EXACTCONV_CACHE": str(cache), "PYTHONPATH": str(alone)}
    killed = 0
    for _ in range(20):
        child = subprocess.Popen(
            [sys.executable, "-c", light(TWENTY)], env=environment, stdout=subprocess.DEVNULL
        )
        time.sleep(rng.uniform(0.2, 1.0))
        killed += child.poll() is None
        child.send_signal(signal.SIGKILL)
        child.wait()
        for path in cache.glob("[0-9a-f]*") if cache.exists() else ():
            assert path.suffix == ".lock" or sound(path, RUNTIME, ABI), path
        if len(list(cache.glob("*/manifest.json"))) > 15:
            shutil.rmtree(cache)
    assert killed > 10
    start = time.monotonic()
    done = python(light(TWENTY), cache, PYTHONPATH=str(alone))
    assert done.stdout.split() == [str(i) for i in range(20)]
    assert time.monotonic() - start < 10


def payload(folder: Path, content: bytes) -> Path:
    made = Path(folder, "made.so")
    made.write_bytes(content)
    digest = entry.hashlib.sha256(content).hexdigest()
    return private_entry(made, Manifest(RUNTIME, ABI, digest, [], ["k.c"], "float", "cc"))


def test_two_hundred_publish_two_payloads(tmp_path: Path) -> None:
    """Readers see one or the other, never a mix, also while entries are damaged and replaced."""
    target, contents = tmp_path / ("0" * 32), (b"a" * 5000, b"b" * 7000)
    private = [tmp_path / f".making-{i}" for i in range(200)]
    seen: set[bytes] = set()
    stop = False

    def read() -> None:
        while not stop:
            if path := sound(target, RUNTIME, ABI):
                try:
                    seen.add(path.read_bytes())
                except FileNotFoundError:
                    continue  # put aside meanwhile

    def write(number: int) -> None:
        private[number].mkdir()
        made = payload(private[number], contents[number % 2])
        if number % 5 == 0:
            with contextlib.suppress(FileNotFoundError):  # put aside meanwhile
                for path in target.glob("*.so"):
                    with open(path, "r+b") as file:
                        file.truncate(0)  # somebody harms it
        assert publish(target, made, RUNTIME, ABI).parent == target

    with ThreadPoolExecutor(9) as pool:
        reader = pool.submit(read)
        try:
            list(pool.map(write, range(200)))
        finally:
            stop = True
        reader.result()
    assert seen & {*contents}
    assert seen <= {*contents, b""}  # empty: harmed after it was looked at
    final = sound(target, RUNTIME, ABI)
    assert final is None or final.read_bytes() in contents


@needs_compiler
def test_who_holds_the_lock_for_ever_is_not_waited_for(tmp_path: Path, fresh: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    job = Job({"k.c": "int f(void) { return 5; }\n"}, "float")
    compiler = find_compiler()
    name = compiler.key(job.sources, job.scalar)[:2]
    with open(cache_folder() / f"{name}.lock", "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        start = time.monotonic()
        from codegen._runtime.cache import _compile

        (path,) = libraries(compiler, [job], _compile, wait=0.3)
        assert 0.3 <= time.monotonic() - start < 10
    assert opened(path).f() == 5


@needs_compiler
def test_a_left_lock_file_is_no_lock(fresh: Path) -> None:
    folder = cache_folder()
    for number in range(256):
        (folder / f"{number:02x}.lock").write_text("4711")
    start = time.monotonic()
    assert build(OP)(X, W, B).tolist() == Y
    assert time.monotonic() - start < 10


def test_private_folders_of_the_dead_are_swept(fresh: Path) -> None:
    from codegen._runtime.cache import _sweep

    old, new = cache_folder() / ".making-old", cache_folder() / ".making-new"
    for each in (old, new):
        each.mkdir()
        (each / "k.c").touch()
    os.utime(old, (0, 0))
    _sweep(fresh)
    assert entries(fresh) == [new]


# --- the folder ------------------------------------------------------------------------------

posix = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="POSIX permissions")


def test_it_is_made_private(fresh: Path) -> None:
    assert stat.S_IMODE(cache_folder().stat().st_mode) == 0o700


@posix
@pytest.mark.parametrize("place", ["group", "others", "all", "link", "dangling", "file", "parent"])
def test_a_folder_that_is_not_ours_alone(fresh: Path, tmp_path: Path, place: str) -> None:
    modes = {"group": 0o720, "others": 0o702, "all": 0o777}
    if place in modes:
        fresh.mkdir()
        fresh.chmod(modes[place])
    elif place == "parent":
        tmp_path.chmod(0o777)
    elif place == "file":
        fresh.touch()
    else:
        (tmp_path / "real").mkdir(mode=0o700)
        fresh.symlink_to(tmp_path / ("real" if place == "link" else "missing"))
    with pytest.raises(CompileError, match=r"no cache for libraries: .*(EXACTCONV_CACHE|chmod)"):
        build(OP)
    tmp_path.chmod(0o700)
    assert not list((tmp_path / "real").glob("*"))


@posix
def test_a_foreign_folder(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache_folder()
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(CompileError, match=r"belongs to user \d+, not to \d+; set EXACTCONV_CACHE"):
        cache_folder()


@posix
def test_the_sticky_bit_protects(fresh: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    assert cache_folder() == fresh


# --- what the processor must have ------------------------------------------------------------


@pytest.fixture
def cpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    find_compiler.cache_clear()
    yield
    find_compiler.cache_clear()


@pytest.mark.parametrize(
    ("flags", "features", "runs"),
    [
        ("fpu avx avx2", ["avx2"], True),
        ("fpu avx avx2", [], True),
        ("fpu avx", ["avx", "avx2"], False),
        ("fpu avx2x", ["avx2"], False),
        ("fpu avx512f", ["avx512f", "avx512_fp16"], False),
        ("", ["avx2"], True),  # it does not say what it has
    ],
)
def test_features_are_checked_before_loading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: str, features: list[str], runs: bool
) -> None:
    monkeypatch.setattr(machine, "_cpu_features", lambda: frozenset(flags.split()))
    made = tmp_path / "made.so"
    made.write_bytes(b"library")
    digest = entry.hashlib.sha256(b"library").hexdigest()
    folder = private_entry(made, Manifest(RUNTIME, ABI, digest, features, [], "float", "cc"))
    assert (sound(folder, RUNTIME, ABI) is not None) == runs


@needs_compiler
@pytest.mark.usefixtures("cpu")
@pytest.mark.skipif(not ABI.startswith("linux x86_64"), reason="a flag of x86")
def test_code_for_another_processor_is_refused(
    fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", f"{find_compiler().command[0]} -mavx512fp16")
    has = machine.V4 | {*machine.MACROS.values()} - {"avx512_fp16"}
    monkeypatch.setattr(machine, "_cpu_features", lambda: has)
    find_compiler.cache_clear()
    with pytest.raises(CompileError, match=r"avx512_fp16.*which this processor lacks"):
        build(OP)
    assert not fresh.exists()
