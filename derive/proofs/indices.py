"""Claims about places in arrays and about channels of groups."""

from __future__ import annotations

import sympy

from derive.derivations import flat_index, group_channel
from derive.derivations.counts import INDICES, SIZES

from .claim import Claim

_OTHER = {i: sympy.Symbol(f"{i}'", integer=True) for i in INDICES}


def index_claims() -> tuple[Claim, ...]:
    """What is true of places and channels."""
    ranges = flat_index().conditions
    place = flat_index().formula.rhs
    groups = group_channel()
    (each, group) = groups.conditions
    channels = group.args[1].gts * each.args[1].gts
    return (
        Claim(
            name="places are in range",
            sentence="The place of a position lies in the array of 4 dimensions.",
            hypotheses=tuple((f"range {i}", r) for i, r in enumerate(ranges)),
            conclusion=sympy.And(sympy.Le(0, place), sympy.Lt(place, sympy.Mul(*SIZES))),
        ),
        injective_claim(2),
        injective_claim(4),
        Claim(
            name="channels of a group are in range",
            sentence="Channel c of group j is one of the G*C channels.",
            hypotheses=(("the channel is one of C", each), ("the group is one of G", group)),
            conclusion=sympy.And(
                sympy.Le(0, groups.formula.rhs), sympy.Lt(groups.formula.rhs, channels)
            ),
        ),
    )


def injective_claim(dimensions: int, *, true: bool = True) -> Claim:
    """Two positions of one place are one; the false one forgets a range."""
    left, ranges = indices_in(dimensions)
    place = flat_index().formula.rhs.subs(left)
    own = INDICES[-dimensions:]
    both = [*ranges[1:], *(r.subs(_OTHER, simultaneous=True) for r in ranges[1:])]
    if not true:
        both = both[:-1]
    return Claim(
        name=f"places of {dimensions} indices are distinct" + ("" if true else ", unbounded"),
        sentence="Two positions of an array with the same place are the same position.",
        hypotheses=(
            *((f"range {number}", each) for number, each in enumerate(both)),
            ("they have one place", sympy.Eq(place, place.subs(_OTHER, simultaneous=True))),
        ),
        conclusion=sympy.And(*(sympy.Eq(i, _OTHER[i]) for i in own)),
        true=true,
    )


def indices_in(dimensions: int) -> tuple[dict[sympy.Symbol, int], tuple[sympy.Basic, ...]]:
    """The first indices left out, and the ranges of the others."""
    left = dict.fromkeys((*INDICES[:-dimensions],), 0)
    return left, flat_index().conditions[-dimensions:]
