"""Counter-claims: what people believe, or programs did, and what is refuted."""

from __future__ import annotations

import sympy

from derive.core.sizes import AFTER, BEFORE, DILATION, KERNEL, N_IN, OUTPUT_PADDING, STRIDE, UP, T
from derive.derivations import adjoint_identity
from derive.derivations.padding import TOTAL

from .chains import composed_claim
from .claim import Claim
from .indices import injective_claim
from .overflow import overflow_claim
from .relations import overlap_claim
from .sizes import (
    FITS,
    IN_KERNEL,
    NO_NEGATIVE_PADDING,
    PLAIN,
    POSITIVE_STRIDE,
    SAME,
    SLACK,
    TENSORFLOW,
    TRANSPOSED,
    pooled,
    size_claims,
)

SENSIBLE = (
    ("there is a tap", sympy.Ge(KERNEL, 1)),
    ("the dilation is positive", sympy.Ge(DILATION, 1)),
    ("there is an input", sympy.Ge(N_IN, 1)),
)


def false_claims() -> tuple[Claim, ...]:
    """Near misses of the theorems.

    >>> len(false_claims()), any(claim.true for claim in false_claims())
    (12, False)
    """
    in_range = next(c for c in size_claims() if c.name == "every tap is in range")
    truncated = sympy.Piecewise(
        (sympy.floor(SLACK / STRIDE), sympy.Ge(SLACK, 0)),
        (-sympy.floor(-SLACK / STRIDE), True),
    )
    pad = next(p for p in adjoint_identity().formula.args if p.rhs.has(BEFORE))
    total = ("the padding is TensorFlow's", sympy.Eq(TOTAL, TENSORFLOW))
    return (
        Claim(
            name="output padding up to the stride",
            sentence="The convolution would map the size back with output padding = s as well.",
            hypotheses=(
                POSITIVE_STRIDE,
                NO_NEGATIVE_PADDING,
                ("output padding is at most the stride", sympy.Le(OUTPUT_PADDING, STRIDE)),
            ),
            conclusion=sympy.Eq(PLAIN.subs(N_IN, TRANSPOSED), N_IN),
            true=False,
        ),
        Claim(
            name="one tap too many",
            sentence="Tap k would read the padded input too.",
            hypotheses=(
                *(h for h in in_range.hypotheses if h != IN_KERNEL),
                ("there is a tap", sympy.Ge(KERNEL, 1)),
                ("the tap is at most k", sympy.And(sympy.Le(0, T), sympy.Le(T, KERNEL))),
            ),
            conclusion=in_range.conclusion,
            true=False,
        ),
        Claim(
            name="division that truncates",
            sentence="With C's division there would be an output only where the kernel fits.",
            hypotheses=(
                POSITIVE_STRIDE,
                *SENSIBLE,
                ("there is an output", sympy.Ge(truncated + 1, 1)),
                ("no padding", sympy.And(sympy.Eq(BEFORE, 0), sympy.Eq(AFTER, 0))),
            ),
            conclusion=FITS.subs(UP, 1),
            true=False,
        ),
        Claim(
            name="transposing without output padding",
            sentence="The transposed size would always be the size that was convolved.",
            hypotheses=(POSITIVE_STRIDE, *SENSIBLE),
            conclusion=sympy.Eq(
                TRANSPOSED.subs({N_IN: PLAIN, OUTPUT_PADDING: 0}, simultaneous=True), N_IN
            ),
            true=False,
        ),
        Claim(
            name="same is symmetric",
            sentence='padding="same" would pad both sides alike.',
            hypotheses=SENSIBLE[:2],
            conclusion=sympy.Eq(SAME[BEFORE], SAME[AFTER]),
            true=False,
        ),
        Claim(
            name="one same for all",
            sentence="TensorFlow would pad as torch does, at any stride.",
            hypotheses=(POSITIVE_STRIDE, total, *SENSIBLE[:2]),
            conclusion=sympy.Eq(TOTAL, SAME[BEFORE] + SAME[AFTER]),
            true=False,
        ),
        Claim(
            name="ceil mode with any padding",
            sentence="The last pooled window would start inside whatever the padding is.",
            hypotheses=(
                POSITIVE_STRIDE,
                *SENSIBLE,
                ("the padding is even", sympy.Eq(BEFORE, AFTER)),
            ),
            conclusion=sympy.Lt(STRIDE * (pooled({}) - 1), N_IN + BEFORE),
            true=False,
        ),
        Claim(
            name="complementary padding without dilation",
            sentence="The padding of the adjoint would be k - 1 - p, whatever the dilation is.",
            hypotheses=SENSIBLE[:2],
            conclusion=sympy.Eq(pad.rhs, pad.rhs.subs(DILATION, 1)),
            true=False,
        ),
        overlap_claim(true=False),
        composed_claim(true=False),
        injective_claim(2, true=False),
        overflow_claim(32, None),
    )
