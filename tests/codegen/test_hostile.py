"""Words and paths from users: refused or inert in every field, whatever they hold."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

import derive
from codegen.__main__ import main
from codegen._runtime.command import commands
from codegen._runtime.compiler import find_compiler
from codegen._runtime.errors import CompileError
from codegen.builder import build
from codegen.emit import emit_c, emit_face, emit_header, emit_numpy
from codegen.generate import differences, write
from codegen.targets.c_selftest import emit_selftest
from codegen.voice import plain
from derive.catalogue import CatalogueError, read_catalogue
from derive.names import RESERVED, is_identifier
from tests.codegen.text import stripped

PIECES = [
    "*/ int evil(void) { return 1; } /*",
    "f(void){return 0;} int g",
    "??/",
    "??/\nint evil;",
    "\\\nint evil;",
    "*\\\n/ int evil;",
    '"""\nimport os\nos.abort()\n"""',
    "'''",
    "{{ 7 * 7 }}",
    "{% include '/etc/passwd' %}",
    "{# #}",
    "{{ x.__class__.__mro__ }}",
    "$(touch evil)",
    "`touch evil`",
    "; touch evil;",
    "| touch evil",
    "&& touch evil",
    "%s%n%x",
    "\x1b[2J",
    "\x00",
    "\r\nint evil;",
    "\u2028int evil;",
    "\u202eliver",
    "\ufeff",
    "\ud800",
    "é漢",
    "\u0430",  # looks like a
    "\u017f",  # upper case makes it S
    "#include <evil.h>",
    "#define SCALAR evil",
    "#pragma omp parallel",
    "\n#error evil\n",
    "__attribute__((constructor))",
    '_Pragma("omp")',
    "../../evil",
    "/etc/passwd",
    "a/b",
    "..",
    ".",
    "\t",
]
HOSTILE = [*PIECES, *(f"k{piece}k" for piece in PIECES)]
PLAIN = derive.Conv2d(1, 1, 3, bias=False, input_size=(4, 4))


class Described(int):
    """A number that prints as it likes."""

    words = ""

    def __repr__(self) -> str:
        return self.words

    __str__ = __repr__


def described(words: str) -> derive.Operator:
    number = Described(1)
    number.words = words
    return derive.Conv2d(number, 1, 3, bias=False, input_size=(4, 4))


def tokens(text: str) -> list[str]:
    """Of C: what is left without comments."""
    return re.findall(r"\w+|[^\w\s]", stripped(text.replace("??/", "\\")))


def python_tokens(text: str) -> str:
    tree = ast.parse(text)
    assert isinstance(tree.body.pop(0), ast.Expr)  # the docstring
    return ast.dump(tree)


def test_there_are_eighty() -> None:
    assert len(set(HOSTILE)) == 80


@pytest.mark.parametrize("words", HOSTILE, ids=ascii)
def test_a_description_is_inert(words: str) -> None:
    """In C, its header, its self-test, NumPy, the face and LaTeX: the very same tokens."""
    op = described(words)
    for emit in (emit_c, emit_header, emit_selftest):
        text = emit(op, "k")
        assert text.isascii()
        assert tokens(text) == tokens(emit(PLAIN, "k"))
    for emit in (emit_numpy, emit_face):
        text = emit(op, "k")
        assert text.isascii()
        assert python_tokens(text) == python_tokens(emit(PLAIN, "k"))


def toml(**fields: str) -> str:
    """A catalogue of one operator, some of its fields or a key of it replaced."""
    table = {"name": "k", "layer": "Conv2d", "padding_mode": "zeros"} | fields
    lines = [f"{quoted(key)} = {quoted(value)}" for key, value in table.items()]
    numbers = "in_channels = 1\nout_channels = 1\nkernel_size = 3\ninput_size = 4\n"
    return "[[operator]]\n" + "\n".join(lines) + "\n" + numbers


def quoted(text: str) -> str:
    return '"' + "".join(f"\\U{ord(c):08X}" for c in text) + '"'


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    return tmp_path / "operators.toml"


@pytest.mark.parametrize("field", ["name", "layer", "padding_mode", "key"])
@pytest.mark.parametrize("words", HOSTILE, ids=ascii)
def test_a_field_of_a_catalogue_is_refused(words: str, field: str, catalogue: Path) -> None:
    catalogue.write_text(toml(**({words: "x"} if field == "key" else {field: words})))
    before = sorted(catalogue.parent.iterdir())
    with pytest.raises(CatalogueError):
        read_catalogue(catalogue)
    done = CliRunner().invoke(
        main, ["generate", str(catalogue), "--out", str(catalogue.parent / "o")]
    )
    assert done.exit_code == 2
    assert done.output.startswith("error: ")
    assert "Traceback" not in done.output
    assert all(c.isprintable() or c == "\n" for c in done.output)
    assert sorted(catalogue.parent.iterdir()) == before


@pytest.mark.parametrize("words", HOSTILE, ids=ascii)
def test_a_name_is_refused(words: str) -> None:
    for target in ("numpy", "c"):
        with pytest.raises(ValueError, match=r"^name = "):
            build(PLAIN, target, name=words)


NAMES = ["con", "aux", "nul", "prn", "com1", "lpt9", "class", "namespace", "template", "operator"]
NAMES += ["int", "return", "lambda", "None", "match", "true", "../x", "a/b", "k" * 300, "__init__"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_a_language_or_a_system_is_refused(name: str, catalogue: Path) -> None:
    assert not is_identifier(name)
    catalogue.write_text(toml(name=name))
    with pytest.raises(CatalogueError, match="name = "):
        read_catalogue(catalogue)
    with pytest.raises(ValueError, match=r"^name = "):
        build(PLAIN, "numpy", name=name)


def test_reserved_names_are_words() -> None:
    assert len(RESERVED) > 130
    assert all(word.isidentifier() for word in RESERVED)


@pytest.mark.parametrize("words", HOSTILE, ids=ascii)
def test_what_is_said_moves_no_cursor(words: str) -> None:
    said = plain(words)
    assert all(c.isprintable() or c == "\n" for c in said)


# --- $CC -------------------------------------------------------------------------------------


@pytest.fixture
def anew() -> Iterator[None]:
    find_compiler.cache_clear()
    yield
    find_compiler.cache_clear()


@pytest.mark.usefixtures("anew")
@pytest.mark.parametrize(
    "words",
    [
        "cc -fplugin=evil.so",
        "cc -B/tmp",
        "cc -wrapper evil,--args",
        "cc -include evil.h",
        "cc -imacros evil.h",
        "cc -I/tmp",
        "cc -Wl,-rpath,/tmp",
        "cc -Xlinker evil",
        "cc -o evil",
        "cc -x none evil.c",
        "cc @evil",
        "cc evil.c",
        "cc -ffast-math",
        "cc -specs=evil",
        "cc -mdaz-ftz",
        "cc -DSCALAR=evil(x)",
        "-cc",
        "@cc",
        "cc ;",
        "cc\n-I/tmp",
    ],
)
def test_a_hostile_cc_is_refused(monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    monkeypatch.setenv("CC", words)
    with pytest.raises(CompileError, match=r"CC = .*(is not allowed|is no program)"):
        find_compiler()


@pytest.mark.parametrize(
    "words",
    [
        "gcc",
        "/opt/my\\ gcc/bin/gcc",
        "ccache gcc-12",
        "zig cc",
        "x86_64-linux-gnu-gcc -m64",
        "clang --target=aarch64-linux-gnu",
        "gcc -march=native -O3 -g",
        "gcc -fsanitize=address,undefined",
        "gcc -DNDEBUG -DN=3",
    ],
)
def test_a_usual_cc_is_taken(monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    monkeypatch.setenv("CC", words)
    (found,) = commands()
    assert len(found) == len(words.replace("\\ ", "_").split())


# --- paths -----------------------------------------------------------------------------------

OWN = {
    "__init__.py": '"""Generated by `python -m codegen`."""\n',
    "c/a.c": "/* Generated by `python -m codegen` */\n",
}


@pytest.mark.parametrize("link", ["c", "c/a.c", "__init__.py"])
def test_links_inside_the_output_are_not_followed(tmp_path: Path, link: str) -> None:
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    write(elsewhere, {**OWN, "c/old.c": OWN["c/a.c"]})
    (out / link).parent.mkdir(parents=True)
    (out / link).symlink_to(elsewhere / link)
    before = {path: path.read_bytes() for path in elsewhere.rglob("*") if path.is_file()}
    with pytest.raises(FileExistsError, match="is a symbolic link and is in the way"):
        write(out, OWN)
    assert differences(out, {}) == []  # nothing there counts as ours, to be removed
    assert {path: path.read_bytes() for path in elsewhere.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("path", ["../x.py", "/tmp/x.py", "c/../../x.py"])
def test_no_path_leaves_the_output(tmp_path: Path, path: str) -> None:
    with pytest.raises(ValueError, match="is not below the output folder"):
        write(tmp_path / "out", {path: ""})
    assert list(tmp_path.iterdir()) == []


def test_the_output_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "real")
    write(tmp_path / "out", OWN)
    assert differences(tmp_path / "real", OWN) == []


# --- the same bytes everywhere ---------------------------------------------------------------


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return generated(tmp_path_factory.mktemp("first"), "random", "C")


def generated(folder: Path, seed: str, locale: str) -> dict[str, bytes]:
    """What a fresh process writes of two operators."""
    catalogue = folder / "two.toml"
    catalogue.write_text(toml(name="one") + toml(name="two", layer="ConvTranspose2d"))
    none = "no-such-compiler"  # to be fast; what is checked says nothing of the texts
    environment = {**os.environ, "PYTHONHASHSEED": seed, "CC": none, "CXX": none}
    environment |= {"LC_ALL": locale, "LANG": locale}
    done = subprocess.run(
        [sys.executable, "-m", "codegen", "generate", str(catalogue), "--out", str(folder / "out")],
        cwd=Path(__file__).parents[2],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    out = folder / "out"
    return {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file()}


@pytest.mark.parametrize(
    ("seed", "locale"),
    [("0", "C.UTF-8"), ("1", "C"), ("1", "C.UTF-8"), ("77", "C"), ("77", "C.UTF-8")],
)
def test_three_hash_seeds_and_two_locales(
    tmp_path: Path, tree: dict[str, bytes], seed: str, locale: str
) -> None:
    assert generated(tmp_path, seed, locale) == tree
    assert len(tree) > 20
