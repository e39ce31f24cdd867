"""Every claim is proven or refuted as it says, and needs each of its hypotheses."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace

import pytest
import sympy
from click.testing import CliRunner

from derive import proofs
from derive.command_line import main
from derive.core.sizes import convolution_size
from derive.proofs import Claim, Proof, prover
from derive.proofs.overflow import intermediates
from derive.proofs.sizes import PLAIN

pytest.importorskip("z3", reason="proofs need z3-solver: pip install exactconv[proofs]")

CLAIMS = proofs.claims()
TRUE = [claim for claim in CLAIMS if claim.true]
N, K = sympy.symbols("n k", integer=True)


@pytest.fixture(scope="module")
def proven() -> tuple[tuple[Proof, ...], float]:
    begun = time.perf_counter()
    return proofs.prove_all(), time.perf_counter() - begun


def test_everything_is_as_claimed(proven: tuple[tuple[Proof, ...], float]) -> None:
    found, _ = proven
    assert [proof.claim.name for proof in found if not proof.as_claimed] == []
    assert [proof.claim for proof in found] == list(CLAIMS)
    assert sum(proof.proven for proof in found) == len(TRUE) >= 15
    assert sum(proof.counterexample is not None for proof in found) >= 6
    assert {proof.solver.split()[0] for proof in found} == {"z3"}


def test_all_together_take_seconds(proven: tuple[tuple[Proof, ...], float]) -> None:
    """Under 5 on a quiet machine; a busy one may take three times as long."""
    assert proven[1] < 15


def test_names_and_sentences_are_distinct() -> None:
    assert len({claim.name for claim in CLAIMS}) == len(CLAIMS)
    assert all(claim.sentence.endswith(".") for claim in CLAIMS)


def test_sympy_decides_no_claim_by_itself() -> None:
    """A conclusion that is already True would leave nothing to prove."""
    atoms = (sympy.true, sympy.false)
    assert [claim.name for claim in CLAIMS if claim.conclusion in atoms] == []


NEEDED = [(claim, i) for claim in TRUE for i in range(len(claim.hypotheses))]


@pytest.mark.parametrize(
    ("claim", "left_out"), NEEDED, ids=[f"{c.name}-{c.hypotheses[i][0]}" for c, i in NEEDED]
)
def test_every_hypothesis_is_needed(claim: Claim, left_out: int) -> None:
    hypotheses = claim.hypotheses[:left_out] + claim.hypotheses[left_out + 1 :]
    assert not proofs.prove(replace(claim, hypotheses=hypotheses), timeout=300).proven


def test_claims_hold_in_small_integers() -> None:
    """The statements mean in SymPy what they mean in z3: tried on a grid, without a solver."""
    claim = next(claim for claim in TRUE if claim.name == "a transposed size convolves back")
    tried = 0
    for place in range(7 ** len(claim.symbols)):
        digits = [place // 7**i % 7 for i in range(len(claim.symbols))]
        values = dict(zip(claim.symbols, digits, strict=True))
        if all(statement.subs(values) == sympy.true for _, statement in claim.hypotheses):
            assert claim.conclusion.subs(values) == sympy.true
            tried += 1
    assert tried > 100


def test_a_claim_about_nothing_is_refused() -> None:
    vacuous = Claim(
        name="vacuous",
        sentence="",
        hypotheses=(("above", sympy.Gt(N, 1)), ("below", sympy.Lt(N, 1))),
        conclusion=sympy.Eq(N, 7),
    )
    with pytest.raises(ValueError, match="'vacuous': nothing satisfies them"):
        proofs.prove(vacuous)


def test_division_rounds_down_and_needs_a_positive_divisor() -> None:
    def claim(conclusion: sympy.Basic, *hypotheses: sympy.Basic) -> Claim:
        given = tuple((str(h), h) for h in hypotheses)
        return Claim(name="c", sentence="", hypotheses=given, conclusion=conclusion)

    below = sympy.Le(K * sympy.floor(N / K), N)
    assert proofs.prove(claim(below, K > 0)).proven
    assert proofs.prove(claim(below)).counterexample is not None  # K may be 0
    assert proofs.prove(claim(sympy.Eq(sympy.floor(N / 2), -4), sympy.Eq(N, -7))).proven
    assert proofs.prove(claim(sympy.Eq(sympy.Mod(N, 5), 3), sympy.Eq(N, -7))).proven
    with pytest.raises(TypeError, match="no statement about integers"):
        proofs.prove(claim(sympy.Eq(sympy.sin(N), 0)))


def test_a_wrong_counterexample_is_caught() -> None:
    claim = Claim(name="c", sentence="", hypotheses=(("n", N > 0),), conclusion=N > 5, true=False)
    prover.check_counterexample(claim, {"n": 5})
    with pytest.raises(AssertionError, match="satisfy the conclusion"):
        prover.check_counterexample(claim, {"n": 6})
    with pytest.raises(AssertionError, match="violate the hypothesis 'n'"):
        prover.check_counterexample(claim, {"n": 0})


def test_claims_are_made_of_the_derived_formulas() -> None:
    size = convolution_size().formula.rhs
    assert any(claim.conclusion.has(size) for claim in TRUE)
    assert any(claim.conclusion.has(PLAIN) for claim in TRUE)
    assert intermediates(PLAIN)[-1] == PLAIN


def test_without_the_solver_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "z3", None)
    with pytest.raises(ImportError, match=r"pip install exactconv\[proofs\]"):
        proofs.prove(CLAIMS[0])
    result = CliRunner().invoke(main, ["prove"])
    assert result.exit_code == 2
    assert result.stderr.startswith("error: proofs need z3-solver")


def test_the_command(
    proven: tuple[tuple[Proof, ...], float], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = proven[0]
    monkeypatch.setattr(proofs, "prove_all", lambda: found)
    result = CliRunner().invoke(main, ["prove"])
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == len(CLAIMS) + 1
    assert f"{len(TRUE)} of {len(TRUE)} theorems proven" in result.stdout
    records = json.loads(CliRunner().invoke(main, ["prove", "--json"]).stdout)
    assert [record["claim"] for record in records] == [claim.name for claim in CLAIMS]
    assert records[-1]["counterexample"] == dict(found[-1].counterexample or ())
    broken = replace(found[0], proven=False)
    monkeypatch.setattr(proofs, "prove_all", lambda: (broken, *found[1:]))
    result = CliRunner().invoke(main, ["prove"])
    assert result.exit_code == 1
    assert result.stdout.count("NOT AS CLAIMED") == 1
    assert CliRunner().invoke(main, ["prove", "--never"]).exit_code == 2
