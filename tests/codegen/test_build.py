"""Building: what the cache keeps, what its keys hold, and what is said when it cannot be done."""

from __future__ import annotations

import shlex
import stat
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import derive
from codegen import CompileError, Kernel, LayoutError, LoweringError, build
from codegen._runtime.bounded import FILE, MEMORY, run
from codegen._runtime.cache import Job, _compile, compile_library, libraries
from codegen._runtime.compiler import Compiler, find_compiler
from codegen._runtime.folder import cache_folder
from codegen.builder import c_sources, compile_libraries
from codegen.exactness import mismatches
from codegen.targets.c import emit
from tests.cases import generator
from tests.codegen.judge import Data, answer_of, of_torch
from tests.codegen.libraries import needs_compiler

module = sys.modules["codegen.builder"]  # the function of that name hides it
OP = derive.Conv1d(1, 2, 3, padding=1, input_size=6)


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache, and a compiler that is looked for anew, before and after."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("EXACTCONV_CACHE", str(folder))
    find_compiler.cache_clear()
    yield folder
    find_compiler.cache_clear()


def files(folder: Path) -> list[Path]:
    """The entries, and what should not be there: all but the locks."""
    found = folder.iterdir() if folder.exists() else ()
    return sorted(path for path in found if path.suffix != ".lock")


def script(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
@pytest.mark.parametrize("target", ["numpy", pytest.param("c", marks=needs_compiler)])
def test_kernels_of_every_kind(target: str, dtype: str) -> None:
    op = derive.Conv2d(2, 3, 3, stride=2, padding=1, input_size=(5, 6))
    kernel = build(op, target, dtype, name="a_kernel")
    assert (kernel.name, kernel.dtypes) == ("a_kernel", (dtype,))
    data = Data.of(op, generator(450), (3,))
    assert answer_of(kernel, data.astype(dtype)).differences(of_torch(op, data)) == []
    assert ("a_kernel_forward" if target == "c" else "def _forward") in kernel.source


def test_a_kernel_takes_its_dtype_alone() -> None:
    kernel = build(OP, "numpy", "float64")
    with pytest.raises(LayoutError, match="x has dtype float32; allowed is float64"):
        kernel(np.ones((1, 6), "f4"), np.ones((2, 1, 3), "f4"), np.ones(2, "f4"))


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"target": "opencl"}, ValueError, "target = 'opencl': allowed is one of numpy, c, cuda"),
        ({"target": None}, ValueError, "target = None"),
        ({"dtype": "float16"}, ValueError, "dtype = 'float16': allowed is one of float32"),
        ({"dtype": "int32"}, ValueError, "dtype = 'int32'"),
        ({"dtype": float}, ValueError, "dtype = <class 'float'>"),
        ({"op": 3}, TypeError, "op is of type int; allowed is an operator of derive"),
        ({"op": "Conv1d"}, TypeError, "op is of type str"),
        ({"op": derive.Conv1d(1, 1, 3).T}, derive.GeometryError, "input_size = None"),
        (
            {"op": derive.Interpolate(1, (3,), size=7, mode="linear"), "dtype": "int64"},
            LoweringError,
            "dtype = 'int64': allowed is a float",
        ),
    ],
    ids=str,
)
@pytest.mark.parametrize("target", ["numpy", "c"])
def test_refused(arguments: dict[str, object], error: type, words: str, target: str) -> None:
    given: dict[str, object] = {"op": OP, "target": target} | arguments
    with pytest.raises(error, match=words):
        build(**given)  # type: ignore[arg-type]


# --- the cache -------------------------------------------------------------------------------


@needs_compiler
def test_the_same_operator_is_compiled_once(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build(OP)
    (made,) = files(fresh)
    before = made.stat()
    monkeypatch.setattr(module, "_run_ninja", None)  # calling it would fail
    again = build(derive.Conv1d(1, 2, 3, padding=1, input_size=6))
    assert files(fresh) == [made]
    assert (made.stat().st_mtime_ns, made.stat().st_ino) == (before.st_mtime_ns, before.st_ino)
    data = Data.of(OP, generator(451), (2,))
    assert answer_of(again, data.astype("float32")).differences(of_torch(OP, data)) == []
    with pytest.raises(TypeError):
        build(OP, dtype="float64")


@needs_compiler
def test_the_portable_text_serves_where_a_scheduled_one_fails(
    fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    op, faults = derive.Conv2d(3, 16, 3, input_size=9), module.faults
    tested: list[str] = []

    def wrong_at_first(kernel: Kernel, op: derive.Operator, fast: Any) -> list[str]:
        tested.append(kernel.source)
        return ["forward"] if len(tested) == 1 else faults(kernel, op, fast)

    monkeypatch.setattr(module, "faults", wrong_at_first)
    with pytest.warns(RuntimeWarning, match="in forward.*; the portable text serves"):
        kernel = build(op)
    assert isinstance(kernel, Kernel)
    assert "VECTOR" in tested[0]
    assert kernel.source == tested[1] == emit(op, kernel.name).files[f"{kernel.name}.c"]
    assert mismatches(kernel, op) == []


@needs_compiler
def test_missing_libraries_are_built_by_one_ninja(
    fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = []
    run = module._run_ninja
    monkeypatch.setattr(module, "_run_ninja", lambda *a: (runs.append(len(a[2])), run(*a)))
    sources = [c_sources(derive.Conv1d(1, 1, k, input_size=9), f"k{k}") for k in range(1, 5)]
    first = compile_libraries([Job(each, "float") for each in sources[:2]])
    paths = compile_libraries([Job(each, "float") for each in sources])
    assert runs == [2, 2]
    assert files(fresh) == sorted(path.parent for path in paths)
    assert paths[:2] == first
    assert compile_libraries([]) == []


@needs_compiler
def test_threads_may_build_the_same_kernel(fresh: Path) -> None:
    data = Data.of(OP, generator(452), (2,))
    with ThreadPoolExecutor(8) as pool:
        kernels = list(pool.map(lambda _: build(OP), range(8)))
    assert len(files(fresh)) == 1
    expected = of_torch(OP, data)
    for kernel in kernels:
        assert answer_of(kernel, data.astype("float32")).differences(expected) == []


@needs_compiler
def test_a_folder_with_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("with space", "dollar$HOME", "quote'", 'double"', "semi;colon", "a:b", "ünï"):
        monkeypatch.setenv("EXACTCONV_CACHE", str(tmp_path / name))
        build(OP)
        assert len(files(tmp_path / name)) == 1
        assert (
            compile_library(Job(c_sources(OP, "other"), "float")).parent.parent == tmp_path / name
        )


SOURCES = {"k.c": '#include "k.h"\n', "k.h": "int k;\n"}


def test_every_part_is_in_the_key() -> None:
    compiler = Compiler(("/bin/cc",), "cc 1.0", ("-O2", "-fPIC"), None)
    key = compiler.key(SOURCES, "float")
    assert key == compiler.key(dict(reversed(SOURCES.items())), "float")
    changed = [
        compiler.key({**SOURCES, "k.c": "int k;\n"}, "float"),
        compiler.key({**SOURCES, "k.h": "int l;\n"}, "float"),
        compiler.key({"l.c": SOURCES["k.c"], "k.h": SOURCES["k.h"]}, "float"),
        compiler.key({"k.c": SOURCES["k.c"]}, "float"),
        compiler.key({**SOURCES, "l.h": ""}, "float"),
        compiler.key(SOURCES, "double"),
        replace(compiler, flags=("-O3", "-fPIC")).key(SOURCES, "float"),
        replace(compiler, flags=("-fPIC", "-O2")).key(SOURCES, "float"),
        replace(compiler, flags=("-O2", "-fPIC", "-march=x86-64-v4")).key(SOURCES, "float"),
        replace(compiler, command=("/usr/bin/cc",)).key(SOURCES, "float"),
        replace(compiler, command=("/bin/cc", "-m32")).key(SOURCES, "float"),
        replace(compiler, version="cc 1.1").key(SOURCES, "float"),
        replace(compiler, features=frozenset({"avx"})).key(SOURCES, "float"),
    ]
    assert len({key, *changed}) == 1 + len(changed)


@pytest.mark.parametrize("part", ["RUNTIME", "ABI"])
def test_the_runtime_and_the_machine_are_in_the_key(
    monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    compiler = Compiler(("/bin/cc",), "cc 1.0", ("-O2", "-fPIC"), None)
    before = compiler.key(SOURCES, "float")
    monkeypatch.setattr(f"codegen._runtime.compiler.{part}", "another")
    assert compiler.key(SOURCES, "float") != before


def test_the_program_behind_a_link_is_in_the_key(tmp_path: Path) -> None:
    link = tmp_path / "cc"
    keys = set()
    for name in ("gcc-12", "gcc-13"):
        (tmp_path / name).touch()
        link.unlink(missing_ok=True)
        link.symlink_to(tmp_path / name)
        keys.add(Compiler((str(link),), "cc", (), None).key(SOURCES, "float"))
    assert len(keys) == 2


def test_the_folder_of_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXACTCONV_CACHE", str(tmp_path / "own" / "place"))
    assert cache_folder() == tmp_path / "own" / "place"
    assert stat.S_IMODE(cache_folder().stat().st_mode) == 0o700
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    for unset in ("", None):
        if unset is None:
            monkeypatch.delenv("EXACTCONV_CACHE")
        else:
            monkeypatch.setenv("EXACTCONV_CACHE", unset)
        assert cache_folder() == tmp_path / "xdg" / "exactconv"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_folder() == tmp_path / "home" / ".cache" / "exactconv"


@needs_compiler
def test_a_cache_that_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    for place in ("file", "file/below"):
        monkeypatch.setenv("EXACTCONV_CACHE", str(tmp_path / place))
        with pytest.raises(CompileError, match=r"no cache for libraries.*file.*EXACTCONV_CACHE"):
            build(OP)
    assert build(OP, "numpy").name


# --- the compiler ----------------------------------------------------------------------------


def test_no_compiler_is_said_and_numpy_needs_none(
    fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    words = "no C compiler: looked for no-such-compiler on the path.*NumPy kernels need none"
    with pytest.raises(CompileError, match=words):
        build(OP)
    assert files(fresh) == []
    y = build(OP, "numpy", "int64")(np.ones((1, 6), int), np.ones((2, 1, 3), int), np.ones(2, int))
    assert y.tolist() == [[3, 4, 4, 4, 4, 3]] * 2


def test_an_empty_path(fresh: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CompileError, match="looked for cc, gcc, clang on the path"):
        build(OP)


@pytest.mark.parametrize("words", ["'", '"gcc', "gcc \\"])
def test_cc_that_is_no_command(fresh: Path, monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    monkeypatch.setenv("CC", words)
    with pytest.raises(CompileError, match=r"^CC = .*: No "):
        build(OP)


@needs_compiler
@pytest.mark.parametrize("words", ["", " ", "\t"])
def test_a_blank_cc_is_none(fresh: Path, monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    monkeypatch.setenv("CC", words)
    assert find_compiler().command[0].rsplit("/")[-1] in ("cc", "gcc", "clang")


@pytest.mark.parametrize(
    "words",
    [
        "cc;touch {0}",
        "cc; touch {0}",
        "cc && touch {0}",
        "cc | touch {0}",
        "$(touch {0})",
        "`touch {0}`",
        "cc\ntouch {0}",
        "@{0}",
        "-o {0}",
        "--version > {0}",
        "> {0}",
        "cc -o {0} -x none @{0}",
    ],
)
def test_cc_is_no_shell(
    fresh: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    marker = tmp_path / "touched"
    monkeypatch.setenv("CC", words.format(marker))
    with pytest.raises(CompileError):
        build(OP)
    assert not marker.exists()
    assert files(fresh) == []


def test_a_compiler_that_fails(
    fresh: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = script(tmp_path / "cc", "#!/bin/sh\necho internal error: out of luck >&2\nexit 1\n")
    monkeypatch.setenv("CC", str(broken))
    with pytest.raises(CompileError, match=r"(?s)cc refused a kernel.*internal error: out of luck"):
        build(OP)
    with pytest.raises(CompileError, match=r"(?s)cc refused k\.c.*internal error: out of luck"):
        compile_library(Job(SOURCES, "float"))
    assert files(fresh) == []


def test_a_compiler_that_makes_nothing(
    fresh: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", str(script(tmp_path / "cc", "#!/bin/sh\nexit 0\n")))
    with pytest.raises(CompileError, match="made no library"):
        build(OP)
    with pytest.raises(CompileError, match="made no library"):
        compile_library(Job(SOURCES, "float"))
    assert files(fresh) == []


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_a_compiler_that_does_not_end(
    fresh: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It and what it started are ended, and nothing of it is left."""
    started = tmp_path / "started"
    text = f"#!/bin/sh\nsleep 600 & echo $! > {started}\nwait\n"
    monkeypatch.setattr("codegen._runtime.cache.run", partial(run, seconds=0.5))
    compiler = Compiler((str(script(tmp_path / "cc", text)),), "cc", (), None)
    with pytest.raises(CompileError, match=r"k\.c: .*cc was stopped: not done after 0\.5 s"):
        libraries(compiler, [Job(SOURCES, "float")], _compile)
    assert files(fresh) == []
    state = Path(f"/proc/{started.read_text().strip()}/stat")
    assert not state.exists() or state.read_text().split()[2] == "Z"  # nobody may have reaped it


@pytest.mark.skipif(sys.platform != "linux", reason="limits of another process")
def test_a_compiler_is_limited(tmp_path: Path) -> None:
    """Its time on the processor, its memory, what it writes, and no core file."""
    done = run(["sh", "-c", "sleep 0.2; ulimit -t; ulimit -v; ulimit -f; ulimit -c"], 7)
    assert done.stdout.split() == ["8", str(MEMORY // 1024), str(FILE // 512), "0"]


def test_a_compiler_that_does_not_run(
    fresh: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", str(script(tmp_path / "cc", "no program")))
    with pytest.raises(CompileError, match="cc does not run"):
        build(OP)
    (tmp_path / "plain").write_text("#!/bin/sh\n")
    for place in ("plain", "."):
        monkeypatch.setenv("CC", str(tmp_path / place))
        find_compiler.cache_clear()
        with pytest.raises(CompileError, match="no C compiler: looked for"):
            build(OP)


@needs_compiler
def test_a_kernel_that_is_refused_names_the_compiler(fresh: Path) -> None:
    bad = {"bad.c": "int f(void) { return undeclared; }\n"}
    with pytest.raises(CompileError, match=r"(?s)refused bad\.c.*undeclared"):
        compile_library(Job(bad, "float"))
    with pytest.raises(CompileError, match=r"(?s)refused a kernel.*undeclared"):
        compile_libraries([Job(c_sources(OP, "good"), "float"), Job(bad, "float")])
    assert files(fresh) == []


@needs_compiler
def test_cc_with_arguments_and_spaces(
    fresh: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = find_compiler()
    spaced = tmp_path / "my compilers"
    spaced.mkdir()
    own = script(spaced / "cc", f'#!/bin/sh\nexec {shlex.quote(found.command[0])} "$@"\n')
    monkeypatch.setenv("CC", f"{shlex.quote(str(own))} -DUSED=1")
    find_compiler.cache_clear()
    assert find_compiler().command == (str(own), "-DUSED=1")
    assert find_compiler().flags == found.flags
    build(OP)
    assert len(files(fresh)) == 1


@needs_compiler
def test_flags_keep_the_arithmetic() -> None:
    flags = find_compiler().flags
    assert not {"-ffast-math", "-Ofast", "-funsafe-math-optimizations", "-march=native"} & {*flags}
    assert not [flag for flag in flags if flag.startswith(("-fassociative", "-freciprocal"))]


@needs_compiler
def test_flags_that_a_compiler_lacks_are_left_out(
    fresh: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A compiler without OpenMP and without newer processors still makes kernels."""
    real = shlex.quote(find_compiler().command[0])
    poor = script(
        tmp_path / "cc",
        '#!/bin/sh\nfor word in "$@"; do case "$word" in -fopenmp|-march=*|-mprefer*) exit 1;; '
        f'esac; done\nexec {real} "$@"\n',
    )
    monkeypatch.setenv("CC", str(poor))
    find_compiler.cache_clear()
    assert not [flag for flag in find_compiler().flags if flag.startswith(("-fopenmp", "-march"))]
    data = Data.of(OP, generator(453), (2,))
    answer = answer_of(build(OP), data.astype("float32"))
    assert answer.differences(of_torch(OP, data)) == []
