"""``python -m derive prove``: every claim, what z3 made of it, and how long that took."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from .proofs import Proof


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Write JSON instead of a table.")
def prove(as_json: bool) -> None:
    """Prove every claim about sizes and indices with z3, and refute the false ones.

    Exit status 0 when all is as claimed, 1 when not, 2 where z3 is missing.
    """
    from . import proofs

    try:
        found = proofs.prove_all()
    except ImportError as error:
        click.echo(f"error: {error}", err=True)
        raise click.exceptions.Exit(2) from error
    click.echo(json.dumps([_record(p) for p in found], indent=1) if as_json else _table(found))
    if not all(proof.as_claimed for proof in found):
        raise click.exceptions.Exit(1)


def _record(proof: Proof) -> dict[str, object]:
    return {
        "claim": proof.claim.name,
        "sentence": proof.claim.sentence,
        "true": proof.claim.true,
        "verdict": proof.verdict,
        "as_claimed": proof.as_claimed,
        "milliseconds": _milliseconds(proof),
        "solver": proof.solver,
        "counterexample": None if proof.counterexample is None else dict(proof.counterexample),
    }


def _milliseconds(proof: Proof) -> int:
    return round(1000 * proof.seconds)


def _table(proofs: Sequence[Proof]) -> str:
    width = max(len(proof.claim.name) for proof in proofs)
    lines = [
        f"{proof.claim.name:<{width}}  {proof.verdict:<8} {_milliseconds(proof):>5} ms"
        + ("" if proof.as_claimed else "  NOT AS CLAIMED")
        + (f"  {_example(proof.counterexample)}" if proof.counterexample else "")
        for proof in proofs
    ]
    true = [proof for proof in proofs if proof.claim.true]
    proven, refuted = (sum(p.verdict == v for p in proofs) for v in ("proven", "refuted"))
    lines.append(
        f"{proven} of {len(true)} theorems proven, {refuted} of {len(proofs) - len(true)} false "
        f"variants refuted, {proofs[0].solver}, {sum(map(_milliseconds, proofs))} ms"
    )
    return "\n".join(lines)


def _example(values: tuple[tuple[str, int], ...]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in values)
