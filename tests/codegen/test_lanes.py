"""The channel-lane schedule on every machine this one can run, with == on integers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import derive
from codegen._runtime import gradient_steps, library
from codegen._runtime.machine import Machine, candidates
from codegen.cpu.lanes import suits
from codegen.cpu.tiles import tiles
from codegen.exactness import mismatches
from derive import Operator
from tests.cases import generator, random_layer
from tests.codegen.judge import DTYPES, Data, against_matrix, answer_of_raw, unwritten
from tests.codegen.libraries import at_a_guard, kernels_for, needs_compiler

GUARDED = 20  # layers for each machine, dtype and side


def machines() -> list[Machine]:
    return list(candidates())


@needs_compiler
@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
@pytest.mark.parametrize("machine", machines(), ids=lambda machine: machine.name)
@pytest.mark.parametrize("chunk", range(2))
def test_random_layers_and_adjoints(
    tmp_path: Path, machine: Machine, dtype: str, chunk: int
) -> None:
    rng = generator(61, chunk, len(machine.name), len(dtype))
    ops: list[Operator] = [random_layer(rng) for _ in range(25)]
    ops += [layer.T for layer in ops[:8]]
    for kernel, op in kernels_for(tmp_path, ops, machine, dtype):
        assert mismatches(kernel, op) == [], op


@needs_compiler
@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("channels", [1, 7, 8, 9, 15, 16, 17, 33])
def test_channels_around_a_vector(tmp_path: Path, channels: int) -> None:
    machine = machines()[0]
    ops: list[Operator] = [
        derive.Conv2d(2, channels, 3, padding=1, input_size=(5, 9)),
        derive.Conv2d(2, 2 * channels, 3, stride=2, groups=2, input_size=(7, 8)),
        derive.ConvTranspose2d(channels, 3, 4, stride=2, padding=1, input_size=(4, 5)),
        derive.Conv2d(channels, 2, 3, padding=1, padding_mode="reflect", input_size=(4, 6)),
    ]
    for kernel, op in kernels_for(tmp_path, ops, machine, "float32"):
        assert mismatches(kernel, op) == [], op


# an operator of each kind with so many outputs; fused: with so many inputs
OF_WIDTH: dict[str, Callable[[int], derive.LinearMap]] = {
    "conv": lambda w: derive.Conv1d(2, 3, 3, padding=1, input_size=w),
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
@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("machine", machines(), ids=lambda machine: machine.name)
@pytest.mark.parametrize(
    ("kind", "dtype"),
    [("conv", "float32"), ("transposed", "float32"), ("strided", "float32"), ("fused", "float32")]
    + [(kind, dtype) for kind in ("conv", "transposed") for dtype in ("float64", "int64")],
)
def test_every_output_width(tmp_path: Path, kind: str, dtype: str, machine: Machine) -> None:
    """A tile of V columns that is wrong for some width only is found by trying 1 to 2V + 1."""
    ops: list[Operator] = []
    most = machine.registers - 4  # three taps at least and a number are in registers, too
    for width in range(1, 2 * most + 2):
        op = OF_WIDTH[kind](width)
        assert isinstance(op, Operator)
        assert kind == "fused" or op.output_size == (width,)
        ops.append(op)
    for kernel, op in kernels_for(tmp_path, ops, machine, dtype):
        assert mismatches(kernel, op, batch=1) == [], op


@needs_compiler
@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("machine", machines(), ids=lambda machine: machine.name)
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
    for dtype in DTYPES:
        rng = generator(63, len(machine.name), len(dtype))
        layers = [random_layer(rng) for _ in range(GUARDED)]
        for kernel, op in kernels_for(tmp_path, [*layers], machine, dtype):
            data = Data.of(op, rng).astype(dtype)
            answer = answer_of_raw(kernel.load(dtype), op, data, place)
            assert against_matrix(op, data.astype("int64"), answer) == [], op


@pytest.mark.parametrize("widest", [1, 2, 5, 12, 28])
def test_tiles_are_the_axis(widest: int) -> None:
    """Every output in one tile, and every triple of the axis read once."""
    for case in range(60):
        layer = random_layer(generator(62, widest, case))
        for axis in (*layer.axes, *layer.T.axes):
            outputs, triples = [], []
            for tile in tiles(axis, widest):
                assert tile.width <= widest
                for c_ in range(tile.count):
                    y, x = tile.y + tile.y_step * c_, tile.x + tile.x_step * c_
                    outputs += range(y, y + tile.width)
                    triples += [(y + j, tap, x + place) for j, tap, place in tile.reads]
            assert sorted(outputs) == list(range(axis.n_out))
            assert sorted(triples) == sorted((y, t, x) for y, t, x, _ in axis.entries())


def test_long_axes_have_few_tiles() -> None:
    axis = derive.ConvTranspose1d(1, 1, 16, stride=8, padding=4, input_size=10**6).axes[0]
    assert len(tiles(axis, 24)) <= 4


def test_lanes_need_most_of_a_vector() -> None:
    machine = Machine("test", 32, 64, frozenset(), ())
    few, many = (derive.Conv1d(4, n, 3, input_size=9).form for n in (11, 12))
    assert not suits(few, machine, 4)
    assert suits(many, machine, 4)
