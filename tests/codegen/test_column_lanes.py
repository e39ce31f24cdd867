"""The column-lane schedule on every machine this one can run, with == on integers."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.random import Generator

import derive
from codegen import Kernel
from codegen._runtime import gradient_steps, library
from codegen._runtime.machine import X86, Machine, candidates
from codegen.cpu.column_cost import Shape, best_shape
from codegen.cpu.column_lanes import column_cycles, columns_of, flattened
from codegen.exactness import mismatches
from codegen.indices import index_safety
from codegen.prime_field import identities
from codegen.targets import c
from derive import Operator
from tests.cases import generator, random_layer
from tests.codegen.judge import DTYPES, Data, against_matrix, answer_of_raw, unwritten
from tests.codegen.libraries import at_a_guard, kernels_for, needs_compiler
from tests.codegen.test_identity import needs_cxx

MACHINES = pytest.mark.parametrize("machine", candidates(), ids=lambda machine: machine.name)
V4 = X86[0]


def wide_layer(rng: Generator) -> derive.Layer:
    """Rows of a few vectors, few channels, anything else."""
    dimensions, transposed = int(rng.integers(1, 3)), rng.random() < 0.4
    groups = int(rng.integers(1, 3))
    kind: Any = [
        [derive.Conv1d, derive.Conv2d],
        [derive.ConvTranspose1d, derive.ConvTranspose2d],
    ][transposed][dimensions - 1]
    words = {} if transposed else {"padding_mode": rng.choice(["zeros", "reflect", "circular"])}
    return kind(
        groups * int(rng.integers(1, 4)),
        groups * int(rng.integers(1, 6)),
        int(rng.integers(1, 5)),
        int(rng.integers(1, 4)),
        padding=int(rng.integers(0, 2)),
        dilation=int(rng.integers(1, 3)),
        groups=groups,
        input_size=[int(rng.integers(7, 10)), int(rng.integers(8, 60))][-dimensions:],
        **words,
    )


def right(folder: Path, ops: list[Operator], machine: Machine, dtype: str) -> None:
    for kernel, op in kernels_for(folder, ops, machine, dtype):
        assert mismatches(kernel, op) == [], op


@needs_compiler
@pytest.mark.usefixtures("in_columns")
@pytest.mark.parametrize("dtype", DTYPES)
@MACHINES
def test_random_layers_and_adjoints(tmp_path: Path, machine: Machine, dtype: str) -> None:
    rng = generator(83, len(machine.name), len(dtype))
    ops: list[Operator] = [*(random_layer(rng) for _ in range(8))]
    ops += [wide_layer(rng) for _ in range(12)]
    ops += [layer.T for layer in ops[:12:2]]
    right(tmp_path, ops, machine, dtype)


@needs_compiler
@pytest.mark.usefixtures("in_columns")
@pytest.mark.parametrize("channels", [*range(1, 10), 15, 16, 17, 31, 32, 33])
def test_channels_around_a_vector(tmp_path: Path, channels: int) -> None:
    ops: list[Operator] = [
        derive.Conv2d(2, channels, 3, padding=1, input_size=(3, 9)),
        derive.Conv2d(channels, 2 * channels, 1, groups=channels, input_size=(5, 8)),
        derive.ConvTranspose2d(channels, 3, 4, stride=2, padding=1, input_size=(2, 5)),
    ]
    right(tmp_path, ops, candidates()[0], "float32")


# an operator of each kind with so many outputs; fused: with so many inputs
OF_WIDTH: dict[str, Callable[[int], Any]] = {
    "conv": lambda w: derive.Conv1d(2, 3, 3, padding=1, input_size=w),
    "valid": lambda w: derive.Conv2d(2, 1, 3, input_size=(4, w + 2)),
    "one tap": lambda w: derive.Conv2d(3, 2, 1, input_size=(1, w)),
    "dilated": lambda w: derive.Conv1d(1, 2, 3, padding=3, dilation=3, input_size=w),
    "replicate": lambda w: derive.Conv1d(
        1, 2, 5, padding=2, padding_mode="replicate", input_size=w
    ),
    "transposed": lambda w: derive.ConvTranspose1d(
        1, 2, 5, 3, padding=2, output_padding=(w + 2) % 3, input_size=(w + 2) // 3
    ),
    "strided": lambda w: derive.Conv1d(1, 2, 4, stride=3, padding=2, input_size=3 * w - 2),
    "fused": lambda w: (
        derive.Conv1d(1, 2, 3, padding=1, input_size=2 * w)
        @ derive.Interpolate(1, (w,), scale_factor=2)
    ),
}


@needs_compiler
@pytest.mark.usefixtures("in_columns")
@pytest.mark.parametrize("kind", OF_WIDTH)
@MACHINES
def test_every_output_width(tmp_path: Path, kind: str, machine: Machine) -> None:
    """Widths up to two vectors and one: rows shorter than a vector, overlapping last ones."""
    dtype = DTYPES[sorted(OF_WIDTH).index(kind) % len(DTYPES)]
    lanes = machine.vector_bytes // (4 if dtype == "float32" else 8)
    right(tmp_path, [OF_WIDTH[kind](w) for w in range(1, 2 * lanes + 2)], machine, dtype)


@needs_compiler
@pytest.mark.usefixtures("in_columns")
@pytest.mark.parametrize("before", [False, True])
@MACHINES
def test_arrays_at_guard_pages(
    tmp_path: Path, machine: Machine, before: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inputs, outputs and prepared weights, which begin or end where nobody may read."""
    place = partial(at_a_guard, before=before)
    monkeypatch.setattr(
        library, "aligned", lambda numbers, dtype: place(unwritten((numbers,), dtype.name))
    )
    monkeypatch.setattr(
        gradient_steps, "kept", lambda purpose, size: place(np.full(size, 0xFF, np.uint8))
    )
    dtype = DTYPES[len(machine.name) % 2 + 1]
    rng = generator(84, len(machine.name), before)
    ops: list[Operator] = [wide_layer(rng) for _ in range(14)]
    ops += [OF_WIDTH["conv"](w) for w in (2, 3, 7, 14, 15, 17)]
    for kernel, op in kernels_for(tmp_path, ops, machine, dtype):
        data = Data.of(op, rng).astype(dtype)
        answer = answer_of_raw(kernel.load(dtype), op, data, place)
        assert against_matrix(op, data.astype("int64"), answer) == [], op


@needs_compiler
@pytest.mark.usefixtures("in_columns")
def test_any_number_of_threads_gives_the_same_bits(tmp_path: Path) -> None:
    """On floats that are no integers; enough work that the threads do share it."""
    ops: list[Operator] = [
        derive.Conv2d(8, 9, 3, padding=1, bias=False, input_size=(40, 45)),
        derive.Conv2d(32, 12, 1, bias=False, input_size=(33, 31)),
        derive.ConvTranspose2d(16, 3, 4, 2, padding=1, bias=False, input_size=(20, 21)),
    ]
    for kernel, op in kernels_for(tmp_path, ops, candidates()[0], "float32"):
        answers = {threads: random_answer(tmp_path, kernel, op, threads) for threads in (1, 2, 3)}
        assert len({*answers.values()}) == 1, op


def random_answer(folder: Path, kernel: Kernel, op: Operator, threads: int) -> bytes:
    assert op.weight_shape is not None
    rng = np.random.default_rng(0)
    x, w = rng.random((2, *op.input_shape), "f4"), rng.random(op.weight_shape, "f4")
    try:
        set_threads = ctypes.CDLL(str(folder / "float32.so"))["omp_set_num_threads"]
    except AttributeError:
        pytest.skip("the compiler has no OpenMP")
    set_threads(threads)
    return bytes(kernel(x, w).tobytes())


@needs_cxx
@pytest.mark.usefixtures("in_columns")
@pytest.mark.parametrize("machine", X86, ids=lambda machine: machine.name)
def test_the_text_is_its_operator(machine: Machine) -> None:
    """Over the integers modulo 2**61 - 1; and no index of the two gathers leaves its array."""
    rng = generator(85, len(machine.name))
    ops: list[Operator] = [wide_layer(rng) for _ in range(10)]
    ops += [op.T for op in ops[:4]]
    texts = [(f"op{i}", op, c.emit(op, f"op{i}", machine)) for i, op in enumerate(ops)]
    for (name, op, text), found in zip(texts, identities(texts), strict=True):
        assert found.holds, (op, found.differs)
        problems = index_safety(op, text, name=name).problems
        assert [each for each in problems if not each.startswith("weight_gradient")] == [], op


# --- the choice of a tile --------------------------------------------------------------------


def test_one_tap_makes_one_row_of_all_positions() -> None:
    form = derive.Conv3d(4, 4, 1, input_size=(3, 5, 7)).form
    assert flattened(form).output_shape == (4, 105)
    tall = derive.Conv2d(4, 4, (3, 1), padding=(1, 0), input_size=(5, 7)).form
    assert flattened(tall).output_shape == (4, 35)
    strided = derive.Conv2d(4, 4, 1, stride=2, input_size=(5, 7)).form
    assert flattened(strided) == strided


def test_registers_are_filled_and_not_more() -> None:
    for op in (
        derive.Conv2d(64, 3, 5, padding=2, input_size=64),
        derive.ConvTranspose2d(64, 3, 4, 2, padding=1, input_size=64),
        derive.Conv2d(256, 64, 1, input_size=56),
        derive.Conv2d(4, 4, 3, padding=1, input_size=56),
    ):
        form = flattened(op.form)
        for machine, lanes in ((V4, 16), (X86[1], 8)):
            shape = best_shape(form, machine, lanes)
            assert isinstance(shape, Shape)
            sums = shape.outputs * shape.rows * shape.vectors * form.axes[-1].step
            assert machine.registers // 3 <= sums < machine.registers


def test_rows_of_one_number_and_many_phases_do_not_fit() -> None:
    for op in (
        derive.Conv1d(2, 2, 1, input_size=1),
        derive.ConvTranspose1d(2, 1, 40, stride=40, input_size=9),
        derive.Conv1d(2, 1, 3, stride=5, input_size=90),
    ):
        assert column_cycles(op.form, V4, 4) is None


def test_the_text_does_not_grow_with_the_input() -> None:
    form = derive.Conv2d(3, 4, 3, padding=1, input_size=10**5).form
    found = columns_of(form, V4, 4)
    assert len(found.tiles) <= 4
    assert [len(sweeps) for _, sweeps in found.blocks] == [3]
