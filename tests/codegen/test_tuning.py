"""Plans timed once: the fastest is taken, remembered, and what is remembered wrongly is not."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import codegen
import derive
from codegen import Kernel
from codegen._runtime.compiler import find_compiler
from codegen._runtime.machine import X86
from codegen.builder import numpy_kernel
from codegen.cpu.schedule import Plan, alternatives
from codegen.emit import emit_numpy
from codegen.lower import lower
from codegen.transforms import Transform
from codegen.tuning import tuned
from tests.codegen.libraries import needs_compiler

OP = derive.Conv2d(32, 32, 3, padding=1, input_size=24)
PLANS = alternatives(OP, lower(OP.form), X86[0], "float32")


def slowed(**seconds: float) -> Kernel:
    """The NumPy kernel of a small operator whose functions take so much longer."""
    small = derive.Conv1d(1, 1, 2, input_size=3)
    kernel = replace(numpy_kernel("k", emit_numpy(small, "k")), dtypes=("float32",))
    raw = dict(kernel.load("float32"))

    def slow(function: Any, pause: float) -> Any:
        def call(*arrays: Any) -> None:
            time.sleep(pause)
            function(*arrays)

        return call

    raw |= {name: slow(raw[name], pause) for name, pause in seconds.items()}
    return replace(kernel, load=lambda _: raw)


class Made:
    """Kernels made for plans, and how often."""

    def __init__(self, fast: dict[str, int]) -> None:
        self.fast, self.times = fast, 0

    def __call__(self, plans: Sequence[Plan]) -> list[Kernel]:
        self.times += 1
        return [
            slowed(**{d: 0.0 if i == best else 0.01 for d, best in self.fast.items()})
            for i in range(len(plans))
        ]


@needs_compiler
def test_the_fastest_of_each_direction_is_taken_and_remembered(tmp_path: Path) -> None:
    assert len(PLANS) > 2
    made = Made({"forward": 1, "input_gradient": 0})
    compiler = find_compiler()
    for _ in range(2):
        best = tuned(PLANS, "float32", compiler, tmp_path, made)
        assert best.forward == PLANS[1].forward
        assert best.input_gradient == PLANS[0].input_gradient
    assert made.times == 1
    tuned(PLANS, "float64", compiler, tmp_path, made)
    assert made.times == 2


@needs_compiler
@pytest.mark.parametrize(
    "content", ["", "[]", '{"forward": 1}', '{"forward": 99, "input_gradient": 0}', "[" * 9999]
)
def test_what_makes_no_sense_is_timed_anew(tmp_path: Path, content: str) -> None:
    made = Made({"forward": 1, "input_gradient": 1})
    tuned(PLANS, "float32", find_compiler(), tmp_path, made)
    (path,) = tmp_path.iterdir()
    path.write_text(content)
    best = tuned(PLANS, "float32", find_compiler(), tmp_path, made)
    assert (made.times, best.forward) == (2, PLANS[1].forward)
    assert json.loads(path.read_text()) == {"forward": 1, "input_gradient": 1}


@needs_compiler
def test_a_cache_that_cannot_be_written_only_costs_time(tmp_path: Path) -> None:
    made = Made({"forward": 1, "input_gradient": 1})
    best = tuned(PLANS, "float32", find_compiler(), tmp_path / "missing", made)
    assert best.forward == PLANS[1].forward


def test_alternatives_hold_the_exact_sum_first() -> None:
    assert PLANS[0].fast == {}
    assert all(isinstance(each.forward, Transform) for each in PLANS[1:])
    assert len({repr(each.forward) for each in PLANS}) == len(PLANS)


@needs_compiler
def test_auto_is_right_within_its_bound() -> None:
    kernel = codegen.build(OP, algorithm="auto")
    rng = np.random.default_rng(3)
    x = rng.standard_normal((2, *OP.input_shape)).astype("f4")
    w = rng.standard_normal(OP.weight_shape or ()).astype("f4")
    b = rng.standard_normal(OP.bias_shape or ()).astype("f4")
    exact = codegen.build(OP, dtype="float64")(*(each.astype("f8") for each in (x, w, b)))
    assert np.all(np.abs(kernel(x, w, b) - exact) <= kernel.error_bound(x, w, b))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"algorithm": "quick"}, "allowed is one of exact, fast, auto"),
        ({"algorithm": "fast", "target": "numpy"}, "'numpy' and float32 is 'exact'"),
        ({"algorithm": "auto", "dtype": "int64"}, "int64 is 'exact'"),
    ],
)
def test_an_algorithm_that_is_not_there(arguments: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        codegen.build(OP, **arguments)
