"""The command line with bad input: an exit code, one line on stderr, and nothing half-written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from codegen.__main__ import main
from codegen.stored import clear, stored
from tests.codegen.libraries import needs_compiler
from tests.codegen.test_hostile import toml

ROOT = Path(__file__).parents[2]
PROGRAM = [sys.executable, "-m", "codegen"]


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    path = tmp_path / "operators.toml"
    path.write_text(toml())
    return path


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(main, [str(each) for each in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return result


BROKEN = {
    "empty": b"",
    "no toml": b"<html>",
    "half a table": b"[[operator]\n",
    "a table twice": b"[operator]\n[operator]\n",
    "not unicode": b"\xff\xfe\x00",
    "a NUL": b'[[operator]]\nname = "\x00"\n',
    "deep": b"a = " + b"[" * 5000 + b"]" * 5000,
    "a number": b"operator = 3\n",
    "a list of numbers": b"operator = [3]\n",
    "an empty list": b"operator = []\n",
    "an empty table": b"[[operator]]\n",
    "a long number": b"operator = " + b"9" * 5000,
    "a date": b"operator = 1979-05-27\n",
    "infinity": toml().replace("input_size = 4", "input_size = inf").encode(),
    "a float": toml().replace("input_size = 4", "input_size = 4.5").encode(),
    "a boolean": toml().replace("input_size = 4", "input_size = true").encode(),
    "a table for a size": toml().replace("input_size = 4", "input_size = {a = 1}").encode(),
    "negative": toml().replace("kernel_size = 3", "kernel_size = -3").encode(),
    "too large": toml().replace("kernel_size = 3", "kernel_size = 9").encode(),
    "nested": toml().replace("kernel_size = 3", "kernel_size = [[[3]]]").encode(),
}


@pytest.mark.parametrize("command", ["generate", "verify", "vectors"])
@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_catalogue(what: str, command: str, catalogue: Path, tmp_path: Path) -> None:
    catalogue.write_bytes(BROKEN[what])
    words = ["k", "--out", tmp_path / "o.h"] if command == "vectors" else ["--out", tmp_path / "o"]
    done = run(command, catalogue, *words)
    assert done.exit_code == 2
    assert done.output.startswith("error: ")
    assert [*tmp_path.iterdir()] == [catalogue]


def test_a_catalogue_that_cannot_be_read(tmp_path: Path, catalogue: Path) -> None:
    loop, pipe = tmp_path / "loop.toml", tmp_path / "folder.toml"
    loop.symlink_to(loop)
    pipe.mkdir()
    for path in (loop, pipe, tmp_path / "missing.toml", tmp_path / ("x" * 300), "", "a\0b"):
        assert run("generate", path, "--out", tmp_path / "o").exit_code == 2
    if os.geteuid():
        catalogue.chmod(0)
        assert run("generate", catalogue, "--out", tmp_path / "o").exit_code == 2


@pytest.mark.parametrize("place", ["file", "file/below", "x" * 300, "loop", "\0"])
def test_an_output_that_cannot_be(place: str, tmp_path: Path, catalogue: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    done = run("generate", catalogue, "--out", f"{tmp_path}/{place}")
    assert done.exit_code == 2, done.output
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "loop", "operators.toml"]


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or not os.geteuid(), reason="root may write anywhere"
)
def test_an_output_that_is_read_only(tmp_path: Path, catalogue: Path) -> None:
    (tmp_path / "o").mkdir(mode=0o500)
    assert run("generate", catalogue, "--out", tmp_path / "o").exit_code == 2


def test_folders_in_the_way(tmp_path: Path, catalogue: Path) -> None:
    (tmp_path / "o/c/k.c").mkdir(parents=True)
    done = run("generate", catalogue, "--out", tmp_path / "o")
    assert done.exit_code == 2
    assert "is in the way" in done.output


def test_a_full_disk(tmp_path: Path, catalogue: Path) -> None:
    """No file may grow beyond 3000 bytes: the package is not written, and says why."""
    limited = (
        "import resource, runpy, sys\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))\n"
        f"sys.argv = ['', 'generate', {str(catalogue)!r}, '--out', {str(tmp_path / 'o')!r}]\n"
        "runpy.run_module('codegen', run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", limited], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "error: " in done.stderr
    left = [path for path in (tmp_path / "o").rglob("*") if path.name.startswith(".writing")]
    assert left == []


@pytest.fixture
def heeding_interrupts() -> Iterator[None]:
    """Programs that are started inherit it where who runs the tests ignores Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@needs_compiler
@pytest.mark.usefixtures("heeding_interrupts")
def test_an_interrupt(tmp_path: Path) -> None:
    """Ctrl-C while kernels are built."""
    catalogue = tmp_path / "many.toml"
    catalogue.write_text("".join(toml(name=f"k{i}") for i in range(12)))
    environment = {**os.environ, "EXACTCONV_CACHE": str(tmp_path / "cache")}
    child = subprocess.Popen(
        [*PROGRAM, "verify", str(catalogue)],
        cwd=ROOT,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not list(tmp_path.glob("cache/.making-*/build.ninja")) and child.poll() is None:
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=20)
    assert child.returncode == 130, said
    assert said == "interrupted; what was begun is as it was\n"
    assert not list(tmp_path.glob("cache/.making-*"))


def test_a_fault_of_the_program_is_a_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, catalogue: Path
) -> None:
    def fail(*arguments: object) -> None:
        raise TypeError("never")

    monkeypatch.setattr("codegen.report.checked", fail)
    done = run("generate", catalogue, "--out", tmp_path / "o")
    assert done.exit_code == 2
    assert done.output == "error: a fault of this program, TypeError: never; -v shows where\n"


# --- what is said ----------------------------------------------------------------------------


@needs_compiler
def test_json(tmp_path: Path, catalogue: Path) -> None:
    out = tmp_path / "o"
    made = json.loads(run("generate", catalogue, "--out", out, "--json").stdout)
    assert (made["command"], made["operators"], made["wrong"]) == ("generate", ["k"], {})
    assert made["written"] == len([path for path in out.rglob("*") if path.is_file()])
    same = json.loads(run("verify", catalogue, "--out", out, "--json").stdout)
    assert same["differ"] == []
    (out / "c/k.c").write_text("")
    done = run("verify", catalogue, "--out", out, "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["differ"] == ["c/k.c"]
    assert run("verify", catalogue, "--out", out, "--only", "k", "-q").stdout == ""


@needs_compiler
def test_each_failure_says_how_to_repeat_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, catalogue: Path
) -> None:
    out = tmp_path / "o"
    monkeypatch.setattr("codegen.report.mismatches", lambda kernel, op: ["forward"])
    done = run("generate", catalogue, "--out", out)
    assert done.exit_code == 1
    line = f"repeat with: python -m codegen verify {catalogue} --out {out} --only k"
    assert "k is wrong: numpy forward, c forward\n" + line in done.stderr
    again = run(*line.split()[5:])
    assert again.exit_code == 1
    assert line in again.stderr


@pytest.mark.parametrize("command", ["verify", "vectors"])
def test_an_operator_that_is_not_there(command: str, tmp_path: Path, catalogue: Path) -> None:
    words = ["nobody"] if command == "vectors" else ["--only", "nobody"]
    done = run(command, catalogue, *words, "--out", tmp_path / "o.h")
    assert done.exit_code == 2
    assert "name = 'nobody': allowed is one of k" in done.output


@needs_compiler
def test_the_doctor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXACTCONV_CACHE", str(tmp_path / "cache"))
    done = run("doctor", "--json")
    found = json.loads(done.stdout)
    assert done.exit_code == 0
    assert found["troubles"] == []
    for what in ("python", "numpy", "compiler", "instruction set", "openmp", "cuda", "cache"):
        assert found["facts"][what]
    (tmp_path / "cache").chmod(0o777)
    done = run("doctor")
    assert done.exit_code == 1
    assert "others may write" in done.stderr


@needs_compiler
def test_the_cache_commands(
    tmp_path: Path, catalogue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setenv("EXACTCONV_CACHE", str(cache))
    assert run("verify", catalogue, "--out", tmp_path / "o").exit_code == 1  # it is not written yet
    assert "1 libraries" in run("cache", "ls").stdout
    assert "k.c" in run("cache", "ls").stdout
    assert run("cache", "verify").exit_code == 0
    (each,) = stored()
    (library,) = (cache / each.key).glob("*.so")
    library.unlink()  # this process has it mapped
    library.write_bytes(b"")
    done = run("cache", "verify", "--json")
    assert (done.exit_code, json.loads(done.stdout)["damaged"]) == (1, [each.key])
    assert f"damaged: {each.key}\nrepeat with: python -m codegen cache verify" in done.stderr
    (cache / "notes.txt").write_text("mine")
    (cache / "0123").mkdir()
    assert json.loads(run("cache", "clear", "--json").stdout)["removed"] == 1
    assert sorted(path.name for path in cache.iterdir()) == ["0123", "notes.txt"]
    assert clear() == 0


def test_help_starts_at_once() -> None:
    """It imports click and nothing that takes longer."""
    script = (
        "import sys\nfrom codegen.__main__ import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    print(*sys.modules, sep='\\n')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not {"numpy", "sympy", "scipy", "jinja2", "derive", "ninja"} & set(done.stdout.split())
