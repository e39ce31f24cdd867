"""Why an operator makes a checkerboard or none, in words."""

from __future__ import annotations

from math import gcd

from derive.composite import Composite
from derive.core.resize_rule import ResizeRule
from derive.core.rules import AdjointRule, AxisRule, ChainRule, ConvolutionRule, TransposedRule
from derive.linear_map import LinearMap
from derive.operator import Operator


def theorem_of(op: LinearMap) -> str:
    """One sentence, or one for each axis where they differ."""
    parts = op.parts if isinstance(op, Composite) else (op,)
    each = []
    for axis in range(len(op.axes)):
        rules = [part.rules[axis] for part in reversed(parts) if isinstance(part, Operator)]
        each.append("; then ".join(map(_words, rules)))
    if len(set(each)) == 1:
        return each[0]
    return "\n".join(f"axis {axis}: {words}" for axis, words in enumerate(each))


def _words(rule: AxisRule) -> str:
    """The theorem for one axis.

    >>> print(_words(TransposedRule(kernel=4, stride=2)))
    uniform exactly when gcd(stride, dilation) = 1 and stride divides kernel: gcd(2, 1) = 1, and 2 \
divides 4
    """
    match rule:
        case TransposedRule() | AdjointRule(ConvolutionRule(up=1)):
            inner = rule.rule if isinstance(rule, AdjointRule) else rule
            assert isinstance(inner, (TransposedRule, ConvolutionRule))
            return _transposed(inner.stride, inner.dilation, inner.kernel)
        case ConvolutionRule(up=1, kernel=kernel) | AdjointRule(TransposedRule(kernel=kernel)):
            if kernel == 1:
                return "between the borders every output reads one input"
            return f"between the borders every output of a convolution reads all {kernel} taps"
        case ConvolutionRule(up=up):
            return f"an output reads the taps that meet one input in {up}: {rule.equation}"
        case ResizeRule():
            return "the weights of a resize add up to 1 for every output"
        case ChainRule(outer, inner):
            return f"{_words(inner)}; then {_words(outer)}"
    return f"the adjoint adds up what its operator spread: {rule.equation}"


def _transposed(stride: int, dilation: int, kernel: int) -> str:
    divides = "divides" if kernel % stride == 0 else "does not divide"
    return (
        "uniform exactly when gcd(stride, dilation) = 1 and stride divides kernel: "
        f"gcd({stride}, {dilation}) = {gcd(stride, dilation)}, and {stride} {divides} {kernel}"
    )
