"""Derivations: in symbols, with an operator's numbers, and as a document."""

from __future__ import annotations

import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import pytest
import sympy

import derive
from derive import derivations
from derive.core.axis import Axis
from derive.core.derivation import Derivation
from derive.core.notation import text
from derive.core.resize import TORCH_CUBIC, triangle
from derive.derivations import concrete
from derive.derivations.padding import ceil_size
from derive.derivations.resizing import DISTANCE
from derive.derivations.stacks import receptive_field_of
from derive.derivations.substitution import gcd
from derive.linear_map import LinearMap
from tests.cases import generator, random_layer

CONV = derive.Conv1d(2, 2, 3, stride=2, padding=1, dilation=2, input_size=11)
UP = derive.ConvTranspose1d(1, 1, 5, stride=3, padding=1, output_padding=1, input_size=6)
FUSED = derive.Conv1d(1, 1, 3, padding=1, input_size=24) @ derive.Interpolate(1, 8, scale_factor=3)
STACK = derive.Conv1d(1, 1, 3, input_size=15) @ derive.Conv1d(
    1, 1, 5, stride=2, dilation=2, padding=3, input_size=32
)
CUBIC = derive.Interpolate(1, (6, 9), size=(12, 6), mode="bicubic")
OPERATORS = [CONV, CONV.T, UP, UP.T, FUSED, STACK, CUBIC, derive.Conv2d(1, 1, 3, padding="same")]


def titles(op: LinearMap) -> set[str]:
    return {derivation.title for derivation in derivations.of(op)}


def test_every_named_derivation_is_general() -> None:
    names = {"general", "of", "input_sizes"}
    made = {getattr(derivations, name)() for name in derivations.__all__ if name not in names}
    assert made == set(derivations.general())
    assert len({derivation.title for derivation in made}) == len(concrete.GENERAL) == 24


@pytest.mark.parametrize("derivation", derivations.general(), ids=lambda d: d.title)
def test_steps_are_statements_with_a_reason(derivation: Derivation) -> None:
    assert derivation.steps
    for step in derivation.steps:
        assert isinstance(step.statement, (sympy.Rel, sympy.logic.boolalg.Boolean))
        assert step.statement not in (sympy.true, sympy.false), step.reason
        assert len(step.reason.split()) >= 2
        assert not set(step.reason) & set("_&%$#{}~^")  # what LaTeX's text mode would trip on
    assert derivation.formula not in (sympy.true, sympy.false)


def test_which_derivations_apply() -> None:
    layer = {"the layer as a derivative", "input gradient", "weight gradient", "bias gradient"}
    assert titles(CONV) == layer | {
        "output size of a convolution",
        "input sizes of a convolution",
        "output size with ceil mode",
        "phase decomposition",
        "multiply-adds of an axis",
    }
    assert titles(UP) - layer == {
        "output size of a transposed convolution",
        "transposed convolution as a convolution",
        "phase decomposition",
        "taps per phase",
        "overlap theorem",
    }
    assert titles(FUSED) - layer == {
        "output size of a chain",
        "nearest resize, then a convolution",
    }
    assert "receptive field of a stack" in titles(STACK)
    assert titles(CUBIC) == {"output size of a resize", "cubic resize"}
    with pytest.raises(derive.GeometryError, match="op = 3"):
        derivations.of(3)  # type: ignore[arg-type]


@pytest.mark.parametrize("chunk", range(4))
def test_random_layers_agree_with_their_derivations(chunk: int) -> None:
    """``of`` compares every number with the exact axes, or raises."""
    for case in range(4):
        layer = random_layer(generator(70, chunk, case))
        for op in (layer, layer.T):
            sizes = [d.formula for d in derivations.of(op) if d.title.startswith("output size")]
            assert op.output_size is not None
            assert {int(f.rhs) for f in sizes if "ceil" not in str(f)} >= set(op.output_size)


def test_a_wrong_axis_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Axis.of

    def shifted(relation: object, **sizes: int) -> Axis:
        axis = honest(relation, **sizes)  # type: ignore[arg-type]
        return Axis(axis.n_in, axis.n_out, axis.n_tap, axis.step, axis.advance, axis.strands[1:])

    monkeypatch.setattr(Axis, "of", shifted)
    for op in (CONV.at(13), UP.at(7)):
        with pytest.raises(AssertionError, match="derived is"):
            derivations.of(op)


def test_solved_weights_are_the_kernels_of_the_resizes() -> None:
    for derivation, kernel in (
        (derivations.linear_weights(), triangle),
        (derivations.cubic_weights(), TORCH_CUBIC),
    ):
        for i in range(30):
            value = derivation.formula.rhs.subs(DISTANCE, sympy.Rational(i, 12))
            assert Fraction(int(value.p), int(value.q)) == kernel(Fraction(i, 12))


def test_the_gcd_of_symbols_waits_for_numbers() -> None:
    s, d = sympy.symbols("s d", integer=True)
    assert gcd(s, d).subs({s: 6, d: 4}) == 2
    assert text(gcd(s, d)) == "gcd(s, d)"


def test_ceil_mode_is_torchs() -> None:
    torch = pytest.importorskip("torch")
    letters = sympy.symbols("n_in k s d p_0 p_1", integer=True)
    compared = 0
    for n in range(1, 12):
        for k, s, d in ((2, 2, 1), (3, 2, 1), (3, 3, 2), (2, 4, 3), (4, 3, 1)):
            for p in range(k // 2 + 1):
                if n + 2 * p < d * (k - 1) + 1:
                    continue
                pool = torch.nn.MaxPool1d(k, s, p, d, ceil_mode=True)
                expected = pool(torch.zeros(1, 1, n)).shape[2]
                assert ceil_size(dict(zip(letters, (n, k, s, d, p, p), strict=True))) == expected
                compared += 1
    assert compared > 60


def test_the_receptive_field_of_a_stack() -> None:
    reads = STACK.axes[0].row(6)
    field = reads[-1][0] - reads[0][0] + 1
    derived = next(d for d in derivations.of(STACK) if d.title == "receptive field of a stack")
    assert derived.formula.rhs == field == 13
    assert receptive_field_of([CONV.rules[0]], 11) is None


def test_statements_of_every_kind_are_written() -> None:
    a, b = sympy.symbols("a b", integer=True)
    either = sympy.Or(sympy.Eq(sympy.Mod(a, 2), 0), b > 1)
    assert text(sympy.Not(either, evaluate=False)).startswith("not (")
    assert text(sympy.Implies(a > 1, either)).startswith("if a > 1, then (")
    assert text(sympy.Equivalent(a > 1, b > 1)) == "a > 1 exactly when b > 1"
    assert text(sympy.Piecewise((a, b > 1), (b, True))) == "(a if b > 1; b otherwise)"


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex (texlive-latex-base)")
def test_all_compile_in_one_document(tmp_path: Path) -> None:
    every = [*derivations.general(), *(d for op in OPERATORS for d in derivations.of(op))]
    blocks = "\n".join(derivation.latex() for derivation in every)
    head = "\\documentclass{article}\\usepackage{amsmath}\\allowdisplaybreaks\\begin{document}\n"
    (tmp_path / "all.tex").write_text(f"{head}{blocks}\n\\end{{document}}\n", encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "undefined" not in done.stdout
