"""The self-test of each committed C file passes, and a planted fault makes it fail."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

import derive
from codegen._runtime.compiler import find_compiler
from codegen.builder import c_sources
from codegen.targets.c_selftest import checksum, emit_selftest
from derive import Operator
from derive.catalogue import read_catalogue
from tests.cases import generator
from tests.codegen.libraries import needs_compiler
from tests.codegen.test_exact_vectors import some_operator

ROOT = Path(__file__).parents[2]
C = ROOT / "generated" / "c"
ENTRIES = {entry.name: entry.op for entry in read_catalogue(ROOT / "operators.toml")}
STRICT = ["-std=c11", "-O0", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Wno-unknown-pragmas"]
PLANTED = ("conv2d_classic", "conv_transpose2d_rgb_k3s2", "conv2d_k3s2p1", "bilinear2_conv2d_k3")

pytestmark = needs_compiler


def run(
    sources: list[Path], folder: Path, scalar: str = "double"
) -> subprocess.CompletedProcess[str]:
    """Compile kernel and self-test together, and run them."""
    program = folder / "program"
    compiler = find_compiler().command
    words = [*compiler, *STRICT, f"-DSCALAR={scalar}", *map(str, sources), "-o", str(program)]
    subprocess.run(words, check=True)
    return subprocess.run([str(program)], capture_output=True, text=True, check=False)


def written(op: Operator, name: str, folder: Path) -> list[Path]:
    text = emit_selftest(op, name)
    assert text is not None
    (folder / "selftest").mkdir()
    for file, source in c_sources(op, name).items():
        (folder / file).write_text(source)
    (folder / "selftest" / f"{name}.c").write_text(text)
    return [folder / f"{name}.c", folder / "selftest" / f"{name}.c"]


def test_every_entry_has_one() -> None:
    assert sorted(path.stem for path in (C / "selftest").glob("*.c")) == sorted(ENTRIES)


@pytest.mark.parametrize("name", ENTRIES)
def test_committed_kernels_pass(name: str, tmp_path: Path) -> None:
    done = run([C / f"{name}.c", C / "selftest" / f"{name}.c"], tmp_path)
    functions = 4 if ENTRIES[name].learned else 2
    assert (done.returncode, done.stdout) == (0, f"{name}: 0 of {functions} functions wrong\n")


@pytest.mark.parametrize("scalar", ["float", "int64_t"])
def test_other_scalars(scalar: str, tmp_path: Path) -> None:
    for name in ("conv2d_classic", "conv2d_k3s2p1"):
        assert (
            run([C / f"{name}.c", C / "selftest" / f"{name}.c"], tmp_path, scalar).returncode == 0
        )


def test_a_scalar_with_too_few_bits_is_said(tmp_path: Path) -> None:
    name = "bilinear2_conv2d_k3"
    done = run([C / f"{name}.c", C / "selftest" / f"{name}.c"], tmp_path, "float")
    assert done.returncode == 2
    assert "not tested, SCALAR holds too few bits; use -DSCALAR=double" in done.stdout


@pytest.mark.parametrize("seed", range(12))
def test_random_operators(seed: int, tmp_path: Path) -> None:
    op = some_operator(seed + 100)
    done = run(written(op, "made", tmp_path), tmp_path)
    assert done.returncode == 0, (op, done.stdout)


@pytest.mark.parametrize("name", PLANTED)
@pytest.mark.parametrize(
    "direction", ["forward", "input_gradient", "weight_gradient", "bias_gradient"]
)
def test_a_planted_fault_is_reported(name: str, direction: str, tmp_path: Path) -> None:
    """A loop of the function ends one early."""
    sources = written(ENTRIES[name], name, tmp_path)
    good = sources[0].read_text()
    begin = good.index(f"{name}_{direction}" + ("(" if direction == "bias_gradient" else "_row("))
    bound = re.compile(r"< (\d+);").search(good, begin)
    assert bound is not None
    fewer = f"< {int(bound[1]) - 1};"
    sources[0].write_text(good[: bound.start()] + fewer + good[bound.end() :])
    done = run(sources, tmp_path)
    assert done.returncode == 1
    assert f"{name}_{direction} is wrong" in done.stdout


def test_no_selftest_where_no_double_tells_the_answers() -> None:
    op = derive.Interpolate(1, (29, 31), size=(13, 17), mode="bicubic", antialias=True)
    assert emit_selftest(op, "deep") is None


def test_an_unwritten_and_a_not_finite_number_are_reported(tmp_path: Path) -> None:
    op = derive.Pad(1, ((1, 1),), input_size=3)
    sources = written(op, "padded", tmp_path)
    good = sources[0].read_text()
    assert run(sources, tmp_path).returncode == 0
    for wrong in ("0.0 / 0.0", "x[0] + (SCALAR)0.25"):
        spoiled = good.replace("y[0] = 0;", f"y[0] = {wrong};", 1)
        assert spoiled != good
        sources[0].write_text(spoiled)
        assert run(sources, tmp_path).returncode == 1


@pytest.mark.parametrize("seed", range(20))
def test_one_wrong_number_changes_the_checksum(seed: int) -> None:
    rng = generator(531, seed)
    values = rng.integers(-1000, 1000, 50)
    wrong = values.copy()
    wrong[rng.integers(50)] += int(rng.choice([-3, -1, 1, 2, 2**20]))
    assert checksum(values) != checksum(wrong)
    assert checksum(values) == checksum(np.array(values))
    assert checksum(values) != checksum(values[::-1])
