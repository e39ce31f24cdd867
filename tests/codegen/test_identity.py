"""The identity test: exact residues agree with the operator, and planted faults do not."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import codegen
import derive
from codegen import CompileError
from codegen._runtime.machine import ARM, X86, Machine
from codegen.prime_field import identities, library
from codegen.prime_field.arithmetic import (
    P,
    applied,
    random_residues,
    residue,
    times,
    total,
    weight_gradient,
)
from codegen.targets import c
from codegen.targets.c import CText
from derive import Operator
from derive.catalogue import read_catalogue
from tests import cases

ROOT = Path(__file__).parents[2]
MACHINES = (None, *X86, *ARM)


def has_cxx_compiler() -> bool:
    try:
        library.cxx_compiler()
    except CompileError:
        return False
    return True


needs_cxx = pytest.mark.skipif(not has_cxx_compiler(), reason="no C++ compiler")


def random_operator(*seed: int) -> Operator:
    """A layer, its adjoint, a resize, or a chain of both."""
    rng = cases.generator(900, *seed)
    kind = rng.integers(4)
    if kind == 0:
        return cases.random_resize(rng)
    if kind == 1:
        chain: Any = cases.random_chain(rng, 2)
        return chain[0] @ chain[1]
    layer = cases.random_layer(rng)
    return layer.T if kind == 2 else layer


OPERATORS = [random_operator(number) for number in range(60)]


# --- arithmetic ------------------------------------------------------------------------------


def test_products_and_sums_are_those_of_integers() -> None:
    rng = cases.generator(901)
    edges = np.array([0, 1, 2, P - 1, P - 2, 2**31, 2**31 - 1, 2**60, 2**60 - 1], np.uint64)
    a, b = (np.concatenate([edges, random_residues(rng, (200,))]) for _ in range(2))
    found = times(a[:, None], b[None, :])
    assert (found.astype(object) == np.multiply.outer(a.astype(object), b.astype(object)) % P).all()
    assert total(found, 0).tolist() == (found.astype(object).sum(0) % P).tolist()
    full = np.full(2**16, P - 1, np.uint64)
    assert int(total(full, 0)) == -(2**16) % P


def test_a_coefficient_is_its_residue() -> None:
    for a, b in ((1, 3), (-3, 64), (7, 1), (P + 2, 5)):
        assert (residue(Fraction(a, b)) * b - a) % P == 0
    with pytest.raises(ValueError, match="not invertible"):
        residue(Fraction(1, P))


def as_residues(values: NDArray[Any]) -> NDArray[Any]:
    return np.vectorize(lambda value: residue(Fraction(value)), otypes=[object])(values)


def test_the_form_over_residues_is_the_operator() -> None:
    """Against ``apply``, in fractions; the weight gradient by <gw, v> = <g, A(v) x>."""
    for op in OPERATORS[:30]:
        rng = cases.generator(902)
        x, g = (cases.integers(rng, (2, *s)) for s in (op.input_shape, op.output_shape))
        w, v = (cases.integers(rng, op.form.weight_shape) for _ in range(2))
        x_, g_, w_, v_ = (as_residues(each).astype(np.uint64) for each in (x, g, w, v))
        bias = [np.zeros(op.bias_shape, int)] if op.bias_shape else []
        exact = op.apply(x.astype(object), *([w.astype(object)] if op.learned else [None]), *bias)
        if op.learned:
            assert (applied(op.form, w_, x_) == as_residues(exact)).all()
        by_v = np.vdot(g.astype(object), applied(op.form, v_, x_).astype(object))
        gradient = weight_gradient(op.form, x_, g_).astype(object)
        assert (np.vdot(gradient, v.astype(object)) - by_v) % P == 0, op


# --- texts that are right --------------------------------------------------------------------


@pytest.mark.usefixtures("always")
@needs_cxx
@pytest.mark.parametrize("machine", MACHINES, ids=lambda m: m.name if m else "portable")
def test_random_operators(machine: Machine | None) -> None:
    """In lanes, too, whatever the number of channels: every text is its operator."""
    dtype = "float32" if machine in (None, X86[0]) else "float64"
    kernels = [
        (f"op{i}", op, c.emit(op, f"op{i}", machine, dtype)) for i, op in enumerate(OPERATORS)
    ]
    if machine is not None:
        assert sum(bool(text.takes.packed) for _, _, text in kernels) > 30
    for (_, op, _), found in zip(kernels, identities(kernels, seed=3), strict=True):
        assert found.holds, (op, found.differs)
        assert found.probability == Fraction(2, P)
        assert len(found.directions) == (4 if op.learned else 2)


@needs_cxx
def test_every_committed_text() -> None:
    """The bytes that generated/ holds, not what would be emitted today."""
    folder, kernels = ROOT / "generated/c", []
    for entry in read_catalogue(ROOT / "operators.toml"):
        files = {f"{entry.name}.{kind}": (folder / f"{entry.name}.{kind}") for kind in "ch"}
        read = {name: path.read_text() for name, path in files.items()}
        text = replace(c.emit(entry.op, entry.name), files=read)
        kernels.append((entry.name, entry.op, text))
    assert len(kernels) >= 42
    for (name, _, _), found in zip(kernels, identities(kernels), strict=True):
        assert found.holds, (name, found.differs)


# --- texts that are wrong --------------------------------------------------------------------

SUBJECTS = (
    derive.Conv2d(2, 3, 3, stride=2, padding=1, input_size=(6, 7)),
    derive.ConvTranspose2d(2, 4, 3, stride=2, padding=1, groups=2, input_size=4),
    derive.Conv2d(2, 2, 3, padding=1, input_size=8) @ derive.Interpolate(2, (4, 4), size=8),
    derive.Conv2d(1, 2, 3, padding=1, input_size=(6, 9))
    @ derive.Interpolate(1, (4, 6), scale_factor="3/2", mode="bilinear"),
    derive.Interpolate(2, (4, 5), size=(6, 7), mode="bicubic"),
)
Edit = Callable[[str], str]


def faults(op: Operator, text: str) -> list[str]:
    """The text with one thing changed, for every place of a kind that it has."""
    body = text.index('.h"')
    edits: list[tuple[str, Edit]] = [
        (
            r"(?<!SCALAR blend\[)(?<!SCALAR part_\d\[)(?<=[\[ ])\d+(?=\])",
            lambda found: str(int(found) ^ 1),
        ),  # the constant of an index
        (r"\b\d+(?=\*[a-z]\w*[ ;,)\]])", lambda found: str(int(found) - 1)),  # a stride
        (r"RATIO\(1, 3\)|RATIO\(\d+, \d+\)", lambda found: "RATIO(1, 5)"),  # a constant
        (r" \+ [a-zA-Z(][^;+]*\[[^\]]*\](?=;)", lambda found: ""),  # the last tap
        (r"\bw\[\d+\] \* x\[[^\]]*\]", lambda found: "0"),  # a tap
        (r"bias \? bias\[[^\]]*\] : 0", lambda found: "0"),  # the bias
        (r"(?<=_row\()[xyw]_\w+", lambda found: f"{found} + 1"),  # where a row begins
    ]
    made = []
    for pattern, edit in edits:
        for place in list(re.finditer(pattern, text[body:]))[::23]:
            begin, end = body + place.start(), body + place.end()
            changed = text[:begin] + edit(place.group()) + text[end:]
            if changed != text:
                made.append(changed)
    return made


@needs_cxx
def test_faults_are_found() -> None:
    """Wrong indices, strides and constants, taps and biases left out: none goes unseen."""
    kernels = []
    for subject, op in enumerate(SUBJECTS):
        name = f"subject{subject}"
        right = c.emit(op, name)
        assert codegen.identity(op, right, name=name).holds
        for number, wrong in enumerate(faults(op, right.files[f"{name}.c"])):
            own = f"{name}_{number}"
            files = {f"{own}.c": wrong, f"{own}.h": right.files[f"{name}.h"]}
            files = {file: lines.replace(name, own) for file, lines in files.items()}
            files = {file: re.sub(r"SUBJECT\d", own.upper(), t) for file, t in files.items()}
            kernels.append((own, op, CText(files, right.takes)))
    assert len(kernels) > 40
    unseen = [
        name
        for (name, _, _), found in zip(kernels, identities(kernels), strict=True)
        if found.holds
    ]
    assert unseen == []


@needs_cxx
def test_a_third_is_no_quarter() -> None:
    op = derive.Interpolate(1, 2, size=4, mode="linear", align_corners=True)
    text = c.emit(op, "linear")
    wrong = text.files["linear.c"].replace("RATIO(1, 3)", "RATIO(1, 4)", 1)
    assert wrong != text.files["linear.c"]
    found = codegen.identity(
        op, CText({**text.files, "linear.c": wrong}, text.takes), name="linear"
    )
    assert (found.holds, found.differs) == (False, ("forward",))


@needs_cxx
def test_a_number_beside_the_output_is_found() -> None:
    op = derive.Conv1d(1, 1, 2, bias=False, input_size=5)
    text = c.emit(op, "beside")
    wrong = text.files["beside.c"].replace("j < 4", "j < 5")
    assert wrong != text.files["beside.c"]
    found = codegen.identity(
        op, CText({**text.files, "beside.c": wrong}, text.takes), name="beside"
    )
    assert "forward" in found.differs


@needs_cxx
def test_a_text_that_is_no_c_is_refused() -> None:
    op = derive.Conv1d(1, 1, 3, input_size=5)
    text = c.emit(op, "broken")
    files = {**text.files, "broken.c": text.files["broken.c"] + "}"}
    with pytest.raises(CompileError, match="refused a text over Z_p"):
        codegen.identity(op, CText(files, text.takes), name="broken")


def test_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler --flag")
    library.cxx_compiler.cache_clear()
    try:
        with pytest.raises(CompileError, match="looked for no-such-compiler on the path"):
            codegen.identity(derive.Conv1d(1, 1, 3, input_size=5))
    finally:
        library.cxx_compiler.cache_clear()
