"""The sizes of core.sizes, and all input sizes that a convolution maps to one output size."""

from __future__ import annotations

import sympy

from derive.core.derivation import Derivation, Step
from derive.core.rules import AxisRule, ConvolutionRule
from derive.core.sizes import (
    N_IN,
    N_OUT,
    OUTPUT_PADDING,
    convolution_size,
    inverse_size,
    transposed_size,
)

from .substitution import agree, equation, put_in, with_numbers

__all__ = ["convolution_size", "input_sizes", "inverse_size", "transposed_size"]

MOST_SIZES = 64  # remainders that are tried one by one


def input_sizes(rule: AxisRule, n: int | None) -> Derivation | None:
    """All n_in that a convolved axis maps to its n_out, and the remainder that names its own.

    None for other axes, and for strides above 64.

    >>> from derive import Conv1d
    >>> print(input_sizes(Conv1d(1, 1, 3, stride=2).rules[0], 8).formula)
    Contains(n_in, {7, 8})
    """
    if not isinstance(rule, ConvolutionRule) or n is None or rule.stride > MOST_SIZES:
        return None
    general = inverse_size()
    values = {**rule.values, N_OUT: rule.output_size(n)}
    each = {o: general.formula.rhs.subs({**values, OUTPUT_PADDING: o}) for o in range(rule.stride)}
    whole = {o: int(size) for o, size in each.items() if size.is_integer}
    for size in whole.values():
        agree("the size of an output", rule.output_size(size), values[N_OUT])
    for beyond in (min(whole.values()) - 1, max(whole.values()) + 1):
        agree("other sizes with it", rule.output_size(beyond) == values[N_OUT], False)
    (remainder,) = (o for o, size in whole.items() if size == n)
    known = {**values, OUTPUT_PADDING: remainder}
    steps = (
        Step(put_in(general.formula, values), "the parameters and the output size put in"),
        Step(equation(OUTPUT_PADDING, remainder), "the remainder that names the size at hand"),
    )
    sizes = sympy.FiniteSet(*whole.values())
    return with_numbers(general, known, sympy.Contains(N_IN, sizes, evaluate=False), *steps)
