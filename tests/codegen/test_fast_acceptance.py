"""Wrong fast kernels are refused three times: by acceptance, by certify's judge and over Z_p."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import codegen
from codegen import Kernel, WrongKernelError
from codegen._runtime.machine import Machine, candidates
from codegen.acceptance import SMALL, faults
from codegen.builder import c_job, compile_libraries
from codegen.cpu.schedule import Plan, plan
from codegen.exactness import mismatches
from codegen.lower import lower
from codegen.prime_field import identities
from codegen.targets.c import CText, emit
from codegen.tile_acceptance import right_on_tiles
from codegen.transforms import Transform, choice
from codegen.transforms.axis_tiles import AxisTiles, Window
from derive import Conv2d, Conv3d, ConvTranspose2d, Operator
from derive.winograd.rational import Matrix
from tests.codegen.libraries import kernels_for, kernels_of, needs_compiler
from tests.codegen.test_identity import needs_cxx

Array = NDArray[Any]
SMALL_CACHE = 1 << 13  # bytes, in which a block is a chunk of a row of tiles
PLAIN = Conv2d(20, 17, 3, padding=1, input_size=(9, 110))
REFLECT = Conv2d(16, 16, 3, padding=1, padding_mode="reflect", input_size=(14, 15))
VOLUME = Conv3d(16, 16, 3, padding=1, input_size=(5, 8, 9))
TRANSPOSED = ConvTranspose2d(16, 16, 4, 2, 1, input_size=(9, 13))


def changed(matrix: Matrix, change: Callable[[Fraction], Fraction], row: int = 1) -> Matrix:
    """One number of a row changed, the last that is not 0."""
    column = max(j for j, value in enumerate(matrix[row]) if value)
    numbers = list(matrix[row])
    numbers[column] = change(numbers[column])
    return (*matrix[:row], tuple(numbers), *matrix[row + 1 :])


def doubled(value: Fraction) -> Fraction:
    return 2 * value


def negated(value: Fraction) -> Fraction:
    return -value


def slightly(value: Fraction) -> Fraction:
    return value + Fraction(1, 4)


def factor(name: str, change: Callable[[Fraction], Fraction]) -> Callable[[AxisTiles], AxisTiles]:
    """The tiles with a number of AT or G changed."""

    def tiles(axis: AxisTiles) -> AxisTiles:
        algorithm = axis.tile.algorithm
        wrong = replace(algorithm, **{name: changed(getattr(algorithm, name), change)})
        return replace(axis, tile=replace(axis.tile, algorithm=wrong))

    return tiles


def window(index: int, change: Callable[[Window], Window]) -> Callable[[AxisTiles], AxisTiles]:
    def tiles(axis: AxisTiles) -> AxisTiles:
        found = list(axis.windows)
        found[index] = change(found[index])
        return replace(axis, windows=tuple(found))

    return tiles


def rows(change: Callable[[Fraction], Fraction]) -> Callable[[Window], Window]:
    return lambda found: replace(found, rows=changed(found.rows, change))


def exchanged(axis: AxisTiles) -> AxisTiles:
    first, second, *others = axis.row_of
    return replace(axis, row_of=(second, first, *others))


def tile(**steps: int) -> Callable[[AxisTiles], AxisTiles]:
    """The tiles with some of their steps one more."""

    def tiles(axis: AxisTiles) -> AxisTiles:
        more = {name: getattr(axis.tile, name) + by for name, by in steps.items()}
        return replace(axis, tile=replace(axis.tile, **more))

    return tiles


def last_output(axis: AxisTiles) -> AxisTiles:
    *others, last = axis.tile.outputs
    return replace(axis, tile=replace(axis.tile, outputs=(*others, last - 1)))


def without_borders(axis: AxisTiles) -> AxisTiles:
    return replace(axis, borders=())


def next_border(axis: AxisTiles) -> AxisTiles:
    (t, index), *others = axis.borders
    return replace(axis, borders=((t + 1, index), *others))


def deeper(axis: AxisTiles) -> AxisTiles:
    inputs = tuple(x + 1 for x in axis.tile.inputs)
    return replace(axis, tile=replace(axis.tile, inputs=inputs))


# operator, axis and what becomes of its tiles in the text
OF_TILES: dict[str, tuple[Operator, str, Callable[[AxisTiles], AxisTiles]]] = {
    "coefficient of AT": (PLAIN, "across", factor("AT", doubled)),
    "sign of AT": (PLAIN, "down", factor("AT", negated)),
    "coefficient of G": (PLAIN, "down", factor("G", slightly)),
    "sign of G": (TRANSPOSED, "across", factor("G", negated)),
    "coefficient of BT": (PLAIN, "down", window(0, rows(slightly))),
    "sign of BT": (TRANSPOSED, "down", window(0, rows(negated))),
    "row of BT": (PLAIN, "across", exchanged),
    "step between rows of tiles": (PLAIN, "down", tile(input_step=1)),
    "step between tiles": (PLAIN, "across", tile(input_step=-1)),
    "last output of a tile": (PLAIN, "across", last_output),
    "no borders": (REFLECT, "down", without_borders),
    "another border tile": (REFLECT, "across", next_border),
    "coefficient of a border": (REFLECT, "across", window(1, rows(slightly))),
    "sign of a border": (REFLECT, "down", window(2, rows(negated))),
    "plane of a volume": (VOLUME, "depth", deeper),
}

# what is found in the text of PLAIN, and what stands there instead
OF_TEXT: dict[str, tuple[str, str]] = {
    "no bias": (r" \+ start;", ";"),
    "a term too few": (r"k < (\d+); k\+\+, u", r"k < \1 - 1; k++, u"),
    "a vector of channels too few": (r"i < (\d+); i \+= step", r"i < \1 - 1; i += step"),
    "a column to the left": (r"left = -1 \+", "left = -2 +"),
    "a pad that is no zero": (
        r"c < low; c\+\+\)(\s+)to\[c\] = zero",
        r"c < low; c++)\1to[c] = to[low]",
    ),
    "chunks too near": (r"edge = (-?\d+) \+ (\d+)\*chunk", r"edge = \1 + (\2 - 1)*chunk"),
    "the first sample twice": (r"input \+ \d+\*b", "input + 0*b"),
    "a row of tiles too few": (r"q < count;", "q < count - (first > 0);"),
}


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fast algorithm wherever there is one, also where it does not pay."""
    monkeypatch.setattr(choice, "WORTH", float("inf"))


def machine() -> Machine:
    """With blocks of a chunk of a row, so that their places matter."""
    return replace(candidates()[0], l2=SMALL_CACHE)


def planned(op: Operator) -> tuple[Plan, Transform]:
    found = plan(op, lower(op.form), machine(), "float32", "fast")
    assert isinstance(found.forward, Transform)
    return found, found.forward


@cache  # a fast algorithm being chosen always, as it is wherever this is asked for
def wrong_texts() -> dict[str, tuple[Operator, CText]]:
    """Each text is wrong forward; its ``fast`` says what it should have been."""
    found: dict[str, tuple[Operator, CText]] = {}
    for name, (op, axis, change) in OF_TILES.items():
        right, forward = planned(op)
        wrong = replace(forward, **{axis: change(getattr(forward, axis))})  # type: ignore[arg-type]
        text = emit(op, f"op{len(found)}", machine(), plan=replace(right, forward=wrong))
        found[name] = op, replace(text, fast=right.fast)
    for name, (old, new) in OF_TEXT.items():
        file, text = (
            f"op{len(found)}.c",
            emit(PLAIN, f"op{len(found)}", machine(), plan=planned(PLAIN)[0]),
        )
        forward_text, others = text.files[file].split("_pack_forward", 1)
        changed_text = re.sub(old, new, forward_text)
        assert changed_text != forward_text, name
        lines = f"{changed_text}_pack_forward{others}"
        found[name] = PLAIN, replace(text, files={**text.files, file: lines})
    return found


@needs_compiler
@pytest.mark.usefixtures("always")
def test_what_is_wrong_is_refused(tmp_path: Path) -> None:
    """By the acceptance test of a library and by the judge, the other functions staying right."""
    texts = wrong_texts()
    assert len(texts) >= 20
    ops, emitted = zip(*texts.values(), strict=True)
    accepted, judged = {}, {}
    for name, (kernel, op) in zip(
        texts, kernels_of(tmp_path, ops, emitted, machine(), "float32"), strict=True
    ):
        assert op.nnz > SMALL, name
        accepted[name] = faults(kernel, op, texts[name][1].fast)
        judged[name] = mismatches(kernel, op)
    assert accepted == {name: ["forward"] for name in texts}
    assert judged == {name: ["forward"] for name in texts}


@needs_cxx
@pytest.mark.usefixtures("always")
def test_what_is_wrong_is_no_identity() -> None:
    texts = wrong_texts()
    kernels = [(f"op{i}", op, text) for i, (op, text) in enumerate(texts.values())]
    differs = [each.differs for each in identities(kernels)]
    assert dict(zip(texts, differs, strict=True)) == dict.fromkeys(texts, ("forward",))


@needs_compiler
@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_right_is_accepted(tmp_path: Path, dtype: str) -> None:
    ops = [PLAIN, REFLECT, VOLUME, TRANSPOSED]
    for kernel, op in kernels_for(tmp_path, ops, machine(), dtype, "fast"):
        assert "forward" in kernel.fast
        assert faults(kernel, op, emit(op, "k", machine(), dtype, "fast").fast) == []
        assert mismatches(kernel, op) == []
        for direction in kernel.fast:
            verdict = codegen.certify(kernel, op, direction=direction)
            assert verdict.valid, verdict


@needs_compiler
@pytest.mark.usefixtures("always")
def test_counterexamples_of_wrong_ones(tmp_path: Path) -> None:
    texts = {n: t for n, t in wrong_texts().items() if n in ("row of BT", "no borders")}
    ops = [op for op, _ in texts.values()]
    emitted = [renamed(text, i) for i, (_, text) in enumerate(texts.values())]
    for kernel, op in kernels_of(tmp_path, ops, emitted, machine(), "float32"):
        verdict = codegen.certify(kernel, op)
        assert not verdict.valid
        assert "beyond their rounding bound" in verdict.sentence


def renamed(text: CText, i: int) -> CText:
    """The same under another name."""
    (old,) = (file[:-2] for file in text.files if file.endswith(".c"))
    files = {
        file.replace(old, f"op{i}"): re.sub(rf"\b{old}(?=[_.])", f"op{i}", lines)
        for file, lines in text.files.items()
    }
    return replace(text, files=files)


@needs_compiler
@pytest.mark.usefixtures("always")
def test_a_wrong_library_is_not_kept() -> None:
    op, text = wrong_texts()["coefficient of BT"]
    (name,) = (file[:-2] for file in text.files if file.endswith(".c"))
    job, _ = c_job(op, name, "float32", text)
    with pytest.raises(WrongKernelError, match="forward"):
        compile_libraries([job])


@needs_compiler
def test_each_number_is_looked_at() -> None:
    """Outputs of zeros, unwritten ones, and those of the bias alone."""
    op = Conv2d(64, 64, 3, padding=1, input_size=48)
    text = emit(op, "kernel", candidates()[0], "float32", "fast")
    kernel = codegen.build(op, algorithm="fast")
    assert isinstance(kernel, Kernel)

    def spoiled(sample: int, place: tuple[int, ...], value: float) -> Kernel:
        def load(dtype: str) -> Mapping[str, Callable[..., None]]:
            good = kernel.load(dtype)

            def call(*arrays: Array) -> None:
                good["forward"](*arrays)
                arrays[-1][(sample, *place)] = value

            return {**good, "forward": call}

        return replace(kernel, load=load)

    transform = text.fast["forward"]
    assert right_on_tiles(kernel, op, "forward", transform)
    for sample, place, value in [
        (0, (5, 7, 9), 1e-3),
        (1, (63, 47, 47), np.nan),
        (1, (0, 0, 0), 1.5),
    ]:
        assert not right_on_tiles(spoiled(sample, place, value), op, "forward", transform)
