"""The depthwise schedule on every machine this one can run, with == on integers."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

import derive
from codegen._runtime.machine import X86, Machine, candidates
from codegen.cpu.depthwise import depthwise
from codegen.exactness import mismatches
from codegen.indices import index_safety
from codegen.prime_field import identities
from codegen.targets import c
from derive import Operator
from tests.cases import generator
from tests.codegen.judge import DTYPES, Data, against_matrix, answer_of_raw
from tests.codegen.libraries import at_a_guard, kernels_for, needs_compiler
from tests.codegen.test_identity import needs_cxx

MACHINES = pytest.mark.parametrize("machine", candidates(), ids=lambda machine: machine.name)
MODES = ["zeros", "reflect", "replicate", "circular"]


def layers(widths: range) -> list[Operator]:
    """Kernels, strides, dilations, modes and multipliers, one after the other over all widths."""
    found: list[Operator] = []
    for i, width in enumerate(widths):
        height = 4 + 2 * i % 11
        kernel, stride, multiplier = (3, 5, 2, 7)[i % 4], 1 + i % 3, 1 + i % 2
        words = {"stride": stride, "groups": 2, "padding": kernel // 2}
        if i % 5 == 4:
            words |= {"output_padding": stride - 1}
            op = derive.ConvTranspose2d(
                2, 2 * multiplier, kernel, input_size=(height, width), **words
            )
        else:
            op = derive.Conv2d(
                2,
                2 * multiplier,
                kernel,
                dilation=1 + i % 7 // 6,
                padding_mode=MODES[i % 4],
                input_size=(height, width),
                **words,
            )
        found += [op, op.T] if multiplier == 1 else [op]
    return found


@needs_compiler
@pytest.mark.usefixtures("in_strips")
@pytest.mark.parametrize("dtype", DTYPES)
@MACHINES
def test_every_width(tmp_path: Path, machine: Machine, dtype: str) -> None:
    lanes = machine.vector_bytes // (4 if dtype == "float32" else 8)
    ops = layers(range(4, 4 + 2 * lanes))
    ops += [derive.Conv1d(3, 3, 4, padding=2, groups=3, input_size=w) for w in (2, lanes, 50)]
    for kernel, op in kernels_for(tmp_path, ops, machine, dtype):
        assert mismatches(kernel, op) == [], op


@needs_compiler
@pytest.mark.usefixtures("in_strips")
@pytest.mark.parametrize("before", [False, True])
@MACHINES
def test_arrays_at_guard_pages(tmp_path: Path, machine: Machine, before: bool) -> None:
    rng, place = generator(86, before), partial(at_a_guard, before=before)
    dtype = DTYPES[len(machine.name) % 2 + 1]
    ops = layers(range(5, 37, 3))
    for kernel, op in kernels_for(tmp_path, ops, machine, dtype):
        data = Data.of(op, rng).astype(dtype)
        answer = answer_of_raw(kernel.load(dtype), op, data, place)
        assert against_matrix(op, data.astype("int64"), answer) == [], op


@needs_cxx
@pytest.mark.usefixtures("in_strips")
@pytest.mark.parametrize("machine", X86, ids=lambda machine: machine.name)
def test_the_text_is_its_operator(machine: Machine) -> None:
    """Over the integers modulo 2**61 - 1; and no index of the two gathers leaves its array."""
    ops = layers(range(5, 36, 6))
    texts = [(f"op{i}", op, c.emit(op, f"op{i}", machine)) for i, op in enumerate(ops)]
    for (name, op, text), found in zip(texts, identities(texts), strict=True):
        assert found.holds, (op, found.differs)
        problems = index_safety(op, text, name=name).problems
        assert [each for each in problems if not each.startswith("weight_gradient")] == [], op


def test_strips_are_few_and_the_weight_is_taken_as_it_lies() -> None:
    form = derive.Conv2d(8, 8, 3, padding=1, groups=8, input_size=10**4).form
    found = depthwise(form, X86[0], 4)
    assert found is not None
    assert len(found.strips) <= 4
    assert sum(strip.count * strip.rows for strip in found.strips) == 10**4
    text = c.emit(derive.Conv2d(8, 8, 3, padding=1, groups=8, input_size=40), "op", X86[0])
    assert text.takes.packed == {}


def test_only_one_input_channel_and_two_axes_fit() -> None:
    assert depthwise(derive.Conv2d(4, 2, 3, groups=2, input_size=9).form, X86[0], 4) is None
    assert depthwise(derive.Conv3d(2, 2, 3, groups=2, input_size=9).form, X86[0], 4) is None
