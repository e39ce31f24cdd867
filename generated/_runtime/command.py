# Copied by `python -m codegen` from codegen/_runtime; edit it there.
"""$CC as a program and flags: words, never a shell, and only flags that keep the arithmetic."""

from __future__ import annotations

import os
import re
import shlex

from .errors import CompileError

DEFAULT = (("cc",), ("gcc",), ("clang",))
PROGRAM = re.compile(r"[^-@][^\0\n\r]*")
BEHIND = re.compile(r"([\w.+-]*-)?(cc|gcc|clang)(-[\d.]+)?")  # as in "ccache gcc", "zig cc"
FLAG = re.compile(
    r"-D[A-Za-z_]\w*(=[\w.]*)?|-O[0-3s]|-g\d?|-w|-pipe|"
    r"-m(32|64|(arch|tune|cpu|abi)=[\w.+-]+|(no-)?(sse|ssse|avx|fma|bmi|f16c)[\w.-]*)|"
    r"--?target=[\w.-]+|--sysroot=[^\0\n\r@]+|-fsanitize=[a-z,-]+|-fno-omit-frame-pointer"
)


def commands() -> tuple[tuple[str, ...], ...]:
    """The compilers to look for: $CC alone if it is set, else the usual ones.

    CompileError where $CC is no program with flags that are allowed.
    """
    text = os.environ.get("CC", "")
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise CompileError(f"CC = {text!r}: {error}") from None
    if not words:
        return DEFAULT
    program, *rest = words
    if not PROGRAM.fullmatch(program):
        raise CompileError(f"CC = {text!r}: {program!r} is no program; no C compiler")
    flags = rest[1:] if rest and BEHIND.fullmatch(rest[0]) else rest
    for flag in flags:
        if not FLAG.fullmatch(flag):
            raise CompileError(
                f"CC = {text!r}: {flag!r} is not allowed; allowed are a compiler and flags of the "
                "kinds -D, -O, -g, -m, --target, --sysroot, -fsanitize"
            )
    return (tuple(words),)
