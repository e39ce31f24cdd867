"""Index safety: right texts are proven, planted faults are not, and z3 finds the same bounds."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

import codegen
import derive
from codegen._runtime.machine import ARM, X86, Machine
from codegen.indices import IndexSafety, index_safety, obligations
from codegen.indices.affine import Affine, Counter
from codegen.indices.contract import contract, largest_batch
from codegen.targets import c
from codegen.targets.c import CText
from derive import Operator
from derive.catalogue import read_catalogue
from tests.codegen.test_identity import OPERATORS

ROOT = Path(__file__).parents[2]
ENTRIES = read_catalogue(ROOT / "operators.toml")
MACHINES = (None, *X86, *ARM)


# --- texts that are right --------------------------------------------------------------------


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_committed_text(entry: derive.catalogue.Entry) -> None:
    """The bytes that generated/ holds."""
    name = entry.name
    files = {f"{name}.c": (ROOT / f"generated/c/{name}.c").read_text()}
    found = index_safety(entry.op, replace(c.emit(entry.op, name), files=files), name=name)
    assert found.problems == ()
    assert found.holds
    assert found.accesses >= 10
    assert {"forward", "input_gradient"} <= {*found.functions}


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("machine", MACHINES, ids=lambda m: m.name if m else "portable")
def test_random_operators(machine: Machine | None) -> None:
    """In lanes, too, whatever the number of channels."""
    in_lanes = 0
    for i, op in enumerate(OPERATORS):
        text = c.emit(op, "op", machine, ("float32", "float64")[i % 2])
        found = index_safety(op, text, name="op")
        assert found.problems == (), (op, found.problems)
        in_lanes += bool(text.takes.packed)
    assert in_lanes > 30 or machine is None


# --- texts that are wrong --------------------------------------------------------------------

CONV = derive.Conv2d(2, 3, 3, stride=2, padding=1, input_size=(6, 7))
FOLDED = derive.Conv2d(2, 2, 3, padding=1, input_size=8) @ derive.Interpolate(2, (4, 4), size=8)
RESIZE = derive.Interpolate(2, (4, 5), size=(6, 7), mode="bicubic")
WIDE = derive.Conv2d(16, 19, 3, padding=1, input_size=(5, 12))
WIDER = derive.Conv2d(19, 35, 3, padding=1, input_size=(5, 3))

FAULTS = [
    # (operator, machine, what is in the text, what is put there, which time it occurs)
    (CONV, None, "q < 3", "q < 4", 0),  # one turn too many
    (CONV, None, "j < 4", "j < 5", -1),
    (CONV, None, "b < batch", "b < batch + 1", 0),
    (CONV, None, "o < 3", "o < 4", 0),
    (CONV, None, "w_channels + ", "w_channels + 1 + ", 0),  # one further
    (CONV, None, "x[0]", "x[-1]", 0),  # one before
    (CONV, None, "y[2*q + 1]", "y[2*q + 3]", 0),
    (CONV, None, "84*b", "85*b", 0),  # a wrong stride
    (CONV, None, "36*b", "35*b", 0),
    (CONV, None, "14*q0", "15*q0", 0),
    (CONV, None, "y[2*q", "y[3*q", 0),
    (CONV, None, "bias[o]", "bias[o + 1]", 0),
    (CONV, None, "t < 9", "t < 8", 0),  # a number that is not written
    (CONV, None, "j < 4", "j < 3", 0),
    (CONV, None, "j < 4", "j < 4 - 1", 0),
    (FOLDED, None, "v[j + 3]", "v[j + 90]", 0),
    (FOLDED, None, "part_0[", "part_0[-1 + ", 0),  # an array one short
    (RESIZE, None, "blend[5]", "blend[4]", 0),
    (RESIZE, None, "x_channel[j", "x_channel[20 + j", 0),
    (WIDE, X86[0], "sums[0 + j]", "sums[1 + j]", -1),  # vectors
    (WIDE, X86[0], "taps[2]", "taps[3]", 0),
    (WIDER, X86[0], "k < 2 ? 16 : 3", "k < 2 ? 16 : 4", 0),
    (WIDE, X86[0], "l < lanes", "l < lanes + 1", 0),
    (WIDE, X86[0], "{{0, ", "{{1, ", -1),
    (WIDE, X86[0], ", 0, 3, ", ", 1, 3, ", 0),  # between vectors
    (WIDE, X86[0], "calls, 1)", "calls, 2)", 0),
    (WIDE, X86[0], "p < ", "p < 1 + ", 0),
]


def planted(
    op: Operator, machine: Machine | None, old: str, new: str, which: int
) -> tuple[CText, IndexSafety]:
    text = c.emit(op, "wrong", machine)
    body = text.files["wrong.c"]
    places = [found.start() for found in re.finditer(re.escape(old), body)]
    assert places, old
    at = places[which]
    body = body[:at] + new + body[at + len(old) :]
    changed = replace(text, files={**text.files, "wrong.c": body})
    return changed, index_safety(op, changed, name="wrong")


@pytest.mark.parametrize(("op", "machine", "old", "new", "which"), FAULTS)
def test_faults_are_found(
    op: Operator, machine: Machine | None, old: str, new: str, which: int
) -> None:
    assert index_safety(op, name="wrong", machine=machine).holds
    _, found = planted(op, machine, old, new, which)
    assert not found.holds
    assert all(re.match(r"\w+: ", problem) for problem in found.problems)


def test_an_array_one_shorter() -> None:
    """The text of one size in the arrays of another."""
    text = c.emit(derive.Conv1d(1, 1, 3, input_size=9), "op")
    shorter = derive.Conv1d(1, 1, 3, input_size=8)
    found = index_safety(shorter, text, name="op")
    assert any(
        "reaches" in problem and " of x, which has 0..7" in problem for problem in found.problems
    )


REFUSED = [
    ("x[0]", "x[w[0]]", "has an index that is not affine"),
    ("x[0]", "x[q]", "q is not declared"),
    ("x[0]", "x[5 / 2]", "is no sum or product"),
    ("x[0]", "x[batch]", "is not declared"),
    ("x[0]", "x[70000*70000]", "beyond 2147483647"),
    ("x + 84*b", "x + 84*b*b", "differs between turns of a loop"),
    ("x + 84*b", "x + 9000000000000000*84*b", "beyond 9223372036854775807"),
    ("for (ptrdiff_t i = 0;", "for (int i = 0;", "is not the end of a loop"),
    ("for (ptrdiff_t i = 0; i < 2; i++)", "for (ptrdiff_t i = 0; i < 2; i += 1)", "is no loop"),
    ("for (ptrdiff_t i = 0; i < 2; i++)", "while (1)", "is not followed"),
    ("for (ptrdiff_t i = 0; i < 2; i++)", "if (batch)", "is not followed"),
    (
        "            for (ptrdiff_t i = 0;",
        "            x = x + 1; for (ptrdiff_t i = 0;",
        "changes what",
    ),
    ("y_row[j] = start;", "y_row = y_row + 1;", "changes what an index depends on"),
    ("y_row[j] = start;", "start[y_row] = 1;", "not affine in loop"),
    ("y_row[j] = start;", "y_row[j]++;", "is not followed"),
    ("y_row[j] = start;", "memset(y_row, 0, 4);", "the function memset is not there"),
    ("y_row[j] = start;", "op_forward_row(y_row);", "takes 3 arguments, not 1"),
    ('#include "op.h"', '#include "op.h"\n#define w x', "the preprocessor line '#define w x'"),
    ('#include "op.h"', '#include "op.h"\nint state;', "neither a function nor a type"),
    ("void op_bias_gradient(", "void other(", "op_bias_gradient is not there"),
    ("void op_forward(", "void op_forward[(", "not C that can be read"),
]


@pytest.mark.parametrize(("old", "new", "words"), REFUSED)
def test_what_is_not_followed_is_refused(old: str, new: str, words: str) -> None:
    text = c.emit(CONV, "op")
    changed = text.files["op.c"].replace(old, new, 1)
    assert changed != text.files["op.c"]
    found = index_safety(CONV, replace(text, files={"op.c": changed}), name="op")
    assert not found.holds
    assert words in " ".join(found.problems)


# --- with z3 ---------------------------------------------------------------------------------


def violations(op: Operator, text: CText, name: str) -> tuple[int, int]:
    """How many accesses there are, and for how many z3 finds counters and a batch that leave."""
    z3 = pytest.importorskip("z3", reason="no z3")
    batch, limit = z3.Int("batch"), largest_batch(contract(op, text))
    seen, wrong = set(), 0
    for function, access in obligations(op, text, name):
        terms = tuple((t.count, k) for t, k in access.at.terms.items() if k)
        key = (function, access.array.name, access.array.numbers, access.at.constant, terms)
        if (*key, access.width) in seen:
            continue
        seen.add((*key, access.width))
        solver = z3.SolverFor("QF_LIA")
        at = z3.IntVal(access.at.constant)
        for number, (count, coefficient) in enumerate(terms):
            counter = z3.Int(f"counter_{number}")
            solver.add(counter >= 0, counter < (batch if count is None else count))
            at += coefficient * counter
        extent = access.array.numbers * (batch if access.array.batched else 1)
        solver.add(batch >= 1, batch <= limit)
        solver.add(z3.Or(at < 0, at + access.width > extent))
        wrong += solver.check() != z3.unsat
    return len(seen), wrong


@pytest.mark.parametrize(
    ("op", "machine"),
    [(CONV, None), (FOLDED, None), (RESIZE, None), (WIDE, X86[0]), (CONV.T, None)],
    ids=["conv", "folded", "resize", "lanes", "adjoint"],
)
def test_z3_proves_the_same(op: Operator, machine: Machine | None) -> None:
    accesses, wrong = violations(op, c.emit(op, "op", machine), "op")
    assert wrong == 0
    assert accesses > 50


@pytest.mark.parametrize("number", [1, 4, 5, 7, 10, 15, 16, 17])
def test_z3_refutes_the_same(number: int) -> None:
    op, machine, old, new, which = FAULTS[number]
    text, found = planted(op, machine, old, new, which)
    assert not found.holds
    assert violations(op, text, "wrong")[1] > 0


# --- the parts -------------------------------------------------------------------------------


def test_ends_are_those_of_all_values() -> None:
    p, q = Counter("p", 4), Counter("q", 3)
    for a, b in ((2, 5), (-2, 5), (0, -1), (-3, -3)):
        form = Affine(7).plus(Affine(0, {p: 1}), a).plus(Affine(0, {q: 1}), b)
        values = [7 + a * i + b * j for i in range(4) for j in range(3)]
        assert form.ends(batch=1) == (min(values), max(values))


def test_the_largest_batch() -> None:
    """One sample more, and an array of doubles has more bytes than ptrdiff_t counts."""
    found = codegen.index_safety(CONV)
    assert found.largest_batch * 84 * 8 < 2**63 <= (found.largest_batch + 1) * 84 * 8
