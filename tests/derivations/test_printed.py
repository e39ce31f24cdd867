"""One formula as Python, C and LaTeX: the same numbers at 10,000 points, below zero too."""

from __future__ import annotations

import ctypes
import importlib.util
import re
import shutil
import subprocess
from collections.abc import Callable
from fractions import Fraction
from math import floor
from pathlib import Path

import pytest
import sympy

from derive.core import printed
from derive.core.notation import latex
from derive.core.sizes import N_IN, UP, convolution_size, resized_size, transposed_size
from derive.derivations import same_padding_tensorflow
from tests.cases import generator

CC = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
FORMULAS = {
    "convolution": convolution_size().formula,
    "transposed": transposed_size().formula,
    "tensorflow": same_padding_tensorflow().formula,
    "resized": resized_size(Fraction(7, 3), None).formula,
    "halved": sympy.Eq(sympy.Symbol("n_out"), sympy.floor(N_IN / 2 - sympy.Rational(1, 2)) + 1),
}
POINTS = 2000  # of each formula


def names(formula: sympy.Eq) -> list[str]:
    return re.findall(r"int64_t (\w+)", printed.c(formula))[1:]


def points(formula: sympy.Eq, seed: int) -> list[list[int]]:
    """Values of the symbols, sizes and pads of both signs, divisors positive."""
    rng = generator(71, seed)
    low = [1 if name in ("s", "u") else -60 for name in names(formula)]
    return [[int(rng.integers(least, 60)) for least in low] for _ in range(POINTS)]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Callable[..., int]]:
    path = tmp_path_factory.mktemp("printed") / "formulas.py"
    texts = (
        printed.python(f).replace(f"def {f.lhs}", f"def {name}") for name, f in FORMULAS.items()
    )
    path.write_text("\n\n\n".join(texts), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("formulas", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {name: getattr(module, name) for name in FORMULAS}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    if CC is None:
        pytest.skip("needs a C compiler")
    folder: Path = tmp_path_factory.mktemp("printed_c")
    texts = [printed.c(f).replace(f" {f.lhs}(", f" {name}(") for name, f in FORMULAS.items()]
    source = "\n".join(["#include <stdint.h>", printed.FLOOR_DIV, *texts])
    (folder / "formulas.c").write_text(source + "\n", encoding="utf-8")
    flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC"]
    subprocess.run([CC, *flags, "-o", "formulas.so", "formulas.c"], cwd=folder, check=True)
    return ctypes.CDLL(str(folder / "formulas.so"))


class Reader:
    """Reads the LaTeX of a term with numbers for its symbols, exactly.

    It knows sums, products side by side, fractions, floors, max and mod.
    """

    def __init__(self, tex: str, values: dict[str, int]) -> None:
        tex = re.sub(r"\\left|\\right|\\mathrm", "", tex)
        self.tokens = re.findall(r"\\[a-zA-Z]+|[a-zA-Z]_\{\{?\w+\}?\}|\d+|[a-zA-Z]|[^\s\w]", tex)
        self.values, self.at = values, 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, expected: str | None = None) -> str:
        token = self.peek()
        assert expected in (None, token), (expected, token, self.tokens)
        self.at += 1
        return token

    def sum(self) -> Fraction:
        negative = self.peek() == "-" and self.take() == "-"
        result = -self.product() if negative else self.product()
        while self.peek() in ("+", "-"):
            sign = 1 if self.take() == "+" else -1
            result += sign * self.product()
        return result

    def product(self) -> Fraction:
        result = self.factor()
        while self.peek() not in ("", "+", "-", ")", "}", ",", r"\rfloor"):
            if self.peek() == r"\bmod":
                self.take()
                result %= self.factor()
            else:
                result *= self.factor()
        return result

    def bracketed(self, opening: str, closing: str) -> Fraction:
        self.take(opening)
        inside = self.sum()
        self.take(closing)
        return inside

    def factor(self) -> Fraction:
        token = self.peek()
        if token == r"\lfloor":
            return Fraction(floor(self.bracketed(token, r"\rfloor")))
        if token == "(":
            return self.bracketed("(", ")")
        self.take()
        if token == r"\frac":
            return self.bracketed("{", "}") / self.bracketed("{", "}")
        if token == r"\max":
            self.take("(")
            left = self.sum()
            right = self.bracketed(",", ")")
            return max(left, right)
        word = re.sub(r"[{}]", "", token)
        return Fraction(int(word)) if word.isdigit() else Fraction(self.values[word])


@pytest.mark.parametrize("name", FORMULAS)
def test_python_c_and_latex_agree(
    name: str, python: dict[str, Callable[..., int]], library: ctypes.CDLL
) -> None:
    formula = FORMULAS[name]
    letters, tex = names(formula), latex(formula).split("=", 1)[1]
    function = getattr(library, name)
    function.restype = ctypes.c_int64
    function.argtypes = [ctypes.c_int64] * len(letters)
    below = 0
    for point in points(formula, sorted(FORMULAS).index(name)):
        value = python[name](*point)
        assert type(value) is int
        assert function(*point) == value, (name, point)
        reader = Reader(tex, dict(zip(letters, point, strict=True)))
        assert (reader.sum(), reader.peek()) == (value, ""), (name, point)
        below += value < 0
    assert below > POINTS // 20 or name == "tensorflow"


def test_c_rounds_down_where_its_division_truncates(library: ctypes.CDLL) -> None:
    """Kernel 5, input 4, stride 2: no output, where truncation gave 1."""
    values = dict.fromkeys(names(FORMULAS["convolution"]), 0)
    values |= {"n_in": 4, "k": 5, "s": 2, "d": 1, "u": 1}
    library.convolution.restype = ctypes.c_int64
    library.convolution.argtypes = [ctypes.c_int64] * len(values)
    assert library.convolution(*values.values()) == 0


def test_a_division_that_does_not_round_is_refused() -> None:
    a, b = sympy.symbols("a b", integer=True)
    for text in (printed.python, printed.c):
        with pytest.raises(ValueError, match=r"allowed are divisions inside floor"):
            text(sympy.Eq(a, b / 2))
    large = printed.c(sympy.Eq(a, b + 2**40))
    assert "INT64_C(1099511627776)" in large
    assert UP in convolution_size().formula.free_symbols
