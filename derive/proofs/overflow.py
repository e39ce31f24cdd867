"""Claims about machine integers: no value on the way to a size overflows."""

from __future__ import annotations

import sympy

from derive.core.sizes import AFTER, BEFORE, DILATION, KERNEL, N_IN, STRIDE

from .claim import Claim
from .sizes import PLAIN, POSITIVE_STRIDE


def overflow_claims() -> tuple[Claim, ...]:
    """For parameters below 2**15 in 32 bits, below 2**31 in 64."""
    return overflow_claim(32, 15), overflow_claim(64, 31)


def intermediates(term: sympy.Expr) -> list[sympy.Expr]:
    """Every value that a program computes on the way to the term, sums from left to right.

    >>> n, k = sympy.symbols("n k", integer=True)
    >>> intermediates(sympy.floor(n / k))
    [n, k, floor(n/k)]
    """
    if isinstance(term, sympy.floor):
        inner = sympy.fraction(sympy.together(term.args[0]))
        return [*(v for part in inner for v in intermediates(part)), term]
    if term.is_Atom:
        return [] if term.is_Integer else [term]
    found = [v for arg in term.args for v in intermediates(arg)]
    partial = [term.func(*term.args[:i]) for i in range(2, len(term.args) + 1)]
    return [*found, *partial]


def overflow_claim(bits: int, power: int | None) -> Claim:
    """No intermediate result of the size leaves the machine's integers, parameters < 2**power."""
    parameters = [N_IN, KERNEL, STRIDE, DILATION, BEFORE, AFTER]
    most = 2 ** (bits - 1)
    ranges = tuple(
        (
            f"{p} is below 2**{power}",
            sympy.And(sympy.Le(int(p == STRIDE), p), sympy.Lt(p, 2**power)),
        )
        for p in parameters
        if power is not None
    )
    return Claim(
        name=f"the size fits in int{bits}" + (", unbounded" if power is None else ""),
        sentence=f"No sum, product or quotient on the way to the size overflows {bits} bits"
        + (f", with parameters below 2**{power}." if power is not None else "."),
        hypotheses=ranges or (POSITIVE_STRIDE,),
        conclusion=sympy.And(
            *(sympy.And(sympy.Le(-most, v), sympy.Lt(v, most)) for v in intermediates(PLAIN))
        ),
        true=power is not None,
    )
