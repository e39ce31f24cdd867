"""A kernel's text -> its syntax tree, read by pycparser.

Comments and preprocessor lines go; those that could change the meaning of what follows are refused,
but for the macros that declare vectors, which become plain types of a known width, and the one that
keeps a vector in a register, which is nothing to us.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pycparser import c_ast
from pycparser.c_parser import CParser

from .memory import UnprovenError

PRELUDE = "typedef long ptrdiff_t; typedef unsigned long uintptr_t; typedef float SCALAR; "
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
HARMLESS = re.compile(
    r'# *(include "\w+\.h"|pragma omp .*|ifndef (VECTOR|KEEP)|endif|define (LOOSE_)?VECTOR\(.*'
    r"|if defined\(__x86_64__\) && !defined\(__clang__\)|else"
    r'|define KEEP\(vector\)( __asm__\("" : "\+v"\(vector\)\))?)'
)
KEEP = re.compile(r"\bKEEP\(\w+\);")  # which changes nothing
VECTOR = re.compile(r"^(LOOSE_)?VECTOR\((\w+), (\d+)\);", re.M)


@dataclass(frozen=True, slots=True)
class Tree:
    """The functions of a text by name, and the width of its vector types."""

    functions: dict[str, Any]
    widths: dict[str, int]
    loose: frozenset[str]  # vectors that may begin at any number


def read(text: str) -> Tree:
    """UnprovenError where the text is not of the C that kernels are written in."""
    text = COMMENT.sub(lambda found: "\n" * found.group().count("\n"), text)
    text = "\n".join(_plain_lines(text))
    text = KEEP.sub("", text)
    declared = list(VECTOR.finditer(text))
    text = VECTOR.sub(lambda found: f"typedef float {found[2]};", text)
    try:
        parsed = CParser().parse(PRELUDE + text)
    except Exception as error:  # ParseError, of a module that has moved between versions
        raise UnprovenError(f"the text is not C that can be read: {error}") from None
    functions: dict[str, Any] = {}
    for node in parsed.ext:
        if isinstance(node, c_ast.FuncDef):
            functions[node.decl.name] = node
        elif not isinstance(node, c_ast.Typedef):
            raise UnprovenError(f"line {node.coord.line}: neither a function nor a type")
    return Tree(
        functions,
        {found[2]: int(found[3]) for found in declared},
        frozenset(found[2] for found in declared if found[1]),
    )


def _plain_lines(text: str) -> Iterator[str]:
    """The lines, empty where the preprocessor's were."""
    continued = False
    for line in text.split("\n"):
        words = line.strip()
        if words.startswith("#") and not HARMLESS.fullmatch(words):
            raise UnprovenError(f"the preprocessor line {words!r} is not followed")
        hidden = continued or words.startswith("#")
        continued = hidden and words.endswith("\\")
        yield "" if hidden else line
