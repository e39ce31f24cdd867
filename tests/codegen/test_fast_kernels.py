"""Fast kernels at every width, beside guard pages, under sanitizers, by any number of threads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import codegen
from codegen import Kernel
from codegen._runtime import c_function, library
from codegen._runtime.machine import Machine, candidates
from codegen.exactness import mismatches
from codegen.targets import c
from codegen.transforms import choice
from derive import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, Interpolate, Operator
from tests.cases import generator
from tests.codegen.layouts import LAYOUTS
from tests.codegen.libraries import at_a_guard, kernels_for, needs_compiler
from tests.codegen.program import Sample, run, write
from tests.codegen.test_layouts import TAKEN
from tests.codegen.test_sanitizers import ADDRESS, sanitizer

Array = NDArray[Any]
NARROW = candidates()[-1]  # few lanes, so that widths around them are few


@pytest.fixture(autouse=True)
def _always(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fast algorithm wherever there is one, also where it does not pay."""
    monkeypatch.setattr(choice, "WORTH", float("inf"))


def fused(size: tuple[int, int], mode: str = "nearest") -> Operator:
    outer = Conv2d(4, 5, 3, padding=1, input_size=tuple(2 * n for n in size))
    found = outer @ Interpolate(4, size, scale_factor=2, mode=mode)
    assert isinstance(found, Operator)
    return found


OPERATORS: dict[str, Operator] = {
    "plain": Conv2d(5, 9, 3, padding=1, input_size=(7, 11)),
    "strided": Conv2d(8, 8, 3, 2, 1, groups=2, input_size=(8, 9)),
    "dilated": Conv2d(8, 4, 3, padding=2, dilation=2, input_size=(6, 13)),
    "transposed": ConvTranspose2d(9, 5, 4, 2, 1, input_size=(4, 7)),
    "reflect": Conv2d(4, 8, 3, padding=1, padding_mode="reflect", input_size=(6, 7)),
    "bilinear": fused((4, 5), "bilinear"),
    "volume": Conv3d(4, 4, 3, padding=1, input_size=(3, 4, 7)),
    "vocoder": ConvTranspose1d(8, 4, 16, 8, 4, input_size=9),
}

# an operator with so many outputs along its rows, or fused with so many inputs
OF_WIDTH: dict[str, Callable[[int], Operator]] = {
    "conv": lambda w: Conv2d(4, 4, 3, padding=1, input_size=(5, w)),
    "transposed": lambda w: ConvTranspose1d(
        4, 5, 5, 3, padding=2, output_padding=(w + 2) % 3, input_size=(w + 2) // 3
    ),
    "strided": lambda w: Conv1d(4, 5, 4, stride=3, padding=2, input_size=3 * w - 2),
    "fused": lambda w: fused((3, w)),
}


def agreed(folder: Path, ops: list[Operator], machine: Machine, dtype: str) -> int:
    """How many functions are fast; all are right."""
    fast = 0
    for kernel, op in kernels_for(folder, ops, machine, dtype, "fast"):
        assert mismatches(kernel, op, batch=1) == [], op
        fast += len(kernel.fast)
    return fast


@needs_compiler
@pytest.mark.parametrize("kind", OF_WIDTH)
def test_every_output_width(tmp_path: Path, kind: str) -> None:
    """1 to 2V + 1, and the tiles that these take."""
    lanes = NARROW.vector_bytes // 4
    widths = range(2 if kind == "transposed" else 1, 2 * lanes + 2)
    ops = [OF_WIDTH[kind](width) for width in widths]
    assert agreed(tmp_path, ops, NARROW, "float32") > len(ops)


@needs_compiler
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_channels_around_a_vector(tmp_path: Path, dtype: str) -> None:
    """On either side, from the fewest that the schedule takes to 2V + 1."""
    lanes = NARROW.vector_bytes // np.dtype(dtype).itemsize
    counts = range(max(1, lanes // 2), 2 * lanes + 2)
    pairs = [(n, lanes) for n in counts] + [(lanes, n) for n in counts]
    ops: list[Operator] = [Conv2d(i, o, 3, padding=1, input_size=(4, 6)) for i, o in pairs]
    assert agreed(tmp_path, ops, NARROW, dtype) == 2 * len(ops)


@needs_compiler
@pytest.mark.parametrize("machine", candidates(), ids=lambda machine: machine.name)
def test_each_kind_on_each_machine(tmp_path: Path, machine: Machine) -> None:
    ops = [*OPERATORS.values(), *(op.T for name, op in OPERATORS.items() if name != "bilinear")]
    lanes = machine.vector_bytes // 8
    fast = agreed(tmp_path, ops, machine, "float64")
    assert fast > (len(ops) if lanes <= 4 else 6)


@needs_compiler
@pytest.mark.parametrize("before", [False, True])
def test_arrays_at_guard_pages(
    tmp_path: Path, before: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inputs, outputs, packed weights and scratch, which begin or end where nobody may read.

    Scratch is NaN before: what is read there without being written shows.
    """
    kept: list[Array] = []

    def place(array: Array) -> Array:
        kept.append(at_a_guard(array, before=before))
        return kept[-1]

    def room(numbers: int, dtype: np.dtype[Any]) -> Array:
        return place(np.full(numbers * dtype.itemsize, 255, np.uint8)).view(dtype)

    monkeypatch.setattr(library, "aligned", room)
    monkeypatch.setattr(c_function, "kept", lambda _, size: room(size, np.dtype(np.uint8)))
    rng = generator(961)
    ops = list(OPERATORS.values())
    for kernel, op in kernels_for(tmp_path, ops, NARROW, "float32", "fast"):
        functions = kernel.load("float32")
        x, g, w = (
            rng.integers(-4, 5, shape).astype("f4")
            for shape in ((2, *op.input_shape), (2, *op.output_shape), op.weight_shape)
        )
        bias = [rng.integers(-4, 5, op.bias_shape).astype("f4")] if op.bias_shape else []
        for direction in kernel.fast:
            inputs = [x, w, *bias] if direction == "forward" else [g, w]
            written = place(np.full_like(g if direction == "forward" else x, np.nan))
            functions[direction](*map(place, inputs), written)
            assert np.array_equal(written, getattr(kernel, direction)(*inputs)), op
            assert not np.isnan(written).any()


@needs_compiler
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_under_sanitizers(tmp_path: Path, dtype: str) -> None:
    """Exact-size arrays, scratch among them; every number within its bound."""
    command = sanitizer(ADDRESS)
    samples = [Sample.of(op, generator(962, i)) for i, op in enumerate(OPERATORS.values())]
    assert all(sample.told for sample in samples)
    texts = [c.emit(each.op, f"k{i}", NARROW, dtype, "fast") for i, each in enumerate(samples)]
    assert sum(len(text.fast) for text in texts) > len(samples)
    write(tmp_path, samples, texts, dtype)
    done = run(tmp_path, command, dtype, (*ADDRESS, *NARROW.flags))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_compiler
def test_a_program_sees_what_is_beyond_its_bound(tmp_path: Path) -> None:
    """A transformed weight a thousandth too large."""
    sample = Sample.of(OPERATORS["plain"], generator(963))
    text = c.emit(sample.op, "k", NARROW, "float64", "fast")
    old = "to[l] = (SCALAR)from[l];"
    assert old in text.files["k.c"]
    lines = text.files["k.c"].replace(old, "to[l] = (SCALAR)1.001 * (SCALAR)from[l];", 1)
    wrong = type(text)({**text.files, "k.c": lines}, text.takes, text.fast)
    write(tmp_path, [sample], [wrong])
    done = run(tmp_path, sanitizer(ADDRESS)[:1], "float64", ("-O0", *NARROW.flags))
    assert done.returncode
    assert "k_forward[" in done.stdout


@needs_compiler
@pytest.mark.parametrize("cache", [1 << 13, 1 << 19], ids=["apart", "together"])
def test_the_number_of_threads_changes_no_bit(
    tmp_path: Path, cache: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each with blocks of its own, and all with one."""
    op = Conv2d(16, 24, 3, padding=1, input_size=(30, 37))
    machine = Machine("test", NARROW.registers, NARROW.vector_bytes, frozenset(), (), cache)
    rng = generator(964)
    x, g, w, b = (
        rng.standard_normal(shape).astype("f4")
        for shape in ((2, *op.input_shape), (2, *op.output_shape), op.weight_shape, op.bias_shape)
    )
    bits = set()
    for number in (1, 2, 3):
        threads = SimpleNamespace(number=lambda n=number: n, set=lambda n: None)
        monkeypatch.setattr(library, "Threads", lambda made, threads=threads: threads)
        folder = tmp_path / str(number)
        folder.mkdir()
        ((kernel, _),) = kernels_for(folder, [op], machine, "float32", "fast")
        assert kernel.fast == ("forward", "input_gradient")
        bits.add((kernel(x, w, b).tobytes(), kernel.input_gradient(g, w).tobytes()))
    assert len(bits) == 1


@needs_compiler
def test_layouts(tmp_path: Path) -> None:
    """However the arrays lie in memory, the same bits."""
    rng = generator(965)
    op = OPERATORS["plain"]
    ((kernel, _),) = kernels_for(tmp_path, [op], NARROW, "float64", "fast")
    arrays = [
        rng.standard_normal(s) for s in ((2, *op.input_shape), op.weight_shape, op.bias_shape or ())
    ]
    folder = tmp_path / "maps"
    folder.mkdir()
    for layout in TAKEN:
        changed = [LAYOUTS[layout](array, folder) for array in arrays]
        same = [np.array(np.asarray(each), order="C") for each in changed]
        expected, found = kernel(*same), np.asarray(kernel(*changed))
        assert found.tobytes() == expected.tobytes(), layout


@needs_compiler
def test_of_free_size() -> None:
    """Each size has tiles and a bound of its own, by which it is judged."""
    layer = Conv2d(8, 8, 3, padding=1)
    kernel = codegen.build(layer, algorithm="fast")
    verdict = codegen.certify(kernel, layer, budget=12)
    assert verdict.valid, verdict


@needs_compiler
def test_its_record() -> None:
    """The class, the tiles and their growth; the identity test proves the text."""
    kernel = codegen.build(Conv2d(16, 16, 3, padding=1, input_size=(8, 9)), algorithm="fast")
    assert isinstance(kernel, Kernel)
    claims = kernel.certificate["claims"]
    assert set(claims["fast"]) == set(kernel.fast) == {"forward", "input_gradient"}
    tiles = claims["fast"]["forward"]
    assert set(tiles) == {
        "class", "method", "tile", "products_per_output", "growth", "roundings",
    }  # fmt: skip
    assert claims["identity"]["differs"] == claims["integers"]["differs"] == []
    assert claims["integers"]["within_bound"] == sorted(kernel.fast)
    assert set(claims["rounding"]["n"]["float32"]) == {"weight_gradient", "bias_gradient"}
