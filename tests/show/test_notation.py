from __future__ import annotations

import pytest
import sympy

import derive
from derive.core.notation import escaped, latex, text
from tests.cases import generator, random_layer

N, S, K, P, O = sympy.symbols("n_in s k p_0 o", integer=True)  # noqa: E741


def test_sizes_come_first_and_numbers_last() -> None:
    sum_ = 1 - K + P + S * (N - 1)
    assert text(sum_) == "s*(n_in - 1) + p_0 - k + 1"
    assert latex(sum_) == r"s \left(n_{\mathrm{in}} - 1\right) + p_{0} - k + 1"


def test_a_floor_holds_one_fraction() -> None:
    assert text(sympy.floor(N / 2 - sympy.Rational(1, 2))) == "floor((n_in - 1)/2)"
    assert latex(sympy.floor(N / 3) ** 2) == (
        r"\left\lfloor \frac{n_{\mathrm{in}}}{3} \right\rfloor^{2}"
    )


def test_relations_are_written_as_they_are_read() -> None:
    assert text(sympy.Eq(N, K, evaluate=False)) == "n_in = k"
    assert text(sympy.Ge(N, K)) == "n_in >= k"
    between = sympy.And(sympy.Le(0, O), sympy.Lt(O, S))
    assert text(between) == "0 <= o < s"
    assert latex(between) == r"0 \leq o < s"
    apart = sympy.And(sympy.Lt(0, O), sympy.Lt(1, S))
    assert sorted(text(apart).split(" and ")) == ["0 < o", "1 < s"]
    assert r" \text{ and } " in latex(apart)


def test_derivation_of_a_convolution_reads_like_this() -> None:
    op = derive.Conv1d(1, 1, 3, stride=2, padding=1, input_size=9)
    assert (
        str(op.size_derivation(0))
        == """\
output size of a convolution
  1. the relation of an axis:
       u*x = s*y + d*t - p_0
  2. the last tap of the last output lies in the padded input:
       s*(n_out - 1) - p_0 + d*(k - 1) <= u*(n_in - 1) + p_1
  3. write e for what is left of the padded input behind the taps of the first output:
       e = u*(n_in - 1) + p_0 + p_1 - d*(k - 1)
  4. the other outputs have to fit in there:
       s*(n_out - 1) <= e
  5. solved, the stride being positive:
       n_out <= e/s + 1
  6. as many outputs as fit, so the largest such integer:
       n_out = floor(e/s) + 1
  7. so in general:
       n_out = floor((u*(n_in - 1) + p_0 + p_1 - d*(k - 1))/s) + 1
  8. the parameters of this axis put in:
       n_out = floor((n_in - 1)/2) + 1
  => n_out = 5"""
    )


def test_a_free_size_has_to_be_large_enough() -> None:
    free = derive.Conv1d(1, 1, 3, padding=1, dilation=2).size_derivation(0)
    assert str(free).endswith("=> n_out = n_in - 2    where n_in + 2 >= 5")
    assert (
        free.latex()
        .splitlines()[-2]
        .endswith(r"= n_{\mathrm{in}} - 2$ where $n_{\mathrm{in}} + 2 \geq 5$")
    )


def test_an_adjoint_knows_which_of_the_sizes_it_has() -> None:
    op = derive.Conv1d(1, 1, 3, stride=2, input_size=6).T
    steps = [str(step) for step in op.size_derivation(0).steps[-2:]]
    assert steps == [
        "the remainder that gives the output its size: o = 1",
        "the parameters of this axis put in: n_out = 2*n_in + 2",
    ]
    free = derive.Conv1d(1, 1, 3, stride=2).T.size_derivation(0)
    assert str(free).endswith("=> n_out = 2*n_in + o + 1    where 0 <= o < 2")


@pytest.mark.parametrize(
    "derivation", [derive.convolution_size(), derive.inverse_size(), derive.transposed_size()]
)
def test_formulas_in_symbols(derivation: derive.Derivation) -> None:
    for step in derivation.steps:
        assert step.reason == escaped(step.reason)
    assert derivation.conditions
    assert derivation.latex().count(r"\item") == len(derivation.steps) + 1
    assert latex(derivation.formula) in derivation._repr_latex_()


def test_sizes_are_those_of_the_documentation_of_torch() -> None:
    convolution, transposed = derive.convolution_size(), derive.transposed_size()
    undilated = convolution.formula.subs(sympy.Symbol("u", integer=True), 1)
    assert text(undilated) == "n_out = floor((n_in + p_0 + p_1 - d*(k - 1) - 1)/s) + 1"
    assert text(transposed.formula) == "n_out = s*(n_in - 1) - p_0 - p_1 + d*(k - 1) + o + 1"


@pytest.mark.parametrize("seed", range(40))
def test_the_relation_holds_for_every_triple(seed: int) -> None:
    op = random_layer(generator(67, seed))
    for each in (op, op.T):
        for rule, axis in zip(each.rules, each.axes, strict=True):
            equation, _, note = rule.equation.partition("  ")
            left, right = equation.split(" = ")
            holds = [
                eval(left, {"x": x, "y": y, "t": t}) == eval(right, {"x": x, "y": y, "t": t})
                for y, t, x, _ in axis.entries()
            ]
            assert all(holds) if not note else "beyond the border" in note


def test_matrices_and_products_are_one_line() -> None:
    half = sympy.Rational(1, 2)
    assert text(sympy.Matrix([[half, 0], [1, 2]])) == "[[1/2, 0], [1, 2]]"
    m, s = sympy.Symbol("m", integer=True), sympy.IndexedBase("s")
    assert text(sympy.Product(s[m], (m, 1, 3))) == "product(s[m]; m = 1..3)"
