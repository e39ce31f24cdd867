"""A wheel holds all that is committed of the packages, and computes without torch."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("derive", "codegen", "generated")
CODE = """
import sys
sys.path.insert(0, sys.argv[1])
sys.modules["torch"] = None  # as where it is not installed
import numpy as np
import codegen, derive
from generated.numpy import conv2d_k3s1p1
assert derive.__file__.startswith(sys.argv[1]) and codegen.__file__.startswith(sys.argv[1])
kernel = codegen.build(derive.Conv1d(1, 1, 3, bias=False, input_size=4), "numpy", "int64")
print(kernel(np.arange(4)[None], np.ones((1, 1, 3), int)).tolist())
try:
    import codegen.torch_ops
except ImportError as refusal:
    print(refusal)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if int(version("setuptools").split(".")[0]) < 77:
        pytest.skip("building needs setuptools 77 or later")
    folder = tmp_path_factory.mktemp("wheel")
    listed = ["git", "-C", str(ROOT), "ls-files", "-z", *PACKAGES, "pyproject.toml", "LICENSE"]
    files = subprocess.run([*listed, "README.md"], capture_output=True, text=True, check=False)
    if files.returncode:
        pytest.skip("the sources are in no git repository")
    for name in filter(None, files.stdout.split("\0")):
        copy = folder / "sources" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes((ROOT / name).read_bytes())
    pip = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "-q", "-w", str(folder), str(folder / "sources")], check=True)
    (made,) = folder.glob("*.whl")
    return made


def test_a_wheel_holds_every_file_and_computes(wheel: Path, tmp_path: Path) -> None:
    sources = wheel.parent / "sources"
    committed = {
        str(path.relative_to(sources))
        for package in PACKAGES
        for path in (sources / package).rglob("*")
        if path.is_file()
    }
    with zipfile.ZipFile(wheel) as held:
        assert sorted(committed - set(held.namelist())) == []
        held.extractall(tmp_path)
    command = [sys.executable, "-c", CODE, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    numbers, refusal = done.stdout.splitlines()
    assert numbers == "[[3, 6]]"
    assert "pip install exactconv[torch]" in refusal
