"""Large operators: three channels tell, faults between channels and within are seen."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import count

import numpy as np
import pytest

import derive
from codegen import CompileError
from codegen._runtime.trial import numbers
from codegen.few_channels import Channels, few_channels
from codegen.generate import entry_files
from codegen.prime_field import identities, library
from codegen.prime_field.library import few_turns
from codegen.targets.c import CText, emit
from codegen.targets.c_selftest import emit_selftest
from codegen.trials import trial
from derive import Operator
from derive.catalogue import Entry

SUBJECTS = {
    "conv": derive.Conv2d(5, 6, 3, padding=1, input_size=(3, 5)),
    "up": derive.ConvTranspose2d(25, 20, 4, stride=2, padding=1, groups=5, input_size=(2, 3)),
    "depthwise": derive.Conv2d(7, 7, 3, padding=1, groups=7, input_size=(4, 3)),
    "fused": derive.Conv1d(4, 5, 3, padding=1, input_size=8)
    @ derive.Interpolate(4, (4,), scale_factor=2),
    "resize": derive.Interpolate(6, (4, 5), size=(6, 5), mode="bilinear"),
}
LARGE = derive.Conv2d(40, 48, 3, padding=1, input_size=26)
SMALL = derive.Conv2d(4, 8, 3, input_size=9)


def cxx() -> bool:
    try:
        library.cxx_compiler()
    except CompileError:
        return False
    return True


needs_cxx = pytest.mark.skipif(not cxx(), reason="no C++ compiler")


def wrong_texts(name: str, text: CText) -> list[tuple[str, CText]]:
    """A count, a stride or a constant one less, wherever a loop over channels depends on it."""
    body, made, number = text.files[f"{name}.c"], [], count()
    for pattern in (r"(?<=; [gio] < )\d+(?=; [gio]\+\+\))", r"\b\d+(?=\*[gio]\b)"):
        for place in re.finditer(pattern, body):
            own = f"{name}_{next(number)}"
            changed = f"{body[: place.start()]}{int(place.group()) - 1}{body[place.end() :]}"
            files = {f"{own}.c": changed, f"{own}.h": text.files[f"{name}.h"]}
            files = {
                n: t.replace(name, own).replace(name.upper(), own.upper()) for n, t in files.items()
            }
            made.append((own, replace(text, files=files)))
    return made


@needs_cxx
def test_faults_between_channels_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codegen.few_channels.WHOLE", 0)  # so that all are large
    right = [(name, op, emit(op, name)) for name, op in SUBJECTS.items()]
    wrong = [(own, op, each) for name, op, text in right for own, each in wrong_texts(name, text)]
    wrong = wrong[::3]
    found = identities([*right, *wrong])
    assert [each.differs for each in found[: len(right)]] == [()] * len(right)
    unseen = [n for (n, _, _), each in zip(wrong, found[len(right) :], strict=True) if each.holds]
    assert len(wrong) > 20
    assert unseen == []


def test_loops_over_channels_alone_are_cut() -> None:
    text = emit(LARGE, "conv").files["conv.c"]
    cut = few_turns(text)
    assert cut.count("o += o == 1 ? 46 : 1") == 2  # forward and weight gradient, not of the bias
    assert re.sub(r"([gio]) \+= \1 == 1 \? \d+ : 1", r"\1++", cut) == text


def test_where_few_channels_lie() -> None:
    op = SUBJECTS["up"]
    channels = Channels(op, few_channels(op))
    few = np.arange(1, 1 + 2 * 9 * 2 * 3).reshape(2, 9, 2, 3)
    whole = channels.spread("x", few)
    held = np.flatnonzero(whole.any(axis=(0, 2, 3))).tolist()
    assert held == [0, 1, 4, 5, 6, 9, 20, 21, 24]
    assert (whole[:, held] == few).all()
    assert (channels.picked("x", whole) == channels.grouped("x", few)).all()


@pytest.mark.parametrize(("op", "large"), [(LARGE, True), (SMALL, False)])
def test_records_say_which_channels(op: Operator, large: bool) -> None:
    files = dict(entry_files(Entry("k", op)))
    claims = json.loads(files["c/k.cert.json"])["claims"]
    assert [("channels" in claims[each]) for each in ("identity", "integers")] == [large, large]
    if large:
        assert claims["integers"]["of"].endswith("input_size=26) with 3 -> 3 channels")


def test_derived_values_are_those_of_the_matrix() -> None:
    op = derive.Conv2d(3, 4, 3, stride=2, padding=1, bias=False, input_size=12)
    shapes = (2, 3, 12, 12), (2, 4, 6, 6), (4, 3, 3, 3)
    x, g, w = (numbers(shape, i, 4) for i, shape in enumerate(shapes))
    matrix = op.sparse(w, "int64")
    pairs = zip(x, g, strict=True)
    assert trial(op).values[0] == sum(int(b.ravel() @ (matrix @ a.ravel())) for a, b in pairs)


def test_beyond_minutes_nothing_is_derived() -> None:
    giant = derive.Conv2d(512, 512, 3, padding=1, input_size=64)
    assert trial(giant).values == ()
    assert emit_selftest(giant, "giant") is None
