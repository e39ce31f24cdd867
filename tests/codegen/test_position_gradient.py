"""The weight gradient in position lanes on every machine this one can run, with == on integers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import derive
from codegen._runtime import c_function, library
from codegen._runtime.machine import ARM, X86, Machine, candidates
from codegen.cpu import schedule
from codegen.cpu.phase_rows import spans
from codegen.cpu.position_gradient import PositionGradient, position_gradient
from codegen.lower import lower
from codegen.prime_field import identities
from codegen.targets import c
from derive import Operator
from tests.cases import generator, random_layer
from tests.codegen.judge import WIDE, Array, Data, unwritten
from tests.codegen.libraries import at_a_guard, kernels_for, needs_compiler
from tests.codegen.schedules import position_lanes
from tests.codegen.test_identity import needs_cxx

WIDTHS = 33  # twice the lanes of the widest vector of float32, and one


@pytest.fixture
def in_lanes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "gradient_schedule", position_lanes)
    monkeypatch.setattr(schedule, "gather_schedule", lambda form, rows, machine, dtype: rows)


def wrong(
    folder: Path,
    ops: Sequence[Operator],
    machine: Machine,
    dtype: str,
    place: Callable[[Array], Array] = np.copy,
) -> list[str]:
    """The operators whose gradient is not that of <g, A(w) x>, judged by one random weight."""
    found = []
    for case, (kernel, op) in enumerate(kernels_for(folder, ops, machine, dtype)):
        data = Data.of(op, generator(82, case), (2,))
        x, g = (place(part.astype(dtype)) for part in (data.x, data.grad))
        grad = place(unwritten(op.form.weight_shape, dtype))
        kernel.load(dtype)["weight_gradient"](x, g, grad)
        v = np.random.default_rng(0).integers(-WIDE, WIDE, op.form.weight_shape)
        y = op.sparse(v, "int64") @ data.x.reshape(2, -1).T
        if not np.isfinite(grad).all() or np.vdot(grad.astype("int64"), v) != np.vdot(
            data.grad.reshape(2, -1).T, y
        ):
            found.append(repr(op))
    return found


MACHINES = pytest.mark.parametrize("machine", candidates(), ids=lambda machine: machine.name)


@needs_compiler
@MACHINES
@pytest.mark.usefixtures("in_lanes")
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_random_layers_and_adjoints(
    tmp_path: Path, machine: Machine, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All padding modes, strides, dilations and groups; arrays and scratch at guard pages."""
    rng = generator(81, len(machine.name), len(dtype))
    layers = [random_layer(rng) for _ in range(24)]
    ops: list[Operator] = [*layers, *(layer.T for layer in layers[:8])]
    place = partial(at_a_guard, before=machine == candidates()[0])
    scratch: list[Array] = []

    def kept(purpose: str, size: int) -> Array:
        scratch[:] = [place(np.full(size, 0xFF, np.uint8))]
        return scratch[0]

    monkeypatch.setattr(c_function, "kept", kept)
    assert wrong(tmp_path, ops, machine, dtype, place) == []
    texts = [c.emit(op, "k", machine, dtype) for op in ops]
    assert sum("weight_gradient" in text.takes.scratch for text in texts) > 0.7 * len(ops)


@needs_compiler
@MACHINES
@pytest.mark.usefixtures("in_lanes")
def test_every_width(tmp_path: Path, machine: Machine) -> None:
    """Rows of 1 to twice a vector and one: in place and copied, strided and transposed."""
    ops: list[Operator] = []
    for n in range(1, 2 * machine.vector_bytes // 4 + 2):
        groups = 1 + n % 2
        ops.append(derive.Conv2d(2, 2, (2, 3), padding=1, groups=groups, input_size=(2, n)))
        ops.append(derive.Conv1d(1, 2, 3, 2 + n % 3, 1, input_size=n))
        ops.append(derive.ConvTranspose1d(2, 1, 3, 2, 1, n % 2, input_size=n))
    assert wrong(tmp_path, ops, machine, "float32") == []


@needs_compiler
@pytest.mark.usefixtures("in_lanes")
def test_every_number_of_channels(tmp_path: Path) -> None:
    """Groups of 1 to 9 channels on either side, and rows in blocks with some left over."""
    ops: list[Operator] = [
        derive.Conv2d(2 * n, 2 * m, 3, padding=1, groups=2, input_size=(1 + n + m, 9))
        for n in range(1, 10)
        for m in ((1, n) if n % 2 else (2, 10 - n))
    ]
    ops += [derive.Conv2d(n, n, 5, 2, 2, groups=n, input_size=(4 + n, 13)) for n in range(1, 9)]
    assert wrong(tmp_path, ops, candidates()[0], "float32") == []


BANDED: list[derive.LinearMap] = [  # rows in several bands; taps of a row in several parts
    derive.Conv2d(2, 2, 3, padding=1, groups=2, input_size=(211, 70)),
    derive.Conv2d(2, 2, 3, 2, 1, groups=2, input_size=(190, 131)),
    derive.ConvTranspose2d(2, 1, 4, 2, 1, input_size=(90, 70)),
    derive.Conv1d(1, 2, 37, padding=18, input_size=90),
    derive.Conv3d(2, 2, 3, padding=1, groups=2, input_size=(4, 40, 33)),
    derive.Conv2d(2, 2, 7, padding=3, groups=2, padding_mode="reflect", input_size=(60, 40)),
    derive.Conv2d(2, 2, 3, padding=1, input_size=40) @ derive.Interpolate(2, (20, 20), size=40),
    derive.Conv2d(1, 1, 3, input_size=40)
    @ derive.Interpolate(1, (20, 20), size=40, mode="bilinear"),
]


@needs_compiler
@MACHINES
@pytest.mark.usefixtures("in_lanes")
def test_bands_of_rows(tmp_path: Path, machine: Machine) -> None:
    ops = [op for op in BANDED[:-1] if isinstance(op, Operator)]  # the last weighs by fractions
    if machine == candidates()[0]:
        assert {len(_nest(op, machine).bands) for op in ops} >= {1, 3}
    assert wrong(tmp_path, ops, machine, "float64") == []


def _nest(op: Operator, machine: Machine) -> PositionGradient:
    return position_gradient(lower(op.form).form, machine, 4)


@needs_cxx
@pytest.mark.usefixtures("in_lanes")
@pytest.mark.parametrize("machine", [X86[0], X86[1], ARM[0]], ids=["avx512", "avx2", "neon"])
def test_the_text_is_the_operator(machine: Machine) -> None:
    """Over Z_p, fractions too."""
    rng = generator(83, machine.vector_bytes)
    ops: list[Operator] = [random_layer(rng) for _ in range(8)]
    ops += [op for op in BANDED[-2:] if isinstance(op, Operator)]
    texts = [c.emit(op, f"op{i}", machine, "float32") for i, op in enumerate(ops)]
    kernels = [(f"op{i}", op, text) for i, (op, text) in enumerate(zip(ops, texts, strict=True))]
    assert [op for op, each in zip(ops, identities(kernels), strict=True) if not each.holds] == []


@needs_compiler
@pytest.mark.usefixtures("in_lanes")
def test_the_number_of_threads_changes_no_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    op = derive.Conv2d(14, 14, 3, padding=1, groups=2, input_size=(31, 37))
    rng = generator(84)
    x = rng.standard_normal((2, *op.input_shape)).astype("f4")
    g = rng.standard_normal((2, *op.output_shape)).astype("f4")
    bits = set()
    for number in (1, 2, 3, 64):
        threads = SimpleNamespace(number=lambda n=number: n, set=lambda n: None)
        monkeypatch.setattr(library, "Threads", lambda made, threads=threads: threads)
        folder = tmp_path / str(number)
        folder.mkdir()
        ((kernel, _),) = kernels_for(folder, [op], candidates()[0], "float32")
        bits.add(np.asarray(kernel.weight_gradient(x, g)).tobytes())
    assert len(bits) == 1


@pytest.mark.parametrize("lanes", [2, 4, 8, 16])
def test_spans_are_the_axis(lanes: int) -> None:
    """Every triple in one lane of one vector that is kept on both sides."""
    for case in range(60):
        layer = random_layer(generator(85, lanes, case))
        for axis in (*layer.axes, *layer.T.axes):
            met = []
            for span in spans(axis, lanes):
                for place in range(span.first, span.first + lanes * span.count):
                    for use in span.uses:
                        low, high = use.keep_y or use.keep_x or (0, lanes)
                        y = axis.step * place + span.y
                        x = axis.advance * (place + use.shift) + use.x
                        real = 0 <= y < axis.n_out and 0 <= x < axis.n_in
                        if low <= (place - span.first) % lanes < high and real:
                            met.append((y, use.tap, x))
            assert sorted(met) == sorted((y, t, x) for y, t, x, _ in axis.entries())


def test_the_text_does_not_grow_with_the_image() -> None:
    def size(n: int) -> int:
        op = derive.Conv2d(8, 8, 3, padding=1, groups=8, input_size=n)
        return len(c.emit(op, "k", X86[0], "float32").files["k.c"])

    assert size(960) < 1.1 * size(96)
