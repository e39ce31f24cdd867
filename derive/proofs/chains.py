"""Claims about layers one after the other."""

from __future__ import annotations

import sympy

from derive.core.sizes import AFTER, BEFORE, DILATION, KERNEL, N_IN, N_OUT, STRIDE, T, Y
from derive.derivations import nearest_then_convolution, nearest_weights, receptive_field
from derive.derivations.resizing import SCALE
from derive.derivations.stacks import FACTOR, KS, WIDE, WIDE_TAP, D, S

from .claim import Claim
from .sizes import PLAIN


def chain_claims() -> tuple[Claim, ...]:
    """What is true of stacks, and of nearest resizes before a convolution."""
    steps = nearest_then_convolution().steps
    copied, tap = steps[0].statement, steps[3].statement.rhs
    place = sympy.solve(steps[2].statement, WIDE_TAP)[0]
    rest = sympy.Symbol("j", integer=True)
    (remainder,) = sympy.solve(sympy.Eq(place, tap), rest)
    inside = sympy.And(sympy.Le(0, remainder), sympy.Lt(remainder, FACTOR))
    positive = ("the factor is positive", sympy.Ge(FACTOR, 1))
    pick = nearest_weights().formula.rhs.subs(SCALE, N_IN / N_OUT)
    wide = nearest_then_convolution().conditions[0].subs(WIDE, steps[5].statement.rhs)
    in_kernel = sympy.And(sympy.Le(0, T), sympy.Lt(T, KERNEL))
    return (
        composed_claim(true=True),
        Claim(
            name="nearest then convolution is transposed",
            sentence="A tap reads the copy of x exactly when its remainder is below the factor.",
            hypotheses=(positive,),
            conclusion=sympy.Equivalent(copied, inside),
        ),
        Claim(
            name="with k + f - 1 taps",
            sentence="The taps of that transposed convolution run from 0 to k + f - 2.",
            hypotheses=(
                ("the tap is one of k", in_kernel),
                ("the remainder is below the factor", inside),
            ),
            conclusion=wide.subs(WIDE_TAP, place),
        ),
        Claim(
            name="nearest picks an input",
            sentence="The input that an output copies is there.",
            hypotheses=(
                ("the output is one of n_out", sympy.And(sympy.Le(0, Y), sympy.Lt(Y, N_OUT))),
                ("there is an input", sympy.Ge(N_IN, 1)),
            ),
            conclusion=sympy.And(sympy.Le(0, pick), sympy.Lt(pick, N_IN)),
        ),
    )


def composed_claim(*, true: bool) -> Claim:
    """Two sizes one after the other are one; the false one forgets the first stride."""
    layers = [
        dict(
            zip(
                (KERNEL, STRIDE, DILATION),
                sympy.symbols(f"k_{i} s_{i} d_{i}", integer=True),
                strict=True,
            )
        )
        for i in (1, 2)
    ]
    none = {BEFORE: 0, AFTER: 0}
    first, second = (PLAIN.subs({**none, **layer}) for layer in layers)
    names = {
        letters[i]: layers[i - 1][own]
        for letters, own in ((S, STRIDE), (D, DILATION), (KS, KERNEL))
        for i in (1, 2)
    }
    jumps = receptive_field().steps[3].statement
    term = receptive_field().formula.rhs.atoms(sympy.Sum).pop().function
    letter = jumps.lhs.indices[0]
    field = 1 + sum(
        term.subs(letter, i).subs(
            jumps.lhs.subs(letter, i), jumps.rhs.subs(letter, i).doit() if true else 1
        )
        for i in (1, 2)
    )
    whole = {
        **none,
        DILATION: 1,
        KERNEL: field.subs(names),
        STRIDE: layers[0][STRIDE] * layers[1][STRIDE],
    }
    return Claim(
        name="a stack has the size of its field" if true else "fields add up",
        sentence="Two convolutions have the size of one with their receptive field and strides."
        if true
        else "Two convolutions have the size of one with kernel k_1 + k_2 - 1.",
        hypotheses=tuple(
            (f"stride {i} is positive", sympy.Ge(layer[STRIDE], 1))
            for i, layer in enumerate(layers, 1)
        ),
        conclusion=sympy.Eq(second.subs(N_IN, first), PLAIN.subs(whole)),
        true=true,
    )
