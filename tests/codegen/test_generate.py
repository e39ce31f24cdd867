"""Writing the package: whole files or none, nobody else's files, and nothing on a dry run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import derive
from codegen import generate
from codegen.generate import differences, entry_files, ours, package_files, write
from derive.catalogue import Entry
from derive.files import MARK

FILES = {
    "__init__.py": f'"""Generat{MARK}."""\n',
    "c/a.c": f"/* Generat{MARK} */\nint a;\n",
    "c/a.h": f"/* Generat{MARK} */\n",
    "numpy/a.py": f'"""Generat{MARK}."""\n',
    "latex/a.tex": f"% Generat{MARK}\n",
}


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def written(files: dict[str, str]) -> dict[str, bytes]:
    return {path: text.encode() for path, text in files.items()}


def test_every_file_carries_the_mark() -> None:
    files = dict(package_files())
    files |= dict(entry_files(Entry("name", derive.Conv1d(1, 1, 3, input_size=5))))
    for path, text in files.items():
        assert MARK in text, path
        assert any(Path(path).match(pattern) for pattern in generate.OURS), path
    assert len(files) == 4 + len(list(generate.RUNTIME.rglob("*.py"))) + 11


def test_what_is_written_is_what_was_meant(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    assert differences(out, FILES) == sorted(FILES)
    write(out, FILES)
    assert tree(out) == written(FILES)
    assert differences(out, FILES) == []
    assert ours(out) == FILES.keys()
    assert {(out / path).stat().st_mode & 0o777 for path in FILES} == {0o644}


def test_files_that_are_right_are_left_alone(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    before = {path: (tmp_path / path).stat() for path in FILES}
    write(tmp_path, {**FILES, "c/a.h": FILES["c/a.h"] + "int b;\n"})
    for path, stat in before.items():
        now = (tmp_path / path).stat()
        same = (now.st_ino, now.st_mtime_ns) == (stat.st_ino, stat.st_mtime_ns)
        assert same == (path != "c/a.h")


@pytest.mark.parametrize("change", [b"\r\n", b" ", b"\n\n", b"\xff", b"x", b""])
def test_any_other_byte_is_a_difference_and_is_mended(tmp_path: Path, change: bytes) -> None:
    write(tmp_path, FILES)
    path = tmp_path / "c/a.c"
    path.write_bytes(path.read_bytes().replace(b"\n", change, 1))
    assert differences(tmp_path, FILES) == ["c/a.c"]
    write(tmp_path, FILES)
    assert tree(tmp_path) == written(FILES)


@pytest.mark.parametrize("call", ["os.replace", "os.fdopen", "Path.chmod"])
def test_a_failing_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    write(tmp_path, FILES)
    before = tree(tmp_path)

    def full(*arguments: Any, **words: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        if call == "Path.chmod":
            patch.setattr(Path, "chmod", full)
        else:
            patch.setattr(os, call.removeprefix("os."), full)
        with pytest.raises(OSError, match="No space"):
            write(tmp_path, {path: text + "\n" for path, text in FILES.items()})
    assert tree(tmp_path) == before  # no temporary file either
    write(tmp_path, FILES)


def test_a_write_that_breaks_off_half_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file is the old one or the new one."""
    write(tmp_path, FILES)
    new = {path: text + "\n" for path, text in FILES.items()}
    done = []
    replace = os.replace

    def until_the_third(source: Any, target: Any) -> None:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(target)
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", until_the_third)
        with pytest.raises(KeyboardInterrupt):
            write(tmp_path, new)
    found = tree(tmp_path)
    assert found.keys() == FILES.keys()
    old_and_new = written(FILES), written(new)
    assert [path for path in FILES if found[path] == old_and_new[1][path]] == list(FILES)[:2]
    assert all(found[path] in (old_and_new[0][path], old_and_new[1][path]) for path in FILES)


def test_stale_files_go_if_they_are_ours(tmp_path: Path) -> None:
    foreign = {
        "c/own.c": "int own;\n",
        "c/notes.txt": f"Generat{MARK}\n",
        "own.py": "print('python -m codegen')\n",
        "empty.py": "",
        "other/deep.py": f'"""Generat{MARK}."""\n',
        "numpy/deep/er.py": f'"""Generat{MARK}."""\n',
        "c/a.so": MARK,
    }
    write(tmp_path, {**FILES, "c/old.c": FILES["c/a.c"], "numpy/old.py": FILES["numpy/a.py"]})
    for path, text in foreign.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    assert differences(tmp_path, FILES) == ["c/old.c", "numpy/old.py"]
    write(tmp_path, FILES)
    assert tree(tmp_path) == written(FILES | foreign)


@pytest.mark.parametrize("content", [b"int mine;\n", b"\xff\xfe", b" "])
def test_somebody_else_s_file_is_not_overwritten(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "c/a.h").write_bytes(content)
    before = tree(tmp_path)
    with pytest.raises(FileExistsError, match=r"c/a\.h was not generated and is in the way"):
        write(tmp_path, FILES)
    assert tree(tmp_path) == before


def test_a_folder_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "c/a.c").mkdir(parents=True)
    with pytest.raises(FileExistsError, match=r"a\.c was not generated"):
        write(tmp_path, FILES)


def test_an_empty_file_may_be_filled(tmp_path: Path) -> None:
    (tmp_path / "__init__.py").touch()
    write(tmp_path, FILES)
    assert tree(tmp_path) == written(FILES)


def test_our_own_sources_are_safe(tmp_path: Path) -> None:
    """The generator pointed at the folder of its own sources, which speak of the mark."""
    for name in ("__init__.py", "generate.py", "describe.py"):
        source = generate.RUNTIME.parent / name
        (tmp_path / name).write_bytes(source.read_bytes())
    before = tree(tmp_path)
    with pytest.raises(FileExistsError):
        write(tmp_path, FILES)
    assert tree(tmp_path) == before


def test_comparing_writes_nothing(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    (tmp_path / "c/a.c").write_text("/* changed */")
    before = tree(tmp_path)
    assert differences(tmp_path, {**FILES, "c/new.c": ""}) == ["c/a.c", "c/new.c"]
    assert tree(tmp_path) == before
    assert differences(tmp_path / "nowhere", FILES) == sorted(FILES)
    assert not (tmp_path / "nowhere").exists()
