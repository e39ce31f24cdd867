"""Size formulas against counting, against each other, and against torch."""

from itertools import product
from typing import Any

import pytest
import sympy

import derive
from derive.core import sizes
from derive.core.rules import ConvolutionRule, TransposedRule
from tests import definition
from tests.cases import generator, random_convolution, random_layer, random_transposed

WINDOWS = list(product(range(1, 6), range(1, 5), range(1, 4)))  # kernel, stride, dilation


@pytest.mark.parametrize(("kernel", "stride", "dilation"), WINDOWS)
def test_a_convolution_has_as_many_outputs_as_fit(kernel: int, stride: int, dilation: int) -> None:
    for n, before, after, up in product(range(1, 10), range(-2, 4), range(-2, 4), (1, 2, 3)):
        rule = ConvolutionRule(
            kernel=kernel, stride=stride, dilation=dilation, before=before, after=after, up=up
        )
        counted = len(definition.of_convolution(rule, n))
        assert max(rule.output_size(n), 0) == counted, (rule, n)


@pytest.mark.parametrize(("kernel", "stride", "dilation"), WINDOWS)
def test_a_transposed_convolution_has_as_many_as_are_written(
    kernel: int, stride: int, dilation: int
) -> None:
    pads = range(-2, 5)
    for n, before, after, extra in product(range(1, 8), pads, pads, range(max(stride, dilation))):
        rule = TransposedRule(
            kernel=kernel,
            stride=stride,
            dilation=dilation,
            before=before,
            after=after,
            output_padding=extra,
        )
        counted = len(definition.of_transposed(rule, n))
        assert max(rule.output_size(n), 0) == counted, (rule, n)


@pytest.mark.parametrize(("kernel", "stride", "dilation"), WINDOWS)
def test_the_transposed_sizes_are_those_that_convolve_back(
    kernel: int, stride: int, dilation: int
) -> None:
    """And output_padding < stride tells them apart, each once."""
    window = {"kernel": kernel, "stride": stride, "dilation": dilation}
    for before, after, m in product(range(4), range(-2, 4), range(1, 7)):
        pads = {"before": before, "after": after}
        least = sizes.transposed(m, **window, **pads, output_padding=0)
        around = range(least - 9, least + 10)
        back = [n for n in around if sizes.convolved(n, **window, **pads) == m]
        chosen = [
            sizes.transposed(m, **window, **pads, output_padding=extra) for extra in range(stride)
        ]
        assert back == chosen


@pytest.mark.parametrize("up", [1, 2, 3])
@pytest.mark.parametrize(("kernel", "stride", "dilation"), WINDOWS[::3])
def test_the_inverse_is_the_set_of_sizes_that_fit(
    kernel: int, stride: int, dilation: int, up: int
) -> None:
    rule = ConvolutionRule(
        kernel=kernel, stride=stride, dilation=dilation, before=2, after=1, up=up
    )
    formula = sizes.inverse_size().formula.subs(rule.values)
    for m in range(1, 7):
        values = [
            formula.rhs.subs({sizes.N_OUT: m, sizes.OUTPUT_PADDING: o}) for o in range(stride)
        ]
        found = sorted(int(value) for value in values if value.is_integer)
        assert found == [n for n in range(-9, 60) if rule.output_size(n) == m]


def true_of(statement: sympy.Basic, values: dict[sympy.Symbol, int]) -> bool:
    result = statement.subs(values)
    assert result in (sympy.true, sympy.false), statement
    return bool(result)


def exchanged(values: dict[sympy.Symbol, int]) -> dict[sympy.Symbol, int]:
    return {**values, sizes.N_IN: values[sizes.N_OUT], sizes.N_OUT: values[sizes.N_IN]}


@pytest.mark.parametrize("seed", range(60))
def test_every_step_is_true_of_a_convolution(seed: int) -> None:
    layer = random_convolution(generator(40, seed), 1)
    assert layer.sizes is not None
    rule, n = layer.rules[0], layer.sizes[0]
    line = definition.padded(definition.spread(n, rule.up), rule.before, rule.after, rule.mode)
    left = len(line) - rule.dilation * (rule.kernel - 1) - 1
    values = {
        **rule.values,
        sizes.N_IN: n,
        sizes.N_OUT: len(definition.of_convolution(rule, n)),
        sympy.Symbol("e", integer=True): left,
        sizes.OUTPUT_PADDING: left % rule.stride,
    }
    for derivation in (sizes.convolution_size(), sizes.inverse_size()):
        for step in derivation.steps[1:]:
            assert true_of(step.statement, values), (layer, step)
        assert true_of(derivation.formula, values)
        assert all(true_of(condition, values) for condition in derivation.conditions)
    assert true_of(sizes.adjoint_size().formula, exchanged(values))


@pytest.mark.parametrize("seed", range(60))
def test_every_step_is_true_of_a_transposed_convolution(seed: int) -> None:
    layer = random_transposed(generator(41, seed), 1)
    assert layer.sizes is not None
    rule, n = layer.rules[0], layer.sizes[0]
    if rule.output_padding >= rule.stride:  # torch allows it below the dilation: the size is
        return  # then one that no convolution maps back, and only the formula holds
    values = {**rule.values, sizes.N_IN: n, sizes.N_OUT: len(definition.of_transposed(rule, n))}
    derivation = sizes.transposed_size()
    *inverted, formula, chosen = derivation.steps
    for step in inverted[1:]:
        assert true_of(step.statement, exchanged(values)), (layer, step)
    for statement in (formula.statement, chosen.statement, derivation.formula):
        assert true_of(statement, values), (layer, statement)
    assert all(true_of(condition, values) for condition in derivation.conditions)


@pytest.mark.parametrize("chunk", range(5))
def test_a_derivation_with_numbers_ends_in_the_size(chunk: int) -> None:
    for case in range(20):
        layer = random_layer(generator(42, chunk, case))
        for op in (layer, layer.T):
            assert op.output_size is not None
            for axis, n_out in enumerate(op.output_size):
                derivation = op.size_derivation(axis)
                assert derivation.formula.rhs == n_out, (op, axis)
                assert derivation.conditions == (), (op, axis)


def test_symbols_stay_where_the_size_is_free() -> None:
    derivation = derive.Conv1d(1, 1, 3, stride=2, padding=1).size_derivation(0)
    assert derivation.formula.free_symbols == {sizes.N_IN, sizes.N_OUT}
    for n in range(1, 30):
        assert derivation.formula.rhs.subs(sizes.N_IN, n) == (n - 1) // 2 + 1


def test_sizes_beyond_64_bits_are_exact() -> None:
    window = {"kernel": 3, "stride": 7, "dilation": 5, "before": 1, "after": 2}
    n = 10**30
    assert sizes.convolved(n, **window) == (n + 3 - 10 - 1) // 7 + 1
    assert sizes.transposed(n, **window, output_padding=6) == (n - 1) * 7 - 3 + 10 + 6 + 1


def test_against_torch_on_sizes_that_no_memory_holds(family: Any) -> None:
    torch = pytest.importorskip("torch")
    for seed in range(300 if family is torch.nn else 40):
        rng = generator(43, seed)
        kernel, stride, dilation = (int(p) for p in rng.integers(1, (40, 30, 20)))
        n, pad = int(rng.integers(1000, 2**31)), int(rng.integers(0, 50))
        words = {"stride": stride, "padding": pad, "dilation": dilation}
        window = {"kernel": kernel, "stride": stride, "dilation": dilation}
        pads = {"before": pad, "after": pad}
        x, like = torch.empty(1, 1, n, device="meta"), {"device": "meta"}
        y = family.Conv1d(1, 1, kernel, **words, **like)(x)
        assert y.shape[2] == sizes.convolved(n, **window, **pads)
        extra = int(rng.integers(max(stride, dilation)))
        layer = family.ConvTranspose1d(1, 1, kernel, output_padding=extra, **words, **like)
        assert layer(x).shape[2] == sizes.transposed(n, **window, **pads, output_padding=extra)
