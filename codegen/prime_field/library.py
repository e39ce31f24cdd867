"""Emitted texts -> functions of residues: the same letters, compiled as C++ behind ``zp.h``."""

from __future__ import annotations

import ctypes
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from codegen._runtime import CompileError, c_functions
from codegen.few_channels import KEPT, is_large
from codegen.targets.c import CText
from derive import Operator

FIELD = Path(__file__).with_name("zp.h")
FLAGS = ("-std=c++17", "-O0", "-w", "-fPIC", "-shared")  # unoptimised: compiling is what takes time
COMPILERS = ("c++", "g++", "clang++")
DTYPE = "int64"  # residues are as wide
# loops over channels, but for those of the bias gradient, which sums positions only
CHANNELS = re.compile(r"for \(ptrdiff_t ([gio]) = 0; \1 < (\d+); \1\+\+\)(?! \{)")
Functions = Mapping[str, Callable[..., None]]


@cache
def cxx_compiler() -> tuple[str, ...]:
    """$CXX, else c++, g++ or clang++ from the path; CompileError where there is none."""
    wanted = shlex.split(os.environ.get("CXX", ""))
    for name, *words in [wanted] if wanted else [[name] for name in COMPILERS]:
        path = shutil.which(name)
        if path is not None:
            return (path, *words)
    raise CompileError(
        f"no C++ compiler: looked for {wanted[0] if wanted else ', '.join(COMPILERS)} on the path. "
        "Install one or set CXX; the identity test needs it, kernels do not"
    )


def residue_functions(kernels: Sequence[tuple[str, Operator, CText]]) -> list[Functions]:
    """The raw functions of each (name, operator, text), on arrays of uint64 residues.

    Names must differ. A compiler starts once for all texts of a processor.
    """
    workers = min(os.cpu_count() or 1, len(kernels))
    shares = [kernels[i::workers] for i in range(workers)]
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(workers or 1) as pool:
        made = pool.map(lambda i: _compiled(Path(folder, str(i)), shares[i]), range(workers))
        found = {name: f for share in made for name, f in share.items()}
    return [found[name] for name, _, _ in kernels]


def takes_few_turns(op: Operator, text: CText) -> bool:
    """Whether the loops over channels are cut short; lanes of channels cannot be."""
    return text.portable and is_large(op)


def few_turns(text: str) -> str:
    """A portable text whose loops over channels take their first two turns and their last.

    >>> few_turns("for (ptrdiff_t o = 0; o < 64; o++)")
    'for (ptrdiff_t o = 0; o < 64; o += o == 1 ? 62 : 1)'
    """

    def cut(loop: re.Match[str]) -> str:
        variable, count = loop[1], int(loop[2])
        if count <= KEPT:
            return loop[0]
        return loop[0].replace(f"{variable}++", f"{variable} += {variable} == 1 ? {count - 2} : 1")

    return CHANNELS.sub(cut, text)


def _compiled(folder: Path, kernels: Sequence[tuple[str, Operator, CText]]) -> dict[str, Functions]:
    """The functions of one library; once loaded it needs its file no more."""
    folder.mkdir()
    for _, op, text in kernels:
        shown = few_turns if takes_few_turns(op, text) else str
        for file, content in text.files.items():
            (folder / file).write_text(shown(content))
    (folder / FIELD.name).write_text(FIELD.read_text())
    source, library = folder / "kernels.cpp", folder / "kernels.so"
    lines = (f'extern "C" {{\n#include "{name}.c"\n}}\n' for name, _, _ in kernels)
    source.write_text(f'#include "{FIELD.name}"\n{"".join(lines)}')
    command = [*cxx_compiler(), *FLAGS, str(source), "-o", str(library)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CompileError(f"{command[0]} refused a text over Z_p:\n{done.stderr}")
    ctypes.CDLL(str(library))
    return {name: _loaded(name, text, library) for name, _, text in kernels}


def _loaded(name: str, text: CText, library: Path) -> Functions:
    return c_functions(name, text.files, lambda job: library, takes=text.takes)(DTYPE)
