"""Claims about sizes, each made of the formulas that the derivations end in."""

from __future__ import annotations

from fractions import Fraction

import sympy

from derive.core.sizes import (
    AFTER,
    BEFORE,
    DILATION,
    KERNEL,
    N_IN,
    N_OUT,
    OUTPUT_PADDING,
    STRIDE,
    UP,
    T,
    Y,
    convolution_size,
    inverse_size,
    resized_size,
    transposed_size,
)
from derive.derivations import ceil_mode, same_padding, same_padding_tensorflow
from derive.derivations.padding import TOTAL

from .claim import Claim

SIZE = convolution_size().formula.rhs
PLAIN = SIZE.subs(UP, 1)
TRANSPOSED = transposed_size().formula.rhs
INSIDE = convolution_size().steps[1].statement  # the last tap of the last output is there
FITS = convolution_size().conditions[0]
SLACK = convolution_size().steps[2].statement.rhs.subs(UP, 1)
CEIL, CEIL_SIZE = ceil_mode().steps[1].statement.rhs, ceil_mode().formula.rhs
CEIL_NAME = ceil_mode().steps[1].statement.lhs
TENSORFLOW = same_padding_tensorflow().formula.rhs
FROM_STRIDES = same_padding_tensorflow().steps[0].statement.rhs
SAME = {amount.lhs: amount.rhs for amount in same_padding().formula.args}
POSITIVE_STRIDE = ("the stride is positive", sympy.Ge(STRIDE, 1))
NO_NEGATIVE_PADDING = ("output padding is not negative", sympy.Ge(OUTPUT_PADDING, 0))
LESS_THAN_STRIDE = ("output padding is below the stride", sympy.Lt(OUTPUT_PADDING, STRIDE))
TAKES_ROOM = ("taps do not run backwards", sympy.Ge(DILATION * (KERNEL - 1), 0))


def pooled(values: dict[sympy.Symbol, sympy.Expr]) -> sympy.Expr:
    """The size with ceil mode."""
    return CEIL_SIZE.subs(CEIL_NAME, CEIL).subs(values)


_FACTORS = *map(Fraction, (2, 3, 5)), Fraction(1, 2), Fraction(3, 2), Fraction(4, 3)
OTHER_PADDING, OTHER_OUT = sympy.symbols("o_2 m_2", integer=True)
INVERSE = inverse_size().formula.rhs.subs(UP, 1)
OTHER_INVERSE = INVERSE.subs({OUTPUT_PADDING: OTHER_PADDING, N_OUT: OTHER_OUT})
READ = convolution_size().steps[0].statement.rhs
IN_KERNEL = ("the tap is one of k", sympy.And(sympy.Le(0, T), sympy.Lt(T, KERNEL)))
IN_OUTPUT = ("the output is one of n_out", sympy.And(sympy.Le(0, Y), sympy.Lt(Y, SIZE)))


def size_claims() -> tuple[Claim, ...]:
    """What is true of sizes.

    >>> len(size_claims())
    15
    """
    padded = {BEFORE: sympy.floor(TOTAL / 2), AFTER: TOTAL - sympy.floor(TOTAL / 2)}
    total = ("the padding is TensorFlow's", sympy.Eq(TOTAL, TENSORFLOW))
    resized = [resized_size(f, None).formula.rhs for f in _FACTORS]
    return (
        Claim(
            name="all outputs fit",
            sentence="The last tap of the last output lies in the padded input.",
            hypotheses=(POSITIVE_STRIDE,),
            conclusion=INSIDE.subs(N_OUT, SIZE),
        ),
        Claim(
            name="no more outputs fit",
            sentence="With one output more it would not.",
            hypotheses=(POSITIVE_STRIDE,),
            conclusion=sympy.Not(INSIDE.subs(N_OUT, SIZE + 1)),
        ),
        Claim(
            name="an output exactly when the kernel fits",
            sentence="There is an output exactly when the padded input is as long as the kernel.",
            hypotheses=(POSITIVE_STRIDE,),
            conclusion=sympy.Equivalent(sympy.Ge(SIZE, 1), FITS),
        ),
        Claim(
            name="a transposed size convolves back",
            sentence="The convolution maps the transposed size back, for each output padding < s.",
            hypotheses=(NO_NEGATIVE_PADDING, LESS_THAN_STRIDE),
            conclusion=sympy.Eq(PLAIN.subs(N_IN, TRANSPOSED), N_IN),
        ),
        Claim(
            name="the remainder is the output padding",
            sentence="With the remainder as output padding, transposing gives the size back.",
            hypotheses=(POSITIVE_STRIDE,),
            conclusion=sympy.Eq(
                TRANSPOSED.subs(
                    {N_IN: PLAIN, OUTPUT_PADDING: sympy.Mod(SLACK, STRIDE)}, simultaneous=True
                ),
                N_IN,
            ),
        ),
        Claim(
            name="output padding is unique",
            sentence="No two output sizes and output paddings < s name the same input size.",
            hypotheses=(
                ("both name one size", sympy.Eq(INVERSE, OTHER_INVERSE)),
                NO_NEGATIVE_PADDING,
                LESS_THAN_STRIDE,
                ("the other is not negative", sympy.Ge(OTHER_PADDING, 0)),
                ("the other is below the stride", sympy.Lt(OTHER_PADDING, STRIDE)),
            ),
            conclusion=sympy.And(
                sympy.Eq(OUTPUT_PADDING, OTHER_PADDING), sympy.Eq(N_OUT, OTHER_OUT)
            ),
        ),
        Claim(
            name="every tap is in range",
            sentence="What an output reads lies in the padded input, for every tap.",
            hypotheses=(
                POSITIVE_STRIDE,
                ("the dilation is not negative", sympy.Ge(DILATION, 0)),
                IN_OUTPUT,
                IN_KERNEL,
            ),
            conclusion=sympy.And(sympy.Le(-BEFORE, READ), sympy.Le(READ, UP * (N_IN - 1) + AFTER)),
        ),
        Claim(
            name="torch's same keeps the size",
            sentence='With stride 1 the output of padding="same" is as long as the input.',
            hypotheses=(
                ("the stride is 1", same_padding().conditions[0]),
                ("the padding is torch's", sympy.And(*same_padding().formula.args)),
            ),
            conclusion=sympy.Eq(PLAIN, N_IN),
        ),
        Claim(
            name="torch's same pads evenly",
            sentence="It pads both sides alike, or one position more at the end.",
            hypotheses=(),
            conclusion=sympy.And(
                sympy.Le(0, SAME[AFTER] - SAME[BEFORE]), sympy.Le(SAME[AFTER] - SAME[BEFORE], 1)
            ),
        ),
        Claim(
            name="TensorFlow's same counts strides",
            sentence="Its output has one position for each stride of the input.",
            hypotheses=(POSITIVE_STRIDE, TAKES_ROOM, total),
            conclusion=sympy.Eq(PLAIN.subs(padded, simultaneous=True), FROM_STRIDES),
        ),
        Claim(
            name="TensorFlow's same is the least",
            sentence="Less padding, where there is any, gives fewer outputs.",
            hypotheses=(
                POSITIVE_STRIDE,
                ("there is padding", sympy.Ge(TENSORFLOW, 1)),
            ),
            conclusion=sympy.Lt(
                PLAIN.subs({BEFORE: 0, AFTER: TENSORFLOW - 1}, simultaneous=True), FROM_STRIDES
            ),
        ),
        Claim(
            name="ceil mode adds one at most",
            sentence="Rounding up gives as many outputs, or one more exactly if s does not divide.",
            hypotheses=(POSITIVE_STRIDE,),
            conclusion=sympy.Eq(
                CEIL - PLAIN,
                sympy.Piecewise((0, sympy.Eq(sympy.Mod(SLACK, STRIDE), 0)), (1, True)),
            ),
        ),
        Claim(
            name="the last pooled window starts inside",
            sentence="With ceil mode and padding no longer than the kernel, as torch demands.",
            hypotheses=(POSITIVE_STRIDE, ("the padding is short", ceil_mode().conditions[1])),
            conclusion=sympy.Lt(STRIDE * (pooled({}) - 1), N_IN + BEFORE),
        ),
        Claim(
            name="resizing rounds down",
            sentence="A resized size is the largest that is no more than n*f, for 6 factors f.",
            hypotheses=(),
            conclusion=sympy.And(
                *(
                    sympy.And(sympy.Le(m, N_IN * f), sympy.Lt(N_IN * f, m + 1))
                    for m, f in zip(resized, map(sympy.Rational, _FACTORS), strict=True)
                )
            ),
        ),
        Claim(
            name="resizing up and down again",
            sentence="Resizing by 2, 3 or 5 and by its inverse gives the size back.",
            hypotheses=(),
            conclusion=sympy.And(
                *(
                    sympy.Eq(
                        resized_size(1 / f, None).formula.rhs.subs(N_IN, m), N_IN, evaluate=False
                    )
                    for m, f in zip(resized[:3], _FACTORS[:3], strict=True)
                )
            ),
        ),
    )
