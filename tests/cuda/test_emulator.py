"""The emulator itself: sound kernels pass whatever the order, and planted faults do not."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product as product_of
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from codegen._runtime.cuda.program import Step
from tests.cases import generator
from tests.cuda import emulated, small_kernels
from tests.cuda.emulated import Emulation, EmulationError, compiled, needs_emulator, on_device
from tests.cuda.small_kernels import DIFFERS, Fault

Array = NDArray[Any]

pytestmark = needs_emulator

SEEDS = range(12)
BATCH = 3


def product() -> tuple[list[Array], Array]:
    rng = generator(1)
    shapes = (
        (BATCH, small_kernels.ROWS, small_kernels.DEPTH),
        (BATCH, small_kernels.DEPTH, small_kernels.COLUMNS),
    )
    a, b = (rng.integers(-9, 10, shape).astype(np.float32) for shape in shapes)
    return [a, b], a @ b


def sums() -> tuple[list[Array], Array]:
    x = generator(2).integers(-9, 10, (BATCH, 3, 32, 70)).astype(np.float32)
    return [x], x.sum(axis=3)[..., ::-1]


def bits_of(values: Array, *, bfloat16: bool) -> Array:
    """Small integers as halves."""
    if bfloat16:
        return (values.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
    return values.astype(np.float16).view(np.uint16)


def halves(*, bfloat16: bool = False) -> tuple[list[Array], Array]:
    rng = generator(3)
    a, b = rng.integers(-9, 10, (BATCH, 16, 32)), rng.integers(-9, 10, (BATCH, 8, 32))
    given = [bits_of(values, bfloat16=bfloat16) for values in (a, b)]
    return given, (a @ b.transpose(0, 2, 1)).astype(np.float32)


@dataclass(frozen=True)
class Subject:
    text: str
    step: Step
    data: Callable[[], tuple[list[Array], Array]]
    faults: Sequence[Fault] = ()

    def compiled(self, folder: Path, **words: bool) -> Emulation:
        """The kernel itself, ``sound``, and with each fault, ``fault0`` and so on."""
        texts = [self.text, *(fault.plant(self.text) for fault in self.faults)]
        names = ["sound", *(f"fault{i}" for i in range(len(self.faults)))]
        return compiled(
            {name: text.replace("NAME", name) for name, text in zip(names, texts, strict=True)},
            folder,
            **words,
        )

    def outcome(self, emulation: Emulation, kernel: str = "sound", **words: Any) -> str:
        """What is wrong with a launch, nothing if its result is right."""
        given, expected = self.data()
        shared = words.pop("shared", self.step.shared)
        step = replace(self.step, kernel=kernel, shared=shared)
        arrays = [*map(on_device, given), on_device(np.full(expected.shape, np.nan, np.float32))]
        try:
            emulation.launch(step, BATCH, arrays, **words)
        except EmulationError as error:
            return str(error)
        return "" if np.array_equal(arrays[-1], expected) else DIFFERS


SUBJECTS = {
    "product": Subject(
        small_kernels.PRODUCT,
        Step("", ("a", "b", "c"), threads=64, blocks=4, shared=4 * 16 * 20 * 4),
        product,
        small_kernels.PRODUCT_FAULTS,
    ),
    "sums": Subject(
        small_kernels.SUMS,
        Step("", ("x", "y"), threads=64, blocks=1, shared=2 * 32 * 4),
        sums,
        small_kernels.SUMS_FAULTS,
    ),
    "halves": Subject(
        small_kernels.HALVES,
        Step("", ("a", "b", "c"), threads=32, blocks=1),
        halves,
        small_kernels.HALVES_FAULTS,
    ),
}


@pytest.mark.parametrize("name", SUBJECTS)
def test_sound_kernels_pass_and_every_fault_is_caught(name: str, tmp_path: Path) -> None:
    subject = SUBJECTS[name]
    emulation = subject.compiled(tmp_path)
    for seed, most in product_of(SEEDS, (1, 3, 99)):
        assert not subject.outcome(emulation, seed=seed, most=most)
    for i, fault in enumerate(subject.faults):
        for seed in SEEDS[:5]:
            said = subject.outcome(emulation, f"fault{i}", most=2, seed=seed)
            assert re.search(fault.says, said), f"{fault.name}: {said}"


@pytest.mark.parametrize("name", SUBJECTS)
def test_order_and_landing_alone_show_faults_in_results(name: str, tmp_path: Path) -> None:
    subject = SUBJECTS[name]
    emulation = replace(subject.compiled(tmp_path), watched=False)
    for i, fault in enumerate(subject.faults):
        said = [subject.outcome(emulation, f"fault{i}", most=2, seed=seed) for seed in SEEDS]
        assert any(said) == fault.results, fault.name


def test_products_of_bfloat16(tmp_path: Path) -> None:
    subject = replace(SUBJECTS["halves"], data=lambda: halves(bfloat16=True), faults=())
    assert not subject.outcome(subject.compiled(tmp_path, bfloat16=True))
    assert subject.outcome(SUBJECTS["halves"].compiled(tmp_path)) == DIFFERS


def test_halves_are_those_of_numpy(tmp_path: Path) -> None:
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32)
    every = every[np.isfinite(every)]
    between = np.nextafter(every, np.float32(0)), np.nextafter(every, np.float32(np.inf))
    middle = (every[:-1] + every[1:]) / 2
    x = on_device(np.concatenate([every, *between, middle, np.float32([np.inf, -1e9, 65520])]))
    found, back = on_device(np.zeros(len(x), np.float16)), on_device(np.zeros_like(x))
    emulation = compiled({"halve": small_kernels.CONVERSIONS.replace("NAME", "halve")}, tmp_path)
    step = Step("halve", ("x", "halves", "back"), threads=128, blocks=1, samples=128)
    emulation.launch(step, len(x), [x, found, back], most=2)
    with np.errstate(over="ignore"):
        expected = x.astype(np.float16)
    assert np.array_equal(found.view(np.uint16), expected.view(np.uint16))
    assert np.array_equal(back, expected.astype(np.float32))


def test_blocks_that_cannot_be_launched_are_refused(tmp_path: Path) -> None:
    subject = replace(SUBJECTS["product"], faults=())
    emulation = subject.compiled(tmp_path)
    for threads in (0, 1025):
        wrong = replace(subject, step=replace(subject.step, threads=threads))
        assert "cannot be launched" in wrong.outcome(emulation)
    assert "cannot be launched" in subject.outcome(emulation, shared=1 << 20)
    assert "beyond its size" in subject.outcome(emulation, shared=subject.step.shared - 32)


def test_a_launch_without_end_is_stopped(tmp_path: Path) -> None:
    text = small_kernels.SUMS.replace("set += 2", "set += 0")
    endless = replace(SUBJECTS["sums"], text=text, faults=())
    emulation = replace(endless.compiled(tmp_path), seconds=1)
    assert "does not end" in endless.outcome(emulation)


def test_fibers_without_our_own_switch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulated, "COMMON", (*emulated.COMMON, "-DFIBERS_BY_UCONTEXT"))
    monkeypatch.setattr(emulated, "_emulator", emulated._emulator.__wrapped__)
    subject = SUBJECTS["product"]
    emulation = subject.compiled(tmp_path)
    assert not subject.outcome(emulation)
    assert subject.outcome(emulation, "fault0")
