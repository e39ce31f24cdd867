"""Names that become identifiers and file names: which ones a language or a system keeps."""

from __future__ import annotations

import keyword
import re

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_C = """auto break case char const continue default do double else enum extern float for goto if
inline int long register restrict return short signed sizeof static struct switch typedef union
unsigned void volatile while asm typeof"""
_CXX = """alignas alignof and and_eq bitand bitor bool catch char8_t char16_t char32_t class compl
concept consteval constexpr constinit const_cast co_await co_return co_yield decltype delete
dynamic_cast explicit export false friend mutable namespace new noexcept not not_eq nullptr operator
or or_eq private protected public reinterpret_cast requires static_assert static_cast template this
thread_local throw true try typeid typename using virtual wchar_t xor xor_eq"""
_FILES = ["con", "prn", "aux", "nul", *(f"{port}{i}" for port in ("com", "lpt") for i in range(10))]
RESERVED = frozenset([*_C.split(), *_CXX.split(), *_FILES, *keyword.kwlist, *keyword.softkwlist])


def is_identifier(name: object) -> bool:
    """Whether C, C++ and Python take it as a name of ours, and every system as that of a file.

    >>> is_identifier("conv2d_k3"), is_identifier("class"), is_identifier("COM1")
    (True, False, False)
    """
    if not isinstance(name, str) or not IDENTIFIER.fullmatch(name):
        return False
    return name not in RESERVED and name.lower() not in _FILES and not name.startswith("__")
