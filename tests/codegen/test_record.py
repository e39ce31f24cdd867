"""Records beside kernels: what they say is so, and a changed byte of text or record is noticed."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import codegen
import derive
from codegen import Kernel
from codegen.__main__ import main
from codegen._runtime import RecordError
from codegen._runtime.record import sha256
from codegen.judge.probes import Probe, sample_of
from codegen.prime_field import Identity, library
from codegen.record import checked
from tests.codegen.libraries import needs_compiler
from tests.codegen.test_identity import needs_cxx

ROOT = Path(__file__).parents[2]
RECORDS = sorted((ROOT / "generated").glob("*/*.cert.json"))
OP = derive.Conv1d(2, 3, 3, input_size=8)

CATALOGUE = """
[[operator]]
name = "one"
layer = "Conv1d"
in_channels = 1
out_channels = 2
kernel_size = 3
input_size = 6
"""


def test_every_kernel_has_one() -> None:
    kernels = {
        p.with_suffix("")
        for t in ("c", "cuda", "numpy")
        for p in (ROOT / "generated" / t).glob("*.py")
    }
    kernels = {path for path in kernels if path.name != "__init__"}
    assert {Path(str(path).removesuffix(".cert.json")) for path in RECORDS} == kernels
    assert len(kernels) >= 126


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_the_hashes_are_those_of_the_texts(path: Path) -> None:
    record = json.loads(path.read_text())
    suffixes = {"c": [".c", ".h", ".py"], "cuda": [".cu", ".py"], "numpy": [".py"]}[
        path.parent.name
    ]
    name = path.name.removesuffix(".cert.json")
    texts = [name + suffix for suffix in suffixes]
    if (path.parent / f"selftest/{name}.c").exists():
        texts.append(f"selftest/{name}.c")
    assert sorted(record["texts"]) == sorted(texts)
    for file, digest in record["texts"].items():
        assert sha256((path.parent / file).read_bytes()) == digest
    if path.parent.name == "cuda":
        assert "before a cubin is kept" in record["claims"]["first use"]["method"]
    else:
        assert record["claims"]["integers"]["differs"] == []
    assert ("identity" in record["claims"]) == (path.parent.name == "c")
    if path.parent.name == "c":
        assert record["claims"]["indices"]["problems"] == []
        assert record["claims"]["indices"]["accesses"] > 0


def imported(folder: Path, name: str) -> Any:
    """A module of a copied package, under a name of its own."""
    package = f"copied_{folder.parent.name.replace('-', '_')}"
    for part, place in ((package, folder), (f"{package}.numpy", folder / "numpy")):
        spec = importlib.util.spec_from_file_location(
            part, place / "__init__.py", submodule_search_locations=[str(place)]
        )
        assert spec is not None
        assert spec.loader is not None
        sys.modules[part] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[part])
    return importlib.import_module(f"{package}.numpy.{name}")


def test_a_changed_text_or_record_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "generated"
    shutil.copytree(ROOT / "generated", folder, ignore=shutil.ignore_patterns("__pycache__"))
    kernel = imported(folder, "conv2d_classic").kernel
    text, record = (folder / "numpy" / f"conv2d_classic{end}" for end in (".py", ".cert.json"))
    assert kernel.certificate["operator"] == "Conv2d(1, 1, 3, bias=False, input_size=4)"
    right = text.read_bytes()
    text.write_bytes(right.replace(b"slice(0, 2, 1)", b"slice(0, 1, 1)", 1))
    with pytest.raises(Exception, match=r"does not speak of this text: conv2d_classic\.py"):
        _ = kernel.certificate
    text.write_bytes(right)
    assert kernel.certificate["texts"]
    for wrong in (b"", b"{}", b"[1]", record.read_bytes()[:-20], b'{"texts": {"../c/a.c": 1}}'):
        record.write_bytes(wrong)
        with pytest.raises(Exception, match=r"conv2d_classic\.cert\.json: "):
            _ = kernel.certificate


@needs_compiler
@needs_cxx
def test_verify_notices_a_changed_byte(tmp_path: Path) -> None:
    catalogue, out = tmp_path / "one.toml", tmp_path / "out"
    catalogue.write_text(CATALOGUE)
    words = [str(catalogue), "--out", str(out)]
    made = CliRunner().invoke(main, ["generate", *words])
    assert made.exit_code == 0, made.output
    assert "1 of 1 C texts are their operator over Z_p" in made.output
    assert CliRunner().invoke(main, ["verify", *words]).exit_code == 0
    for path in ("c/one.cert.json", "numpy/one.cert.json", "c/one.c"):
        right = (out / path).read_bytes()
        for at in (len(right) // 3, len(right) - 9):
            (out / path).write_bytes(right[:at] + bytes([right[at] ^ 1]) + right[at + 1 :])
            found = CliRunner().invoke(main, ["verify", *words])
            assert found.exit_code == 1
            assert f"differs: {out / path}" in found.output
        (out / path).write_bytes(right)


@needs_compiler
def test_a_text_that_differs_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue, out = tmp_path / "one.toml", tmp_path / "out"
    catalogue.write_text(CATALOGUE)
    wrong = Identity(("forward",), ("forward",), 0, 2)
    monkeypatch.setattr("codegen.report.each_identity", lambda kernels: [wrong])
    found = CliRunner().invoke(main, ["generate", str(catalogue), "--out", str(out)])
    assert found.exit_code == 1
    assert "one is wrong: Z_p forward" in found.output
    assert not out.exists()


@pytest.fixture
def no_cxx(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("CXX", "no-such-compiler")
    library.cxx_compiler.cache_clear()
    yield
    library.cxx_compiler.cache_clear()


@needs_compiler
@pytest.mark.usefixtures("no_cxx")
def test_without_a_cxx_compiler_nothing_is_claimed(tmp_path: Path) -> None:
    catalogue, out = tmp_path / "one.toml", tmp_path / "out"
    catalogue.write_text(CATALOGUE)
    words = [str(catalogue), "--out", str(out)]
    found = CliRunner().invoke(main, ["generate", *words])
    assert found.exit_code == 0
    assert "The identity test was not made: no C++ compiler" in found.output
    assert "1 records of C kernels were not written" in found.output
    assert (out / "c/one.c").exists()
    assert not (out / "c/one.cert.json").exists()
    assert (out / "numpy/one.cert.json").exists()
    assert CliRunner().invoke(main, ["verify", *words]).exit_code == 0


@needs_compiler
@needs_cxx
def test_without_a_cxx_compiler_what_was_claimed_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record of the same texts is kept; one of other texts, or a changed one, is not."""
    catalogue, out = tmp_path / "one.toml", tmp_path / "out"
    catalogue.write_text(CATALOGUE)
    words = [str(catalogue), "--out", str(out)]
    assert CliRunner().invoke(main, ["generate", *words]).exit_code == 0
    record = out / "c/one.cert.json"
    right = record.read_bytes()
    monkeypatch.setenv("CXX", "no-such-compiler")
    library.cxx_compiler.cache_clear()
    try:
        assert "not written" not in CliRunner().invoke(main, ["generate", *words]).output
        assert record.read_bytes() == right
        record.write_bytes(right.replace(b'"batch": 2', b'"batch": 3', 1))
        found = CliRunner().invoke(main, ["verify", *words])
        assert found.exit_code == 1
        assert f"differs: {record}" in found.output
        record.write_bytes(right)
        catalogue.write_text(CATALOGUE.replace("kernel_size = 3", "kernel_size = 2"))
        assert CliRunner().invoke(main, ["generate", *words]).exit_code == 0
        assert not record.exists()
    finally:
        library.cxx_compiler.cache_clear()


@needs_compiler
def test_a_text_that_leaves_its_arrays_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue, out = tmp_path / "one.toml", tmp_path / "out"
    catalogue.write_text(CATALOGUE)
    wrong = codegen.IndexSafety(("forward",), 3, 9, ("forward: x[9] reaches 9..9 of x",))
    monkeypatch.setattr("codegen.record.index_safety", lambda op, text, name: wrong)
    found = CliRunner().invoke(main, ["generate", str(catalogue), "--out", str(out)])
    assert found.exit_code == 1
    assert "one is wrong: forward: x[9] reaches 9..9 of x" in found.output
    assert "0 of 1 C texts proven to stay in their arrays" in found.output
    assert not out.exists()


@needs_compiler
def test_a_kernel_that_is_not_exact_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue, out = tmp_path / "one.toml", tmp_path / "out"
    catalogue.write_text(CATALOGUE)
    monkeypatch.setattr("codegen.report.mismatches", lambda kernel, op: ["forward"])
    found = CliRunner().invoke(main, ["generate", str(catalogue), "--out", str(out)])
    assert found.exit_code == 1
    assert "nothing was written" in found.output
    assert not out.exists()


def test_the_claim_of_integers_says_what_is_asked() -> None:
    """Data, batch and seed of the claim are those of the probes that the kernel was put."""
    kernel = codegen.build(OP, "numpy", "float32")
    assert isinstance(kernel, Kernel)
    raw, asked = kernel.load("float32"), []

    def forward(x: Any, weight: Any, bias: Any, y: Any) -> None:
        asked.append((x.copy(), y.copy()))
        raw["forward"](x, weight, bias, y)

    heard = replace(kernel, load=lambda dtype: {**raw, "forward": forward})
    claim = checked(OP, heard, None)["claims"]["integers"]
    ((x, prefilled),) = asked
    assert claim["data"] == "one call of each function, integers in -4..4 but 0"
    assert claim["dtype"] == x.dtype.name
    assert (claim["batch"], claim["seed"]) == (len(x), 0)
    assert set(np.unique(x)) <= {-4, -3, -2, -1, 1, 2, 3, 4}
    assert len(np.unique(prefilled)) == 1
    sample = sample_of(Probe(OP, (claim["batch"],), seed=claim["seed"]), "forward", "float32")
    assert (sample.x == x).all()


@pytest.mark.parametrize("target", ["numpy", pytest.param("c", marks=[needs_compiler, needs_cxx])])
def test_built_kernels_are_checked_when_asked(target: str) -> None:
    kernel = codegen.build(OP, target, "float32")
    assert isinstance(kernel, Kernel)
    record = kernel.certificate
    assert record["claims"]["integers"]["differs"] == []
    assert sha256(kernel.source.encode()) in record["texts"].values()
    assert kernel.certificate is record
    if target == "c":
        assert record["claims"]["identity"]["differs"] == []


def test_a_wrong_kernel_says_so() -> None:
    kernel = codegen.build(OP, "numpy", "float32")
    assert isinstance(kernel, Kernel)
    raw = kernel.load("float32")

    def forward(x: Any, weight: Any, bias: Any, y: Any) -> None:
        raw["forward"](x, weight, np.zeros_like(bias), y)

    wrong = replace(kernel, load=lambda dtype: {**raw, "forward": forward})
    assert checked(OP, wrong, None)["claims"]["integers"]["differs"] == ["forward"]


def test_without_a_record() -> None:
    kernel = codegen.build(OP, "numpy", "float32")
    assert isinstance(kernel, Kernel)
    with pytest.raises(codegen.LayoutError, match="came without its record"):
        _ = replace(kernel, record=None).certificate
    assert issubclass(RecordError, RuntimeError)
