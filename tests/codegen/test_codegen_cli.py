"""The command line: exit codes 0, 1 and 2, and words instead of tracebacks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from codegen import report
from codegen.__main__ import main
from codegen._runtime.compiler import find_compiler
from tests.codegen.libraries import needs_compiler

TWO = """
[[operator]]
name = "one"
layer = "Conv1d"
in_channels = 1
out_channels = 2
kernel_size = 3
padding = 1
input_size = 6

[[operator]]
name = "two"
layer = "Interpolate"
channels = 2
scale_factor = 2
mode = "linear"
input_size = [5]
"""


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    path = tmp_path / "operators.toml"
    path.write_text(TWO)
    return path


@pytest.fixture
def no_compiler(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("CC", "no-such-compiler")
    find_compiler.cache_clear()
    yield
    find_compiler.cache_clear()


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(main, [str(each) for each in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return result


def tree(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@needs_compiler
def test_generate_and_verify(catalogue: Path, tmp_path: Path) -> None:
    out = tmp_path / "made"
    done = run("generate", catalogue, "--out", out)
    assert done.exit_code == 0, done.output
    assert f"2 operators, {len(tree(out))} files in {out}/" in done.output
    (header,) = [line for line in done.output.splitlines() if line.startswith("operator ")]
    assert header.split() == ["operator", "sizes", "multiply-adds", "of", "naive", "verdict"]
    assert "1x6 -> 2x6" in done.output
    assert "numpy exact, c exact" in done.output
    assert "numpy within rounding, c within rounding" in done.output
    assert "2 of 2 operators are their matrix in numpy and c" in done.output
    assert (out / "c/one.c").exists()
    again = run("verify", catalogue, "--out", out)
    assert again.exit_code == 0, again.output
    assert "differs" not in again.output


@needs_compiler
def test_verify_notices_one_changed_byte(catalogue: Path, tmp_path: Path) -> None:
    out = tmp_path / "made"
    run("generate", catalogue, "--out", out)
    path = out / "c/one.c"
    good = path.read_bytes()
    for at in (0, len(good) // 2, len(good) - 1):
        path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        done = run("verify", catalogue, "--out", out)
        assert done.exit_code == 1
        assert f"differs: {path}" in done.output
        assert "1 files differ; `make generate` writes them anew" in done.output
    path.write_bytes(good)
    (out / "numpy/two.py").unlink()
    done = run("verify", catalogue, "--out", out)
    assert done.exit_code == 1
    assert f"differs: {out / 'numpy/two.py'}" in done.output
    assert not (out / "numpy/two.py").exists()


@pytest.mark.usefixtures("no_compiler")
def test_without_a_compiler_numpy_is_generated(catalogue: Path, tmp_path: Path) -> None:
    done = run("generate", catalogue, "--out", tmp_path / "made")
    assert done.exit_code == 0, done.output
    assert "C kernels were not built: no C compiler" in done.output
    assert "2 records of C kernels were not written" in done.output
    assert "2 of 2 operators are their matrix in numpy" in done.output
    assert " c exact" not in done.output
    assert (tmp_path / "made/c/one.c").exists()
    assert {path.name for path in (tmp_path / "made").rglob("*.cert.json")} == {
        "one.cert.json",
        "two.cert.json",
    }
    assert not list((tmp_path / "made/c").glob("*.cert.json"))
    assert run("verify", catalogue, "--out", tmp_path / "made").exit_code == 0


@pytest.mark.usefixtures("no_compiler")
def test_a_wrong_kernel_is_exit_code_1(
    catalogue: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = {"one": ["forward", "bias_gradient"], "two": []}
    monkeypatch.setattr(report, "mismatches", lambda kernel, op: wrong[kernel.name])
    for command in ("generate", "verify"):
        done = run(command, catalogue, "--out", tmp_path / "made")
        assert done.exit_code == 1
        assert "numpy WRONG: forward bias_gradient" in done.output
        assert "1 of 2 operators are their matrix in numpy" in done.output
        assert not (tmp_path / "made").exists()


def test_a_dry_run_writes_nothing(catalogue: Path, tmp_path: Path) -> None:
    before = tree(tmp_path)
    done = run("generate", catalogue, "--out", tmp_path / "made", "--dry-run")
    assert done.exit_code == 0
    assert {"__init__.py", "c/one.c", "c/one.h", "numpy/two.py"} <= set(done.output.split())
    assert tree(tmp_path) == before


@pytest.mark.usefixtures("no_compiler")
def test_a_dry_run_where_nothing_would_change(catalogue: Path, tmp_path: Path) -> None:
    run("generate", catalogue, "--out", tmp_path / "made")
    before = tree(tmp_path)
    done = run("generate", catalogue, "--out", tmp_path / "made", "--dry-run")
    assert done.output.splitlines()[-1] == "nothing would change"
    assert tree(tmp_path) == before


@pytest.mark.parametrize("command", ["generate", "verify"])
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "at least one"),
        ("[[operator]\n", "operators.toml: "),
        (TWO.replace("kernel_size = 3", "kernel_size = 0"), "[operator 1 'one'] kernel_size = 0"),
        (TWO.replace('"two"', '"../two"'), "[operator 2 '../two'] name = '../two'"),
    ],
)
def test_a_bad_catalogue_is_exit_code_2(
    command: str, text: str, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "operators.toml"
    path.write_text(text)
    done = run(command, path, "--out", tmp_path / "made")
    assert done.exit_code == 2
    assert done.output.startswith(f"error: {path}")
    assert words in done.output
    assert not (tmp_path / "made").exists()


def test_files_in_the_way_are_exit_code_2(catalogue: Path, tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made/__init__.py").write_text("mine = True\n")
    done = run("generate", catalogue, "--out", tmp_path / "made")
    assert done.exit_code == 2
    assert "error: " in done.output
    assert "was not generated and is in the way; move it" in done.output
    assert [*tree(tmp_path / "made")] == [tmp_path / "made/__init__.py"]


def test_a_place_that_cannot_be_written_is_exit_code_2(catalogue: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("generate", catalogue, "--out", tmp_path / "file/below")
    assert done.exit_code == 2
    assert "error: " in done.output


@pytest.mark.parametrize(
    "arguments",
    [
        ["generate", "missing.toml"],
        ["verify", "missing.toml"],
        ["generate", "."],
        ["generate", "--out"],
        ["generate", "--no-such-option"],
        ["no-such-command"],
        ["generate", "a", "b"],
    ],
)
def test_wrong_usage_is_exit_code_2(arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.exit_code == 2
    assert "Usage: " in done.output or "Error: " in done.output


@pytest.mark.parametrize("arguments", [["--help"], ["generate", "--help"], ["--version"]])
def test_help(arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.exit_code == 0
    assert done.output


def test_as_a_program(tmp_path: Path) -> None:
    """From another folder, as ``make`` and users call it."""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-m", "codegen", "generate", "missing.toml"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "Usage: python -m codegen generate" in done.stderr
    assert "Traceback" not in done.stderr
