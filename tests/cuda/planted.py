"""Faults planted in the texts that we emit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from codegen._runtime.cuda.program import Function, Program, Step

HOST = "#if defined(__CUDACC__) && !defined(__CUDACC_RTC__)"  # from there on C++ for the host


@dataclass(frozen=True)
class Planted:
    """Each of the first matches of ``pattern`` becomes ``new``, one at a time."""

    name: str
    pattern: str
    new: str = ""
    most: int = 99

    def into(self, program: Program, begin: int = 0) -> Iterator[Program]:
        """Programs with a fault behind ``begin`` in the text."""
        matches = re.compile(self.pattern).finditer(
            program.source, begin, program.source.index(HOST)
        )
        for match in islice(matches, self.most):
            wrong = match.expand(self.new)
            source = program.source[: match.start()] + wrong + program.source[match.end() :]
            yield replace(program, source=source)


def renamed(program: Program, name: str) -> Program:
    """The same with other names, so that it can stand beside the first one in a library."""
    old = re.compile(rf"\b{program.name}_")

    def step(one: Step) -> Step:
        return replace(one, kernel=old.sub(f"{name}_", one.kernel))

    functions = {
        direction: Function(
            tuple(map(step, each.steps)), tuple(map(step, each.prepare)), each.rooms
        )
        for direction, each in program.functions.items()
    }
    source = old.sub(f"{name}_", program.source)
    return replace(program, name=name, source=source, functions=functions)
