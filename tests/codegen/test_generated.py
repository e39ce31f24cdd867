"""generated/ as a whole: the bytes of its catalogue, on its own, and C that any compiler takes."""

from __future__ import annotations

import ast
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from codegen._runtime.compiler import find_compiler
from codegen.generate import differences, entry_files, package_files
from derive.catalogue import read_catalogue
from tests.codegen import text
from tests.codegen.libraries import needs_compiler

ROOT = Path(__file__).parents[2]
GENERATED = ROOT / "generated"
C_FILES = sorted((GENERATED / "c").glob("*.c"))
HEADERS = sorted((GENERATED / "c").glob("*.h"))
ALL = sorted(
    path
    for kind in ("py", "c", "h", "cu", "tex", "cert.json")
    for path in GENERATED.rglob(f"*.{kind}")
)
STRICT = ["-Wall", "-Wextra", "-Werror", "-Wpedantic", "-Wno-unknown-pragmas"]


@cache
def emitted() -> dict[str, str]:
    files = dict(package_files())
    for entry in read_catalogue(ROOT / "operators.toml"):
        files |= dict(entry_files(entry))
    return files


def digest(files: Iterable[tuple[str, str]]) -> str:
    found = hashlib.sha256()
    for path, content in files:
        found.update(f"{path}\0{content}\0".encode())
    return found.hexdigest()


def test_it_is_what_the_catalogue_says() -> None:
    changed = differences(GENERATED, emitted())
    assert changed == [], f"{len(changed)} files of generated/ differ: run `make generate`"
    assert {path.relative_to(GENERATED).as_posix() for path in ALL} == emitted().keys()


SCRIPT = """
from pathlib import Path
import sys
from derive.catalogue import read_catalogue
from codegen.generate import entry_files, package_files
from tests.codegen.test_generated import digest
files = [*package_files()]
for entry in read_catalogue(Path("operators.toml")):
    files += entry_files(entry)
print(digest(files))
"""


@pytest.mark.parametrize(
    ("seed", "locale", "utf8"), [("0", "C", "0"), ("1", "C.UTF-8", "1"), ("4242", "POSIX", "0")]
)
def test_the_same_bytes_whatever_the_hash_seed_and_the_locale(
    seed: str, locale: str, utf8: str
) -> None:
    environment = {
        **os.environ,
        "PYTHONHASHSEED": seed,
        "LC_ALL": locale,
        "LANG": locale,
        "PYTHONUTF8": utf8,
        "PYTHONCOERCECLOCALE": "0",
        "TZ": f"UTC{seed[0]}",
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == digest(emitted().items())


def test_nothing_of_this_machine_is_in_it() -> None:
    here = {str(ROOT), str(Path.home()), platform.node(), sys.executable}
    here = {word for word in here if len(word) > 4}
    for path, content in emitted().items():
        for word in here:
            assert word not in content, (path, word)
        assert not re.search(r"\b(19|20)\d\d-\d\d-\d\d\b", content), path
        assert not re.search(r"\b\d\d:\d\d:\d\d\b", content), path
        assert not re.search(r"(?<![\w./])/(home|usr|tmp|work|root|var|opt)/", content), path
        assert content.isascii(), path
        assert "\r" not in content, path


def test_python_files_compile() -> None:
    for path in ALL:
        if path.suffix == ".py":
            compile(path.read_text(), str(path), "exec", dont_inherit=True)


# --- on its own ------------------------------------------------------------------------------

ALONE = """
import sys

import numpy as np

from generated.numpy import conv2d_classic, nearest2_conv2d_k3

y = conv2d_classic.forward(np.ones((1, 4, 4)), np.ones((1, 1, 3, 3)))
assert y.tolist() == [[[9, 9], [9, 9]]]
x, w = np.ones((2, 8, 16, 16), "f4"), np.ones((8, 8, 3, 3), "f4")
expected = nearest2_conv2d_k3.forward(x, w, np.zeros(8, "f4"))
assert expected[0, 0, 1, 1] == 72

from generated.c import conv2d_classic, nearest2_conv2d_k3

if sys.argv[1] == "compiler":
    y = conv2d_classic.forward(np.ones((1, 4, 4)), np.ones((1, 1, 3, 3)))
    assert y.tolist() == [[[9, 9], [9, 9]]]
    assert np.array_equal(nearest2_conv2d_k3.forward(x, w, np.zeros(8, "f4")), expected)
else:
    from generated._runtime import CompileError

    try:
        conv2d_classic.forward(np.ones((1, 4, 4)), np.ones((1, 1, 3, 3)))
    except CompileError as error:
        assert "no C compiler" in str(error)
    else:
        raise AssertionError

for name in ("derive", "codegen", "scipy", "sympy", "jinja2", "torch", "ninja", "click"):
    assert not [each for each in sys.modules if each.split(".")[0] == name], name
    try:
        __import__(name)
    except ImportError:
        pass
    else:
        raise AssertionError(name + " is there")
print("alone", np.__version__)
"""


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with NumPy and nothing else, in a folder with generated/ and nothing else."""
    folder = tmp_path_factory.mktemp("alone")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    (site,) = (folder / "venv").glob("lib/python*/site-packages")
    numpy = Path(np.__file__).parent
    for package in (numpy, numpy.parent / "numpy.libs"):
        if package.exists():
            (site / package.name).symlink_to(package)
    shutil.copytree(
        GENERATED, folder / "project/generated", ignore=shutil.ignore_patterns("__pycache__")
    )
    (folder / "project/main.py").write_text(ALONE)
    return folder


@pytest.mark.parametrize("compiler", [pytest.param("compiler", marks=needs_compiler), "none"])
def test_it_runs_with_numpy_alone(bare_python: Path, compiler: str, tmp_path: Path) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "EXACTCONV_CACHE": str(tmp_path / "cache"),
        "OMP_NUM_THREADS": "1",
    }
    if compiler == "none":
        environment["CC"] = "no-such-compiler"
    done = subprocess.run(
        [bare_python / "venv/bin/python", "-W", "error", "main.py", compiler],
        cwd=bare_python / "project",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"alone {np.__version__}"


def test_it_imports_numpy_and_the_standard_library() -> None:
    for path, content in emitted().items():
        if path.endswith(".py"):
            roots = {module.split(".")[0] for module in imported(ast.parse(content))}
            assert roots <= {"numpy", *sys.stdlib_module_names}, path


def imported(tree: ast.AST) -> Iterator[str]:
    """The absolute names that are imported, wherever in a file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module or ""


# --- C ---------------------------------------------------------------------------------------


def test_there_is_a_kernel_of_every_operator() -> None:
    names = {entry.name for entry in read_catalogue(ROOT / "operators.toml")}
    assert {path.stem for path in C_FILES} == {path.stem for path in HEADERS} == names
    assert len(names) >= 24


@pytest.mark.parametrize("path", C_FILES, ids=lambda path: path.stem)
def test_kernels_hold_loops_and_sums(path: Path) -> None:
    """No allocation, no division, no branch, no state."""
    assert text.faults(path.read_text()) == []


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("y[q] = x[q] / 2;", "division"),
        ("y[q] = x[q % 2];", "division"),
        ("if (q > 2) y[q] = 0;", "if"),
        ("while (q) q--;", "while"),
        ("y[q] = q > 2 ? 0 : x[q];", "a condition"),
        ("SCALAR *v = malloc(8);", "malloc"),
        ("static SCALAR kept[4];", "a variable that stays"),
    ],
)
def test_what_must_not_be_there_is_found(line: str, fault: str) -> None:
    good = (GENERATED / "c/conv2d_classic.c").read_text()
    assert text.faults(good) == []
    changed = good.replace("{\n", "{\n    " + line + "\n", 1)
    assert changed != good
    assert fault in text.faults(changed)


@pytest.mark.parametrize("line", ["int count;", "static int count;", "SCALAR table[] = {1, 2};"])
def test_a_global_is_found(line: str) -> None:
    good = (GENERATED / "c/conv2d_classic.c").read_text()
    assert "a variable outside all functions" in text.faults(good + "\n" + line + "\n")


def compiled(words: list[str], sources: Iterable[Path], *, language: str | None = None) -> str:
    """What a compiler has to say of each source."""
    command = find_compiler().command
    if language == "c++":
        command = (shutil.which("g++") or shutil.which("clang++") or "c++",)
    done = subprocess.run(
        [*command, *words, "-fsyntax-only", *map(str, sources)],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr or ("refused" if done.returncode else "")


@needs_compiler
@pytest.mark.parametrize("standard", ["c99", "c11"])
@pytest.mark.parametrize("openmp", [True, False])
def test_no_warning_in_any_standard(standard: str, openmp: bool) -> None:
    words = [f"-std={standard}", *STRICT]
    if openmp and "-fopenmp" in find_compiler().flags:
        words.append("-fopenmp")
    assert compiled(words, C_FILES) == ""


@needs_compiler
def test_no_warning_of_an_optimiser(tmp_path: Path) -> None:
    """Those that need the whole analysis: uninitialised values, indices out of bounds."""
    whole = tmp_path / "whole.c"
    whole.write_text("".join(f'#include "{path}"\n' for path in C_FILES))
    flags = [flag for flag in find_compiler().flags if flag != "-shared"]
    words = [*flags, *STRICT, "-O1", "-Warray-bounds", "-c", "-o", str(tmp_path / "whole.o")]
    done = subprocess.run(
        [*find_compiler().command, *words, str(whole)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@needs_compiler
def test_headers_stand_alone(tmp_path: Path) -> None:
    """Each is the first and only line of a file; and all of them, twice, of one more."""
    sources = []
    for path in HEADERS:
        sources.append(tmp_path / f"{path.stem}.c")
        sources[-1].write_text(f'#include "{path}"\n')
    sources.append(tmp_path / "all.c")
    sources[-1].write_text("".join(f'#include "{path}"\n' for path in [*HEADERS, *HEADERS]))
    assert compiled(["-std=c99", *STRICT], sources) == ""


@pytest.mark.skipif(not (shutil.which("g++") or shutil.which("clang++")), reason="no C++ compiler")
@pytest.mark.parametrize("standard", ["c++11", "c++17"])
def test_headers_stand_alone_in_cxx(tmp_path: Path, standard: str) -> None:
    sources = []
    for path in HEADERS:
        sources.append(tmp_path / f"{path.stem}.cpp")
        sources[-1].write_text(
            f'#include "{path}"\nint main() {{ (void){path.stem}_forward; return 0; }}\n'
        )
    assert compiled([f"-std={standard}", *STRICT], sources, language="c++") == ""
