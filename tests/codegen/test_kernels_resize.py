"""Kernels of resizes, alone and fused with a layer, against torch's two calls and their gradients.

Where all weights of the resize are integers, results are equal. Else both sides round. How far the
kernel may be off is its ``error_bound``. torch's result is a sum of at most k products of data with
weights of the axes, and lies within gamma_k times the sum of their absolute values of the exact one
(Higham, section 3.1). Into k go the terms of the sum, and what torch's weights of each axis carry:
see tests/derive/test_interpolate.py.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from math import floor, prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.random import Generator
from numpy.typing import NDArray

import derive
from codegen.builder import numpy_kernel
from codegen.emit import emit_numpy
from codegen.error_bound import error_bound
from codegen.exactness import integral
from derive import Interpolate, Operator
from derive.core.axis import Axis
from tests import cases, torch_reference
from tests.codegen.judge import nonzero, unwritten
from tests.codegen.libraries import at_a_guard, compiled_together, needs_compiler

Array = NDArray[Any]
U = np.finfo(np.float64).eps / 2
NUMPY_CHUNKS, NUMPY_CASES = 20, 50
C_CHUNKS, C_CASES = 4, 50
KINDS = ("resize", "resize, layer", "layer, resize", "pad, resize, layer", "layer, resize, pad")


@dataclass(frozen=True)
class Case:
    """A chain, what it is fused to, and data without zeros."""

    parts: tuple[Any, ...]
    op: Operator
    x: Array
    w: Array | None
    b: Array | None
    g: Array

    @classmethod
    def of(cls, *seed: int) -> Case:
        rng = cases.generator(*seed)
        parts = random_parts(rng, KINDS[seed[-1] % len(KINDS)])
        op: Any = parts[0]
        for part in parts[1:]:
            op = op @ part
        assert isinstance(op, Operator)
        batch = (int(rng.integers(1, 3)),)
        return cls(
            tuple(parts),
            op,
            nonzero(rng, (*batch, *op.input_shape)),
            nonzero(rng, op.weight_shape) if op.weight_shape else None,
            nonzero(rng, op.bias_shape) if op.bias_shape else None,
            nonzero(rng, (*batch, *op.output_shape)),
        )

    @cached_property
    def expected(self) -> dict[str, Array]:
        """torch's output and gradients."""
        found = torch_reference.chain_and_gradients(self.parts, self.x, self.w, self.b, self.g)
        names = "forward", "input_gradient", "weight_gradient", "bias_gradient"
        return {n: v for n, v in zip(names, found, strict=True) if v is not None}

    @property
    def bounds_of_torch(self) -> dict[str, float]:
        """The most by which torch may be off, by function."""
        op, largest = self.op, 4
        by = largest if op.learned else 1
        data = {  # the largest product of data, and how many channels or samples are added up
            "forward": largest * by * op.channels_in,
            "input_gradient": largest * by * op.channels_out,
            "weight_gradient": largest * largest * len(self.x),
        }
        weights = sum(  # roundings that torch's weights of each axis carry
            4 * (6 * axis.n_in + 8 * (1 + -(-axis.n_in // axis.n_out)) + 16)
            for part in self.parts
            if isinstance(part, Interpolate)
            for axis in part.axes
        )
        found = {}
        for (name, most), index in zip(data.items(), (0, 2, 1), strict=True):
            sums = [_most(axis, index) for axis in op.axes]
            terms = most * prod(4 + count for _, count in sums)
            size = most * prod(1 + total for total, _ in sums)
            found[name] = 2 * (weights + terms) * U * size  # 2*k*u is more than gamma_k
        return found

    def check(self, got: dict[str, Array]) -> None:
        assert got.keys() == self.expected.keys()
        exact = integral(self.op)
        for name, expected in self.expected.items():
            assert got[name].shape == expected.shape
            if exact or name == "bias_gradient":
                assert (got[name] == expected).all(), (self.parts, name)
            else:
                bound = error_bound(self.op, name, self.calls[name][0], "float64")
                error = np.abs(got[name] - expected)
                assert (error <= bound + self.bounds_of_torch[name]).all(), (self.parts, name)

    @property
    def calls(self) -> dict[str, tuple[list[Array], tuple[int, ...]]]:
        """The inputs of each function, in float64, and the shape of what it writes."""
        weight = [] if self.w is None else [self.w]
        bias = [] if self.b is None else [self.b]
        calls = {
            "forward": ([self.x, *weight, *bias], self.g.shape),
            "input_gradient": ([self.g, *weight], self.x.shape),
        }
        if self.w is not None:
            calls["weight_gradient"] = ([self.x, self.g], self.w.shape)
        if self.b is not None:
            calls["bias_gradient"] = ([self.g], self.b.shape)
        return {
            name: ([array.astype(np.float64) for array in arrays], shape)
            for name, (arrays, shape) in calls.items()
        }


def _most(axis: Axis, index: int) -> tuple[float, int]:
    """The largest sum of absolute coefficients that meet in one y, t or x; the largest number."""
    sums: dict[int, float] = defaultdict(float)
    counts: dict[int, int] = defaultdict(int)
    for y, t, x, c in axis.entries():
        place = (y, t, x)[index]
        sums[place] += abs(float(c))
        counts[place] += 1
    return max(sums.values(), default=0.0), max(counts.values(), default=0)


def random_parts(rng: Generator, kind: str) -> list[Any]:
    """The parts of a chain of that kind, outermost first."""
    dimensions = int(rng.choice((1, 2, 3), p=(0.4, 0.4, 0.2)))
    parts: list[Any] = []
    for word in kind.split(", "):
        before = parts[0].output_shape if parts else None
        channels, sizes = (before[0], before[1:]) if before else (None, None)
        if word == "layer":
            parts.insert(0, _layer(rng, dimensions, before))
        elif word == "pad":
            given = sizes or [int(rng.integers(2, 6)) for _ in range(dimensions)]
            parts.insert(0, cases.random_pad(rng, given, channels))
        else:
            parts.insert(0, _resize(rng, sizes, channels, dimensions))
    return parts


def _layer(rng: Generator, dimensions: int, before: Sequence[int] | None) -> Any:
    """A convolution or a transposed one; the last of a chain may have a bias."""
    channels, *sizes = before or (2, *(int(rng.integers(3, 7)) for _ in range(dimensions)))
    groups = int(rng.choice([g for g in (1, 2) if channels % g == 0]))
    kernel, dilation = int(rng.integers(1, 5 if dimensions < 3 else 4)), 1 + (rng.random() < 0.3)
    words: dict[str, Any] = {"groups": groups, "dilation": dilation, "input_size": tuple(sizes)}
    words["bias"] = before is None or bool(rng.random() < 0.5)
    out = groups * int(rng.integers(1, 3))
    if rng.random() < 0.75:
        reach = dilation * (kernel - 1)
        words["padding"] = ((reach, int(rng.integers(2))),) * dimensions
        words["bias"] = False if before is None else words["bias"]
        stride = 1 + int(rng.random() < 0.3)
        return cases.CONVOLUTIONS[dimensions](channels, out, kernel, stride=stride, **words)
    words["bias"] = False
    return cases.TRANSPOSED[dimensions](channels, out, kernel, stride=2, **words)


def _resize(
    rng: Generator, sizes: Sequence[int] | None, channels: int | None, dimensions: int
) -> Interpolate:
    """One on which torch agrees with itself."""
    while True:
        given = sizes or [int(rng.integers(2, 6)) for _ in range(dimensions)]
        op = cases.random_resize(rng, given, channels)
        if not _disputed(op):
            return op


def _disputed(op: Interpolate) -> bool:
    """An axis that keeps its size under a factor, and antialiasing of the height of a column."""
    kept = any(
        rule.factor not in (None, 1) and floor(n * rule.factor) == n
        for rule, n in zip(op.rules, op.sizes or (), strict=True)
    )
    return kept or (op.parameters["antialias"] and 1 in (*op.input_size[-1:], *op.output_size[-1:]))


@pytest.mark.parametrize("chunk", range(NUMPY_CHUNKS))
def test_numpy_kernels(chunk: int) -> None:
    whole = told = 0
    for number in range(NUMPY_CASES):
        case = Case.of(800, chunk, number)
        kernel = numpy_kernel("kernel", emit_numpy(case.op, "kernel"))
        got = {}
        for name, (arrays, shape) in case.calls.items():
            out = unwritten(shape, "float64")
            assert getattr(kernel, name)(*arrays, out=out) is out
            got[name] = out
        case.check(got)
        assert kernel.macs == case.op.macs
        whole += integral(case.op)
        told += 10 * np.count_nonzero(case.expected["forward"]) > case.g.size
    assert told > 0.85 * NUMPY_CASES  # comparing zeros proves nothing
    assert 5 < whole < NUMPY_CASES - 10


@needs_compiler
@pytest.mark.parametrize("chunk", range(C_CHUNKS))
def test_c_kernels(chunk: int, tmp_path: Path) -> None:
    """Many in one library, arrays against a guard page; gradients of folding included."""
    place = partial(at_a_guard, before=bool(chunk % 2))
    every = [Case.of(801, chunk, number) for number in range(C_CASES)]
    named = {f"kernel_{number}": case.op for number, case in enumerate(every)}
    library = compiled_together(tmp_path, named, "float64", place=place)
    for case, raw in zip(every, library.values(), strict=True):
        got = {}
        for name, (arrays, shape) in case.calls.items():
            got[name] = place(unwritten(shape, "float64"))
            raw[name](*map(place, arrays), got[name])
        case.check(got)


def test_every_kind_is_there() -> None:
    every = [Case.of(800, chunk, number) for chunk in range(3) for number in range(NUMPY_CASES)]
    modes = {
        part.parameters["mode"]
        for case in every
        for part in case.parts
        if isinstance(part, Interpolate)
    }
    assert modes == {mode for each in cases.RESIZES.values() for mode in each}
    for kind in (
        lambda case: case.op.learned,
        lambda case: case.op.groups > 1 and case.op.learned,
        lambda case: case.op.bias,
        lambda case: len(case.op.rules) == 3,
        lambda case: any(isinstance(part, derive.Pad) for part in case.parts),
        lambda case: isinstance(case.parts[0], derive.layers.TransposedConvolution),
    ):
        assert sum(map(kind, every)) >= 6
