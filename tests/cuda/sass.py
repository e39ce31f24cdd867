"""Machine code taken apart: instructions, loops, and what the hot loop of a kernel consists of."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any

import pytest

PACKAGE = "nvidia-cuda-nvdisasm"
BYTES = 16  # of an instruction, since sm_70
TARGET = re.compile(r"0x([0-9a-f]+)$")
MATRIX = ("HMMA", "IMMA", "DMMA", "HGMMA")  # products of matrices, by tensor cores
SUMS = ("FFMA", "DFMA", *MATRIX)  # what a convolution is for


@cache
def disassembler() -> str | None:
    """nvdisasm: of its package, else on PATH."""
    try:
        inside = [each for each in files(PACKAGE) or () if each.stem == "nvdisasm"]
    except PackageNotFoundError:
        inside = []
    found = [str(each.locate()) for each in inside if Path(each.locate()).is_file()]
    return found[0] if found else shutil.which("nvdisasm")


needs_disassembler = pytest.mark.skipif(
    disassembler() is None, reason=f"no nvdisasm: pip install {PACKAGE}"
)


@dataclass(frozen=True, slots=True)
class Instruction:
    """Such as ``@!P0 BRA 0x1a0``; ``words`` are those of the opcode, LDS.U.128 for instance."""

    words: tuple[str, ...]
    operands: str = ""
    predicate: str = ""

    @property
    def kind(self) -> str:
        """The opcode without its variants."""
        return self.words[0]

    @property
    def target(self) -> int | None:
        """The place among the instructions that a branch goes to."""
        match = TARGET.search(self.operands) if self.kind == "BRA" else None
        return int(match[1], 16) // BYTES if match else None


@dataclass(frozen=True)
class Kernel:
    """The instructions of a kernel in their order."""

    name: str
    code: tuple[Instruction, ...]

    @cached_property
    def loops(self) -> tuple[tuple[Instruction, ...], ...]:
        """What each loop repeats itself, without the loops inside it.

        A loop goes from the target of a backward branch up to the last such branch.
        """
        ends: dict[int, int] = {}
        for place, instruction in enumerate(self.code):
            target = instruction.target
            if target is not None and target < place:  # itself: what follows the last EXIT
                ends[target] = max(place, ends.get(target, 0))
        own: dict[int, list[Instruction]] = {first: [] for first in ends}
        for place, instruction in enumerate(self.code):
            around = [first for first, last in ends.items() if first <= place <= last]
            if around:
                own[min(around, key=lambda first: ends[first] - first)].append(instruction)
        return tuple(map(tuple, own.values()))

    @cached_property
    def hot(self) -> tuple[Instruction, ...]:
        """The loop with most sums of its own; empty where there is none with any."""
        best = max(self.loops, key=lambda loop: count(loop, SUMS), default=())
        return best if count(best, SUMS) else ()

    @property
    def mix(self) -> Mapping[str, int]:
        """How often each kind of instruction stands in the hot loop, the most frequent first."""
        return dict(Counter(each.kind for each in self.hot).most_common())

    def share(self, kinds: Iterable[str]) -> float:
        """Of the instructions of the hot loop; 0 where there is no such loop."""
        return count(self.hot, kinds) / len(self.hot) if self.hot else 0.0


def count(code: Iterable[Instruction], kinds: Iterable[str], width: str = "") -> int:
    """How many are of these kinds, and ``width`` bits wide where that is asked."""
    among = set(kinds)
    return sum(each.kind in among and (not width or width in each.words) for each in code)


def kernels(cubin: bytes) -> dict[str, Kernel]:
    """The kernels of a cubin, by name."""
    tool = disassembler()
    assert tool is not None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "kernel.cubin")
        path.write_bytes(cubin)
        words = [tool, "-json", str(path)]
        done = subprocess.run(words, check=True, capture_output=True, text=True)
    _, functions = json.loads(done.stdout)
    return {each["function-name"]: _kernel(each) for each in functions}


def _kernel(function: Mapping[str, Any]) -> Kernel:
    read = (
        Instruction(
            tuple(each["opcode"].split(".")), each.get("operands", ""), each.get("predicate", "")
        )
        for each in function["sass-instructions"]
    )
    return Kernel(function["function-name"], tuple(read))
