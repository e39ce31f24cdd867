"""Claims about what is read: adjoint, phases, overlap, indices, resizes and counts."""

from __future__ import annotations

from itertools import product
from math import gcd

import sympy

from derive.core.sizes import (
    AFTER,
    BEFORE,
    DILATION,
    KERNEL,
    N_OUT,
    STRIDE,
    UP,
    T,
    X,
    Y,
    transposed_size,
)
from derive.derivations import (
    adjoint_identity,
    multiply_adds,
    overlap_theorem,
    phase_decomposition,
    taps_per_phase,
)
from derive.derivations.adjoint import FLIPPED, PAD_AFTER, PAD_BEFORE
from derive.derivations.counts import FIRST, LAST
from derive.derivations.overlap import phase_values
from derive.derivations.phases import ADVANCE, PHASE, QUOTIENT, STEP, G

from .claim import Claim
from .sizes import POSITIVE_STRIDE, SIZE

GRID = tuple(product(range(1, 5), range(1, 5)))  # strides and dilations of the fixed claims
_OTHER = {i: sympy.Symbol(f"{i}'", integer=True) for i in (QUOTIENT, X, PHASE)}


def relation_claims() -> tuple[Claim, ...]:
    """What is true of relations, phases and indices.

    >>> len(relation_claims())
    9
    """
    return *_adjoint_claims(), *_phase_claims(), _count_claim()


def _adjoint_claims() -> tuple[Claim, ...]:
    steps = adjoint_identity().steps
    pads = {pad.lhs: pad.rhs for pad in adjoint_identity().formula.args}
    exchanged, inserted = steps[1].statement, steps[3].statement.subs(pads)
    flipped = inserted.subs(FLIPPED, KERNEL - 1 - T)
    size = SIZE.subs(
        {UP: STRIDE, STRIDE: 1, BEFORE: PAD_BEFORE, AFTER: PAD_AFTER}, simultaneous=True
    )
    return (
        Claim(
            name="the adjoint is a convolution",
            sentence="Zeros between inputs, flipped kernel and complementary padding read alike.",
            hypotheses=(),
            conclusion=sympy.Equivalent(exchanged, flipped),
        ),
        Claim(
            name="of the same size",
            sentence="That convolution has the size of the transposed one.",
            hypotheses=(
                ("the padding is complementary", sympy.And(*adjoint_identity().formula.args)),
            ),
            conclusion=sympy.Eq(size, transposed_size().formula.rhs),
        ),
    )


def _phase_claims() -> tuple[Claim, ...]:
    split = phase_decomposition().steps[2].statement.rhs
    read = phase_decomposition().steps[3].statement
    names = phase_decomposition().steps[1].statement.args
    inside = phase_decomposition().conditions[0]
    other = split.subs({QUOTIENT: _OTHER[QUOTIENT], PHASE: _OTHER[PHASE]}, simultaneous=True)
    second = read.subs({QUOTIENT: _OTHER[QUOTIENT], X: _OTHER[X]}, simultaneous=True)
    reached = taps_per_phase().steps[2].statement
    return (
        Claim(
            name="offsets are constant",
            sentence="What a tap of a phase reads moves by S with every q.",
            hypotheses=(
                ("u is P*g and s is S*g", sympy.And(*names)),
                ("u is positive", sympy.Ge(UP, 1)),
                ("one output reads x", read),
                ("another one of the phase reads x'", second),
            ),
            conclusion=sympy.Eq(X - _OTHER[X], ADVANCE * (QUOTIENT - _OTHER[QUOTIENT])),
        ),
        Claim(
            name="phases share no output",
            sentence="An output has one quotient and one phase only.",
            hypotheses=(
                ("the phase is one of P", inside),
                ("so is the other", inside.subs(PHASE, _OTHER[PHASE])),
                ("both are one output", sympy.Eq(split, other)),
            ),
            conclusion=sympy.And(
                sympy.Eq(QUOTIENT, _OTHER[QUOTIENT]), sympy.Eq(PHASE, _OTHER[PHASE])
            ),
        ),
        Claim(
            name="phases hold every output",
            sentence="Every output has a quotient and a phase.",
            hypotheses=(("there is a phase", sympy.Ge(STEP, 1)),),
            conclusion=sympy.And(
                sympy.Eq(
                    split.subs({QUOTIENT: sympy.floor(Y / STEP), PHASE: sympy.Mod(Y, STEP)}), Y
                ),
                inside.subs(PHASE, sympy.Mod(Y, STEP)),
            ),
        ),
        Claim(
            name="phases that g does not divide are dead",
            sentence="A tap reaches only phases that gcd(s, d) divides; s, d <= 4, all t and r.",
            hypotheses=(),
            conclusion=sympy.And(
                *(
                    taps_per_phase().steps[3].statement.subs({STRIDE: s, DILATION: d, G: gcd(s, d)})
                    for s, d in GRID
                )
            ),
        ),
        Claim(
            name="the taps of a phase",
            sentence="A tap reaches phase r exactly when it is t_0 modulo s/g; s, d <= 4, all t.",
            hypotheses=(),
            conclusion=sympy.And(
                *(
                    sympy.Equivalent(
                        reached.subs(values),
                        taps_per_phase().steps[4].statement.subs(values),
                    )
                    for s, d in GRID
                    for r in range(0, s, gcd(s, d))
                    if (values := phase_values(s, d, r)) and s > 1
                )
            ),
        ),
        overlap_claim(true=True),
    )


def overlap_claim(*, true: bool) -> Claim:
    """The overlap theorem for s, d <= 4 and every k; the false one forgets the dilation."""
    count, theorem = taps_per_phase().formula.rhs, overlap_theorem().formula
    (sides,) = [side for side in theorem.args if isinstance(side, sympy.And)]
    divides = sides if true else next(s for s in sides.args if s.has(sympy.Mod))
    cases = []
    for s, d in GRID:
        counts = [count.subs(phase_values(s, d, r)) for r in range(s)]
        uniform = sympy.And(*(sympy.Eq(counts[0], each) for each in counts[1:]))
        cases.append(sympy.Equivalent(uniform, divides.subs({STRIDE: s, DILATION: d})))
    return Claim(
        name="overlap theorem" if true else "overlap theorem without dilation",
        sentence="All phases have as many taps exactly when "
        + ("gcd(s, d) = 1 and " if true else "")
        + "s divides k; s, d <= 4 and every k.",
        hypotheses=(("there is a tap", overlap_theorem().conditions[0]),),
        conclusion=sympy.And(*cases),
        true=true,
    )


def _count_claim() -> Claim:
    steps = multiply_adds().steps
    bounds = {FIRST: steps[2].statement.rhs, LAST: steps[3].statement.rhs}
    read, there = steps[0].statement.rhs, steps[1].statement
    output = sympy.And(sympy.Le(0, Y), sympy.Lt(Y, N_OUT))
    return Claim(
        name="multiply-adds are counted right",
        sentence="A tap of an output has an input exactly between the two bounds.",
        hypotheses=(POSITIVE_STRIDE, ("the output is one of n_out", output)),
        conclusion=sympy.Equivalent(
            there.subs(X, read), sympy.And(sympy.Le(FIRST, Y), sympy.Le(Y, LAST)).subs(bounds)
        ),
    )
