"""Cubins in the cache: the guarantees of C libraries, what keys are made of, what NVRTC says."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from codegen import CompileError
from codegen.__main__ import main
from codegen._runtime import WrongKernelError
from codegen._runtime.cuda import Function, Program, Step, nvrtc
from codegen._runtime.cuda.nvrtc import CUDA_RUNTIME, Nvrtc, architecture_for, cubin, number
from codegen._runtime.entry import MANIFEST, read, sound
from codegen.stored import stored
from tests.cuda.compiled import needs_nvrtc

TEXT = 'extern "C" __global__ void k(long long batch, float *y) { y[threadIdx.x] = batch; }\n'
PROGRAM = Program("k", "float32", TEXT, {"forward": Function((Step("k", ("y",), 32, 1),))})


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("EXACTCONV_CACHE", str(folder))
    return folder


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that are compiled; without NVRTC, into bytes that stand for it."""
    found: list[str] = []

    def compiled(self: Nvrtc, text: str, name: str) -> bytes:
        found.append(name)
        return f"cubin of {name} for {self.abi}: {text}".encode()

    monkeypatch.setattr(Nvrtc, "compiled", compiled)
    monkeypatch.setattr(nvrtc, "version", lambda: "13.0")
    return found


def entries(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.suffix != ".lock"]


def test_what_is_there_is_not_compiled_again(fresh: Path, runs: list[str]) -> None:
    first = cubin(PROGRAM, "sm_80")
    assert cubin(PROGRAM, "sm_80") == first
    assert runs == ["k.cu"]
    (entry,) = entries(fresh)
    manifest = read(entry)
    assert manifest is not None
    assert (manifest.abi, manifest.runtime, manifest.files, manifest.scalar, manifest.compiler) == (
        ("sm_80", CUDA_RUNTIME, ["k.cu"], "float32", "13.0")
    )
    assert first.name == f"{manifest.sha256}.cubin"
    assert stat.S_IMODE(fresh.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "other",
    [
        lambda patch: cubin(replace(PROGRAM, source=TEXT + "\n"), "sm_80"),
        lambda patch: cubin(replace(PROGRAM, dtype="float64"), "sm_80"),
        lambda patch: cubin(PROGRAM, "sm_86"),
        lambda patch: (patch.setattr(nvrtc, "version", lambda: "13.1"), cubin(PROGRAM, "sm_80")),
        lambda patch: (patch.setattr(Nvrtc, "runtime", "cuda 0"), cubin(PROGRAM, "sm_80")),
        lambda patch: (patch.setattr(nvrtc, "STANDARD", "c++14"), cubin(PROGRAM, "sm_80")),
    ],
)
def test_a_key_is_made_of_all_that_a_cubin_depends_on(
    fresh: Path,
    runs: list[str],
    monkeypatch: pytest.MonkeyPatch,
    other: Callable[[pytest.MonkeyPatch], object],
) -> None:
    cubin(PROGRAM, "sm_80")
    other(monkeypatch)
    assert len(runs) == len(entries(fresh)) == 2


def damaged(path: Path, content: bytes) -> None:
    path.chmod(0o600)
    path.write_bytes(content)


def edited(entry: Path, **changes: object) -> None:
    manifest = json.loads((entry / MANIFEST).read_text())
    (entry / MANIFEST).write_text(json.dumps({**manifest, **changes}))


@pytest.mark.parametrize(
    "harm",
    [
        lambda entry, path: damaged(path, path.read_bytes()[:-1]),
        lambda entry, path: damaged(path, b"\0" + path.read_bytes()[1:]),
        lambda entry, path: path.unlink(),
        lambda entry, path: path.rename(entry / "other.cubin"),
        lambda entry, path: path.rename(path.with_suffix(".so")),
        lambda entry, path: (entry / MANIFEST).unlink(),
        lambda entry, path: (entry / MANIFEST).write_text("{"),
        lambda entry, path: edited(entry, abi="sm_90"),
        lambda entry, path: edited(entry, runtime="cuda 0"),
        lambda entry, path: edited(entry, sha256="0" * 64),
        lambda entry, path: shutil.rmtree(entry),
        lambda entry, path: (shutil.rmtree(entry), entry.write_text("a file")),
    ],
)
def test_damage_is_put_aside(
    fresh: Path, runs: list[str], harm: Callable[[Path, Path], object]
) -> None:
    path = cubin(PROGRAM, "sm_80")
    good, (entry,) = path.read_bytes(), entries(fresh)
    harm(entry, path)
    again = cubin(PROGRAM, "sm_80")
    assert runs == ["k.cu"] * 2
    assert again.read_bytes() == good
    assert entries(fresh) == [entry]
    assert sound(entry, CUDA_RUNTIME, "sm_80", ".cubin") == again


def test_a_wrong_cubin_is_never_published(fresh: Path, runs: list[str]) -> None:
    def refuse(path: Path) -> None:
        assert path.read_bytes().startswith(b"cubin of k.cu")
        raise WrongKernelError("k", ["forward"], "Another NVRTC may be right")

    for _ in range(2):
        with pytest.raises(WrongKernelError, match=r"k fails .* forward: .* Another NVRTC may"):
            cubin(PROGRAM, "sm_80", refuse)
        assert entries(fresh) == []
    assert cubin(PROGRAM, "sm_80").exists()


def test_many_threads_compile_once(fresh: Path, runs: list[str]) -> None:
    with ThreadPoolExecutor(8) as pool:
        paths = set(pool.map(lambda _: cubin(PROGRAM, "sm_80"), range(32)))
    assert len(paths) == 1
    assert runs == ["k.cu"]


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="POSIX permissions")
def test_a_folder_that_others_may_write_is_refused(fresh: Path, runs: list[str]) -> None:
    fresh.mkdir()
    fresh.chmod(0o777)
    with pytest.raises(CompileError, match="others may write"):
        cubin(PROGRAM, "sm_80")
    assert runs == []


def test_the_command_line_knows_them(fresh: Path, runs: list[str]) -> None:
    path = cubin(PROGRAM, "sm_86")
    (found,) = stored()
    assert found.sound
    assert found.facts()["files"] == ["k.cu"]
    assert "float32  k.cu sm_86" in CliRunner().invoke(main, ["cache", "ls"]).output
    assert CliRunner().invoke(main, ["cache", "verify"]).exit_code == 0
    damaged(path, b"")
    assert CliRunner().invoke(main, ["cache", "verify"]).exit_code == 1
    assert "1 libraries removed" in CliRunner().invoke(main, ["cache", "clear"]).output
    assert entries(fresh) == []


# --- NVRTC itself ----------------------------------------------------------------------------


@needs_nvrtc
def test_nvrtc_makes_machine_code(fresh: Path) -> None:
    content = cubin(PROGRAM, "sm_80").read_bytes()
    assert content.startswith(b"\x7fELF")
    assert b"k" in content


@needs_nvrtc
def test_what_nvrtc_refuses_is_said_with_its_name_and_log(fresh: Path) -> None:
    wrong = replace(PROGRAM, source=TEXT.replace("batch;", "bach;"))
    with pytest.raises(CompileError, match=r"k\.cu for sm_80") as caught:
        cubin(wrong, "sm_80")
    assert 'k.cu(1): error: identifier "bach" is undefined' in str(caught.value)
    assert entries(fresh) == []


@needs_nvrtc
def test_the_architecture_for_a_device() -> None:
    assert [architecture_for(each) for each in (75, 80, 86, 89, 90)] == [
        "sm_75",
        "sm_80",
        "sm_86",
        "sm_89",
        "sm_90",
    ]
    for beyond in (74, 995):
        with pytest.raises(CompileError, match=f"not for sm_{beyond}: pip install --upgrade"):
            architecture_for(beyond)


def test_a_device_between_two_takes_the_older(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvrtc, "architectures", lambda: (80, 86, 90))
    monkeypatch.setattr(nvrtc, "version", lambda: "13.0")
    assert [architecture_for(each) for each in (80, 85, 87, 89, 90)] == [
        "sm_80",
        "sm_80",
        "sm_86",
        "sm_86",
        "sm_90",
    ]
    with pytest.raises(CompileError, match="not for sm_75"):
        architecture_for(75)


@pytest.mark.parametrize("wrong", ["", "sm_", "sm_80a", "compute_80", "80"])
def test_what_is_no_architecture(wrong: str) -> None:
    with pytest.raises(ValueError, match="allowed is one such as sm_75"):
        number(wrong)
