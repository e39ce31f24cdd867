"""The channel-lane schedule on every machine this one can run, with == on integers."""

from __future__ import annotations

import ctypes
import dataclasses
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import derive
from codegen import Kernel, lane_gradient
from codegen._runtime.compiler import SCALARS, Compiler, find_compiler
from codegen._runtime.library import c_functions
from codegen._runtime.machine import Machine, candidates
from codegen.exactness import mismatches
from codegen.lanes import suits
from codegen.targets import c
from codegen.tiles import tiles
from derive import Operator
from tests.cases import generator, random_layer
from tests.codegen.libraries import needs_compiler

WIDTHS = range(1, 2 * 32 + 2)


def machines() -> list[Machine]:
    return list(candidates())


def lane_compiler(machine: Machine) -> Compiler:
    """The compiler with the flags of another machine that this one includes."""
    found = find_compiler()
    own = () if found.machine is None else found.machine.flags
    flags = tuple(flag for flag in found.flags if flag not in own)
    return dataclasses.replace(found, flags=(*flags, *machine.flags), machine=machine)


def kernels(
    folder: Path, ops: list[Operator], machine: Machine, dtype: str
) -> Iterator[tuple[Kernel, Operator]]:
    """Kernels in lanes, whatever the number of channels, all from one compilation."""
    texts = [c.emit(op, f"op{i}", machine, dtype) for i, op in enumerate(ops)]
    for text in texts:
        for name, lines in text.files.items():
            (folder / name).write_text(lines)
    whole, library = folder / "whole.c", folder / "whole.so"
    whole.write_text("".join(f'#include "op{i}.c"\n' for i in range(len(ops))))
    words = lane_compiler(machine).arguments(SCALARS[dtype], str(whole), str(library))
    subprocess.run(["-O0" if word == "-O2" else word for word in words], check=True)
    ctypes.CDLL(str(library))
    for i, (op, text) in enumerate(zip(ops, texts, strict=True)):
        load = c_functions(
            f"op{i}",
            text.files,
            lambda sources, scalar: library,
            folded=text.folded,
            packed=text.packed,
            packed_sample=text.packed_sample,
        )
        yield (
            Kernel(
                f"op{i}",
                op.input_shape,
                op.output_shape,
                op.weight_shape,
                op.bias_shape,
                op.macs,
                op.naive_macs,
                load,
                (dtype,),
            ),
            op,
        )


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lanes for every operator, also those with channels too few to be worth it."""
    monkeypatch.setattr(c, "suits", lambda form, machine, item: True)
    monkeypatch.setattr(lane_gradient, "suits", lambda form, machine, item: True)


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
    for kernel, op in kernels(tmp_path, ops, machine, dtype):
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
    for kernel, op in kernels(tmp_path, ops, machine, "float32"):
        assert mismatches(kernel, op) == [], op


@needs_compiler
@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("layer", ["conv", "strided", "transposed", "fused"])
def test_every_output_width(tmp_path: Path, layer: str) -> None:
    """A tile that is wrong for some width only is found by trying all around two tiles."""
    ops: list[Operator] = []
    for n in WIDTHS:
        made: derive.LinearMap = {
            "conv": lambda n: derive.Conv1d(2, 3, 3, padding=1, input_size=n),
            "strided": lambda n: derive.Conv1d(1, 2, 4, stride=3, padding=2, input_size=n),
            "transposed": lambda n: derive.ConvTranspose1d(1, 2, 5, stride=3, input_size=n),
            "fused": lambda n: (
                derive.Conv1d(1, 2, 3, padding=1, input_size=2 * n)
                @ derive.Interpolate(1, (n,), scale_factor=2)
            ),
        }[layer](n)
        assert isinstance(made, Operator)
        ops.append(made)
    for kernel, op in kernels(tmp_path, ops, machines()[0], "float32"):
        assert mismatches(kernel, op, batch=1) == [], op


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
