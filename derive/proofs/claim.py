"""A claim about all integers, and what a solver made of it."""

from __future__ import annotations

from dataclasses import dataclass

import sympy

from derive.core.notation import text


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """For all integers: if every hypothesis holds, so does the conclusion.

    ``hypotheses`` are (name, statement). ``true`` says whether the claim is meant to hold; a
    false one is there to be refuted.

    >>> n = sympy.Symbol("n", integer=True)
    >>> print(Claim(name="next", sentence="more", hypotheses=(("positive", n > 0),),
    ...             conclusion=n > 1, true=False))
    next: if n > 0, then n > 1
    """

    name: str
    sentence: str
    hypotheses: tuple[tuple[str, sympy.Basic], ...]
    conclusion: sympy.Basic
    true: bool = True

    @property
    def symbols(self) -> tuple[sympy.Symbol, ...]:
        """The integers that the claim speaks of, by name."""
        statements = (self.conclusion, *(statement for _, statement in self.hypotheses))
        found = {symbol for each in statements for symbol in each.free_symbols}
        return tuple(sorted(found, key=str))

    def __str__(self) -> str:
        given = " and ".join(text(statement) for _, statement in self.hypotheses)
        then = text(self.conclusion)
        return f"{self.name}: if {given}, then {then}" if given else f"{self.name}: {then}"


@dataclass(frozen=True, slots=True)
class Proof:
    """What ``solver`` found in ``seconds``: proven, or a counterexample, or neither in time.

    The counterexample is ((name, value), ...), checked again in exact integer arithmetic.
    """

    claim: Claim
    proven: bool
    seconds: float
    solver: str
    counterexample: tuple[tuple[str, int], ...] | None

    @property
    def as_claimed(self) -> bool:
        """Whether a true claim was proven, or a false one refuted."""
        return self.proven if self.claim.true else self.counterexample is not None

    @property
    def verdict(self) -> str:
        """Proven, refuted or unknown."""
        if self.proven:
            return "proven"
        return "unknown" if self.counterexample is None else "refuted"
