"""Reading emitted C: comments away, then the few things that a kernel must not hold."""

from __future__ import annotations

import re

COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


def stripped(text: str) -> str:
    """C without its comments, as its compiler sees it."""
    joined = text.replace("\\\n", "")
    return "\n".join(
        line.rstrip() for line in COMMENT.sub(" ", joined).splitlines() if line.strip()
    )


def statements(text: str) -> str:
    """The same without preprocessor lines, OpenMP's included."""
    return "\n".join(
        line for line in stripped(text).splitlines() if not line.lstrip().startswith("#")
    )


def depth_zero(text: str) -> str:
    """What stands outside all braces and parentheses."""
    found, depth = [], 0
    for character in statements(text):
        if character in "{(":
            depth += 1
        elif character in "})":
            depth -= 1
        elif depth == 0:
            found.append(character)
    assert depth == 0
    return "".join(found)


def faults(text: str) -> list[str]:
    """What must not be in a kernel: allocation, division, branches, state."""
    code = statements(text)
    words = set(re.findall(r"[A-Za-z_]\w*", code))
    forbidden = {"malloc", "calloc", "realloc", "free", "alloca", "if", "while", "goto", "switch"}
    found = sorted(words & forbidden)
    if re.search(r"/|%", code):
        found.append("division")
    if code.count("?") != len(re.findall(r"= bias \? bias\[[^\]]*\] : 0;", code)):
        found.append("a condition")
    outside = depth_zero(text)
    if "=" in outside or ";" in re.sub(r"\bvoid\s+\w+\s*", "", outside).replace(" ", ""):
        found.append("a variable outside all functions")
    if re.search(r"^\s+(static|extern|register|volatile)\b", code, re.MULTILINE):
        found.append("a variable that stays")
    return found
