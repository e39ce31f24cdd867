"""The size formula solved for its other unknowns: total padding, and the remainder.

For one kernel, stride and dilation, n positions become m along an axis exactly for those paddings
and remainders that the derivation of ``inverse_size`` joins; both directions read one equation.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import sympy

from . import sizes


@cache
def _solved(unknown: sympy.Symbol) -> Callable[..., int]:
    """The unknown as a function of (larger side, smaller side, k, s, d, the other unknown).

    ``BEFORE`` stands for both paddings together; the equation is linear in it and in the
    remainder, with coefficients 1, so the solutions are polynomials with integer coefficients.
    """
    equation = sizes.inverse_size().formula.subs({sizes.UP: 1, sizes.AFTER: 0})
    (solution,) = sympy.solve(equation, unknown)
    (other,) = {sizes.BEFORE, sizes.OUTPUT_PADDING} - {unknown}
    arguments = (sizes.N_IN, sizes.N_OUT, sizes.KERNEL, sizes.STRIDE, sizes.DILATION, other)
    printed: Callable[..., int] = sympy.lambdify(arguments, sympy.expand(solution), modules=[])
    return printed


def total_padding(
    n: int, m: int, *, kernel: int, stride: int, dilation: int, remainder: int = 0
) -> int:
    """Padding of both sides together with which a convolution maps n to m; may be negative.

    ``remainder`` are the positions left over behind the last window. Exchange n and m for a
    transposed convolution, whose ``output_padding`` is that remainder.

    >>> total_padding(28, 14, kernel=3, stride=2, dilation=1, remainder=1)
    2
    """
    return _solved(sizes.BEFORE)(n, m, kernel, stride, dilation, remainder)


def remainder_of(n: int, m: int, *, kernel: int, stride: int, dilation: int, total: int) -> int:
    """The remainder with which a convolution that pads by ``total`` maps n to m.

    Only 0 <= remainder < stride is a convolution; a transposed one, m to n, may have more.

    >>> remainder_of(28, 14, kernel=3, stride=2, dilation=1, total=2)
    1
    """
    return _solved(sizes.OUTPUT_PADDING)(n, m, kernel, stride, dilation, total)
