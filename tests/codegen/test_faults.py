"""Sixty and more faults made by hand in the templates and in lowering: each fails a comparison."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import ninja
import numpy as np

import derive
from codegen._runtime.compiler import find_compiler
from tests.cases import generator
from tests.codegen.faults import FAULTS
from tests.codegen.faulty import DTYPE, ROOT, operators
from tests.codegen.libraries import needs_compiler
from tests.codegen.program import Sample, arguments, exact

pytestmark = needs_compiler


def verdicts(folder: Path) -> dict[str, str]:
    """What the first check that failed said of each fault; nothing where none did."""
    arrays = {}
    for i, op in enumerate(operators(derive)):
        assert exact(op)
        sample = Sample.of(op, generator(940, i))
        assert sample.told
        arrays |= {f"{i} in {name}": array for name, array in sample.inputs.items()}
        arrays |= {f"{i} out {name}": array for name, array in sample.answers.items()}
    np.savez(folder / "answers.npz", **arrays)
    subprocess.run(
        [sys.executable, "-m", "tests.codegen.faulty", str(folder)], cwd=ROOT, check=True
    )
    said: dict[str, str] = json.loads((folder / "said.json").read_text())
    programs = {name: folder / name.replace(" ", "_").replace(":", "") for name in said}
    _compile(folder, [place for place in programs.values() if (place / "program.c").exists()])
    return {name: words or _ran(programs[name]) for name, words in said.items()}


def _compile(folder: Path, places: list[Path]) -> None:
    """All programs side by side; one that the compiler refuses is missing afterwards."""
    words = arguments(find_compiler().command, DTYPE, ("-O0", "-w"), "program")
    command = " ".join(words).replace("program.c", "$in").replace("-o program", "-o $out")
    lines = ["rule cc", f"  command = {command}"]
    lines += [f"build {place.name}/program: cc {place.name}/program.c" for place in places]
    (folder / "build.ninja").write_text("\n".join(lines) + "\n")
    make = [str(Path(ninja.BIN_DIR, "ninja")), "-C", str(folder), "-k", "0", "--quiet"]
    subprocess.run(make, capture_output=True, check=False)


def _ran(place: Path) -> str:
    if not (place / "program.c").exists():
        return ""
    if not (place / "program").exists():
        return "refused by the compiler"
    words = [str(place / "program"), str(place / "numbers")]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=30)
    except subprocess.TimeoutExpired:
        return "does not end"
    return done.stdout or (f"ends with {done.returncode}" if done.returncode else "")


def test_each_fault_is_found(tmp_path: Path) -> None:
    """One test, so that everything is compiled once however many processes share the tests."""
    assert len(FAULTS) >= 60
    assert len({fault.file for fault in FAULTS.values()}) >= 25
    said = verdicts(tmp_path)
    assert said.pop("none") == said.pop("none again") == ""
    assert (tmp_path / "none" / "program.c").exists()
    assert not (tmp_path / "none_again" / "program.c").exists()  # nothing stays of a fault
    assert [name for name in FAULTS if not said[name]] == []
