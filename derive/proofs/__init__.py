"""Claims about sizes, relations and indices for all integers, proven with z3."""

from __future__ import annotations

from .chains import chain_claims
from .claim import Claim, Proof
from .false_variants import false_claims
from .indices import index_claims
from .overflow import overflow_claims
from .prover import TIMEOUT, prove
from .relations import relation_claims
from .sizes import size_claims

__all__ = ["Claim", "Proof", "claims", "prove", "prove_all"]


def claims() -> tuple[Claim, ...]:
    """Every theorem, then every false variant."""
    true = size_claims, overflow_claims, relation_claims, index_claims, chain_claims
    return tuple(claim for some in (*true, false_claims) for claim in some())


def prove_all(timeout: int = TIMEOUT) -> tuple[Proof, ...]:
    """What z3 makes of each claim, in the order of ``claims()``; needs the extra ``proofs``.

    >>> {proof.as_claimed for proof in map(prove, claims()[:3])}
    {True}
    """
    return tuple(prove(claim, timeout) for claim in claims())
