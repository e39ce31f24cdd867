"""Proves claims with z3 and checks every counterexample again without it."""

from __future__ import annotations

from importlib import import_module
from time import perf_counter
from typing import Any

import sympy

from .claim import Claim, Proof
from .translation import Translation

TIMEOUT = 5000  # milliseconds for a claim


class SolverMissingError(ImportError):
    """z3 is not installed."""


def solver() -> Any:
    """The module z3; ImportError, with the remedy, where it is not installed."""
    try:
        return import_module("z3")
    except ImportError as error:
        raise SolverMissingError(
            "proofs need z3-solver, which is not installed: pip install exactconv[proofs]"
        ) from error


def prove(claim: Claim, timeout: int = TIMEOUT) -> Proof:
    """A proof, a counterexample, or neither within ``timeout`` milliseconds.

    ValueError for a claim whose hypotheses nothing satisfies: it would say nothing.

    >>> n = sympy.Symbol("n", integer=True)
    >>> proof = prove(Claim(name="square", sentence="squares are not negative",
    ...                     hypotheses=(), conclusion=n * n >= 0))
    >>> proof.proven, proof.counterexample
    (True, None)
    """
    z3 = solver()
    begun = perf_counter()
    translated = Translation(z3)
    given = [translated(statement) for _, statement in claim.hypotheses]
    conclusion = translated(claim.conclusion)
    engine = z3.Solver()
    engine.set("timeout", timeout)
    engine.add(*given, *translated.meanings)
    if engine.check() == z3.unsat:
        raise ValueError(f"hypotheses of {claim.name!r}: nothing satisfies them together")
    engine.add(z3.Not(z3.And(conclusion, *translated.positive)))
    answer = engine.check()
    found = None
    if answer == z3.sat:
        model = engine.model()
        found = tuple(
            (str(s), _value(model, translated.integers.get(str(s)))) for s in claim.symbols
        )
        check_counterexample(claim, dict(found))
    seconds = perf_counter() - begun
    return Proof(claim, answer == z3.unsat, seconds, f"z3 {z3.get_version_string()}", found)


def _value(model: Any, integer: Any) -> int:
    return int(model.eval(integer, model_completion=True).as_long())


def check_counterexample(claim: Claim, values: dict[str, int]) -> None:
    """AssertionError unless the values satisfy the hypotheses and not the conclusion.

    A claim that divides by 0 or less there has no meaning, and so does not hold.
    """
    numbers = {symbol: sympy.Integer(values[str(symbol)]) for symbol in claim.symbols}
    given = [statement for _, statement in claim.hypotheses]
    if not all(_divides_well(statement, numbers) for statement in (*given, claim.conclusion)):
        return
    for name, statement in claim.hypotheses:
        if statement.subs(numbers) != sympy.true:
            raise AssertionError(f"{claim.name}: {values} violate the hypothesis {name!r}")
    if claim.conclusion.subs(numbers) != sympy.false:
        raise AssertionError(f"{claim.name}: {values} satisfy the conclusion")


def _divides_well(statement: sympy.Basic, numbers: dict[sympy.Symbol, sympy.Integer]) -> bool:
    """Whether all that the statement divides by is positive."""
    floors, mods = statement.atoms(sympy.floor), statement.atoms(sympy.Mod)
    divisors = [sympy.fraction(sympy.together(floor.args[0]))[1] for floor in floors]
    divisors += [mod.args[1] for mod in mods]
    return all(divisor.subs(numbers) > 0 for divisor in divisors)
