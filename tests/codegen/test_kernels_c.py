"""Emitted C kernels against torch: many in one library, between pages that must not be touched."""

from __future__ import annotations

import ctypes
import mmap
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.random import Generator

import derive
from codegen._runtime.compiler import find_compiler
from codegen._runtime.library import raw_function
from codegen.builder import c_sources
from derive import Operator
from derive.layers import Layer
from tests.cases import MODES, exhaustive_1d, generator, random_convolution, random_layer
from tests.codegen.judge import (
    DTYPES,
    Answer,
    Data,
    against_matrix,
    answer_of_raw,
    of_empty_batch,
    of_torch,
    of_torch_adjoint,
    telling,
)
from tests.codegen.libraries import at_a_guard, compiled_together, needs_compiler

pytestmark = needs_compiler

TOGETHER = 50
RANDOM_CHUNKS, ALL_1D_CHUNKS, ADJOINT_CHUNKS = 15, 7, 4


def check(
    folder: Path,
    ops: Sequence[Operator],
    answers: Callable[[int, Data], Answer],
    *,
    optimised: tuple[str, ...] = (),
    seed: int,
) -> int:
    """Every kernel in every dtype, arrays against a guard page; how many comparisons tell."""
    named = {f"kernel_{case}": op for case, op in enumerate(ops)}
    samples = [Data.of(op, generator(seed, case)) for case, op in enumerate(ops)]
    expected = [answers(case, data) for case, data in enumerate(samples)]
    for dtype in DTYPES:
        place = partial(at_a_guard, before=dtype == "float32")
        library = compiled_together(folder, named, dtype, optimised=dtype in optimised, place=place)
        for case, (name, op) in enumerate(named.items()):
            answer = answer_of_raw(library[name], op, samples[case].astype(dtype), place)
            assert answer.differences(expected[case]) == [], (op, dtype)
            empty, zeros = of_empty_batch(op)
            answer = answer_of_raw(library[name], op, empty.astype(dtype))
            assert answer.differences(zeros) == [], (op, dtype, "batch of 0")
    return sum(map(telling, expected))


@pytest.mark.parametrize("chunk", range(RANDOM_CHUNKS))
def test_random_layers(chunk: int, tmp_path: Path) -> None:
    """So many that tell; the others are compared, too, and not counted."""
    layers: list[Layer] = []
    told = 0
    while told < TOGETHER:
        layers.append(random_layer(generator(300, chunk, len(layers))))
        data = Data.of(layers[-1], generator(301, len(layers) - 1))
        told += telling(of_torch(layers[-1], data))
    answers = partial(_of_torch, layers)
    assert check(tmp_path, layers, answers, seed=301) == TOGETHER


def _of_torch(layers: Sequence[Layer], case: int, data: Data) -> Answer:
    return of_torch(layers[case], data)


@pytest.mark.parametrize("chunk", range(ALL_1D_CHUNKS))
def test_small_layers_of_one_axis(chunk: int, tmp_path: Path) -> None:
    """One in sixty of those that NumPy kernels are compared on without exception."""
    layers = list(exhaustive_1d(60 * chunk, 60 * ALL_1D_CHUNKS))
    assert len(layers) >= TOGETHER
    told = check(tmp_path, layers, partial(_of_torch, layers), seed=302)
    assert told > 0.9 * len(layers)


@pytest.mark.parametrize("chunk", range(ADJOINT_CHUNKS))
def test_adjoints(chunk: int, tmp_path: Path) -> None:
    """Adjoints of every padding mode, judged by torch's gradients and by the transposed matrix."""
    rng = generator(303, chunk)
    layers = [layer_of_mode(rng, MODES[case % len(MODES)]) for case in range(TOGETHER)]

    def answers(case: int, data: Data) -> Answer:
        answer = of_torch_adjoint(layers[case], data)
        assert against_matrix(layers[case].T, data, answer) == []
        transposed = layers[case].sparse(data.weight, "int64").T
        x = data.x.reshape(-1, transposed.shape[1])
        assert np.array_equal(answer.forward.reshape(len(x), -1), (transposed @ x.T).T)
        return answer

    told = check(tmp_path, [layer.T for layer in layers], answers, seed=304)
    assert told > 0.9 * len(layers)


def layer_of_mode(rng: Generator, mode: str) -> Layer:
    while True:
        layer = random_convolution(rng)
        if layer.parameters["padding_mode"] == mode:
            return layer


# --- tails -----------------------------------------------------------------------------------

WIDTHS = range(1, 21)
CONVOLUTIONS: dict[str, dict[str, Any]] = {
    "k3": {"kernel_size": 3, "padding": 1},
    "k3s2": {"kernel_size": 3, "stride": 2, "padding": 1},
    "k2s3": {"kernel_size": 2, "stride": 3},
    "k3d4": {"kernel_size": 3, "dilation": 4, "padding": 4},
    "k6_reflect": {"kernel_size": 6, "padding": ((2, 1),), "padding_mode": "reflect"},
    "k4u2s3": {"kernel_size": 4, "input_dilation": 2, "stride": 3, "padding": 2},
    "k17": {"kernel_size": 17, "padding": 8},  # more taps than are written out: loops
    "k19s2_circular": {
        "kernel_size": 19,
        "stride": 2,
        "padding": ((5, 4),),
        "padding_mode": "circular",
    },
}
TRANSPOSED: dict[str, dict[str, Any]] = {
    "k3": {"kernel_size": 3, "padding": 1},
    "k3s2": {"kernel_size": 3, "stride": 2, "padding": 1},
    "k4s2": {"kernel_size": 4, "stride": 2, "padding": 2},
    "k2s3": {"kernel_size": 2, "stride": 3, "padding": ((0, 1),)},
    "k3s2d2": {"kernel_size": 3, "stride": 2, "dilation": 2, "padding": 2},
    "k40s2": {"kernel_size": 40, "stride": 2, "padding": 20},
}


def of_width(width: int, layer: type[Layer], **parameters: Any) -> Layer:
    """The layer with the least input and, if it has one, output_padding that is so wide."""
    for n in range(1, 99):
        for extra in range(parameters.get("stride", 1)) if layer in TRANSPOSING else (None,):
            more = {} if extra is None else {"output_padding": extra}
            try:
                found = layer(2, 2, input_size=n, **parameters, **more)
            except derive.GeometryError:  # too small
                continue
            if found.output_size == (width,):
                return found
    raise AssertionError


OPTIMISED = ("k3", "k3s2", "k6_reflect", "k17", "transposed_k3", "transposed_k4s2")
TRANSPOSING = (derive.ConvTranspose1d,)


@pytest.mark.parametrize("kind", [*CONVOLUTIONS, *(f"transposed_{kind}" for kind in TRANSPOSED)])
def test_every_width_of_a_row(kind: str, tmp_path: Path) -> None:
    """Rows of 1 to 20, some kinds optimised as usual: a bug that needs a width shows here."""
    if kind in CONVOLUTIONS:
        layers = [of_width(n, derive.Conv1d, **CONVOLUTIONS[kind]) for n in WIDTHS]
    else:
        parameters = TRANSPOSED[kind.removeprefix("transposed_")]
        layers = [of_width(n, derive.ConvTranspose1d, **parameters) for n in WIDTHS]
    check(
        tmp_path,
        layers,
        partial(_of_torch, layers),
        optimised=("float32",) if kind in OPTIMISED else (),
        seed=305,
    )


# --- what the text must hold beyond its results ----------------------------------------------


@pytest.mark.parametrize("chunk", range(4))
def test_no_warnings(chunk: int, tmp_path: Path) -> None:
    """Of layers that compute something; in a dead one nothing uses the arguments."""
    compiler = find_compiler()
    layers = [random_layer(generator(306, chunk, case)) for case in range(TOGETHER)]
    living = {f"k{case}": layer for case, layer in enumerate(layers) if layer.macs}
    assert len(living) > 40
    for name, op in living.items():
        for file, text in c_sources(op, name).items():
            (tmp_path / file).write_text(text)
    (tmp_path / "whole.c").write_text("".join(f'#include "{name}.c"\n' for name in living))
    words = ["-std=c99", "-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
    done = subprocess.run(
        [*compiler.command, *words, "-Wno-unknown-pragmas", str(tmp_path / "whole.c")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_more_elements_than_32_bits_count(tmp_path: Path) -> None:
    """Reads on both sides of 2**31 elements, of memory that is only promised."""
    rows, columns, last = 2**11 + 1, 2**20, 8
    op = derive.Conv2d(
        1,
        1,
        (2, 1),
        stride=(8, 1),
        dilation=(8, 1),
        padding=((0, 0), (last - columns, 0)),
        bias=False,
        input_size=(rows, columns),
    )
    for file, text in c_sources(op, "far").items():
        (tmp_path / file).write_text(text)
    compiler, target = find_compiler(), tmp_path / "far.so"
    subprocess.run(compiler.arguments("int8_t", str(tmp_path / "far.c"), str(target)), check=True)
    library = ctypes.CDLL(str(target))
    memory = mmap.mmap(-1, rows * columns)
    memory.madvise(mmap.MADV_NOHUGEPAGE)  # what is touched is a thousand small pages
    x = np.frombuffer(memory, np.int8).reshape(1, 1, rows, columns)
    assert x.size > 2**31
    read = x[0, 0, ::8, -last:]
    read[...] = np.arange(read.size).reshape(read.shape) % 11 - 5
    w, y = np.array([[[[2], [-3]]]], np.int8), np.full((1, *op.output_shape), 99, np.int8)
    raw_function(library, "far_forward", 4)(x, w, y)
    assert np.array_equal(y[0, 0], 2 * read[:-1] - 3 * read[1:])
    grad, by_w = np.zeros_like(y), np.full((1, 1, 2, 1), 99, np.int8)
    grad[..., -1, -1] = 1
    raw_function(library, "far_weight_gradient", 3)(x, grad, by_w)
    assert by_w.ravel().tolist() == [read[-2, -1], read[-1, -1]]


@pytest.mark.parametrize("before", [False, True])
def test_a_guard_page_stops_who_reads_beyond(before: bool) -> None:
    """What the comparisons above rely on."""
    script = (
        "import numpy as np, ctypes\n"
        "from tests.codegen.libraries import at_a_guard\n"
        f"array = at_a_guard(np.arange(5), before={before})\n"
        "assert array.tolist() == [0, 1, 2, 3, 4]\n"
        f"ctypes.string_at(array.ctypes.data + {-1 if before else 40}, 1)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == -signal.SIGSEGV
