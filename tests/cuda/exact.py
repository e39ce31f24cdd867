"""Integers for the functions of an operator, their exact answers, and whether a program gives them.

Where all coefficients are integers a result must be equal: float sums of small integers are exact,
and halves are rounded once, when they are stored. Else it must be within the derived bound.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codegen._runtime.cuda.program import ARGUMENTS, MOST_BLOCKS
from codegen.error_bound import error_bound
from codegen.exactness import integral
from codegen.half_bound import half_bound
from codegen.judge.answers import Answers, Sample, directions
from codegen.judge.comparison import arguments
from derive import Operator
from tests.cases import generator
from tests.codegen.judge import mistrusted, nonzero
from tests.cuda.emulated import Emulated, EmulationError

Array = NDArray[Any]

HALVES = ("float16", "bfloat16")
DTYPES = ("float32", "float64", *HALVES)


def stored(values: Array, dtype: str) -> Array:
    """Rounded as memory holds it; bfloat16 by its bits."""
    if dtype != "bfloat16":
        return values.astype(dtype)
    bits = values.astype(np.float32).view(np.uint32).astype(np.uint64)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)


def loaded(held: Array, dtype: str) -> Array:
    """What memory holds, as numbers."""
    if dtype != "bfloat16":
        return held.astype(np.float64)
    return (held.astype(np.uint32) << 16).view(np.float32).astype(np.float64)


@dataclass(frozen=True)
class Trial:
    """An operator and a batch of data without zeros."""

    op: Operator
    sample: Sample

    @classmethod
    def of(cls, op: Operator, batch: int, *seed: int) -> Trial:
        rng = generator(*seed)
        return cls(
            op,
            Sample(
                nonzero(rng, (batch, *op.input_shape)),
                nonzero(rng, op.form.weight_shape) if op.learned else None,
                nonzero(rng, op.bias_shape) if op.bias_shape else None,
                nonzero(rng, (batch, *op.output_shape)),
            ),
        )

    @cached_property
    def expected(self) -> dict[str, Array]:
        """The exact answers, as near as float64 is to them."""
        found = Answers(self.op)
        return {name: found.values(name, self.sample) for name in directions(self.op)}

    @property
    def telling(self) -> bool:
        return not mistrusted(self.expected["forward"])

    def run(
        self,
        emulated: Emulated,
        direction: str,
        *,
        seed: int = 0,
        most: int = MOST_BLOCKS,
        shift: int = 0,
    ) -> Array:
        """What the program stores, in an array that nobody had written to."""
        dtype, sample = emulated.program.dtype, self.sample
        given = {"x": sample.x, "weight": sample.weight, "bias": sample.bias, "y": sample.grad}
        inputs = [given[name] for name in ARGUMENTS[direction][:-1]]
        arrays = [None if each is None else stored(each, dtype) for each in inputs]
        result = stored(np.full(self.expected[direction].shape, np.nan), dtype)
        batch = len(sample.x)
        emulated(direction, *arrays, result, batch=batch, seed=seed, most=most, shift=shift)
        return result

    def wrong(self, direction: str, result: Array, dtype: str) -> bool:
        """Whether a result is not the exact one, or beyond its bound where sums round."""
        expected = self.expected[direction]
        if integral(self.op):
            return not np.array_equal(loaded(result, dtype), loaded(stored(expected, dtype), dtype))
        batch = (len(self.sample.x),)
        inputs = [each.astype(np.float64) for each in arguments(direction, self.sample, batch)]
        bound = (half_bound if dtype in HALVES else error_bound)(self.op, direction, inputs, dtype)
        off = np.abs(loaded(result, dtype) - expected)
        return not bool(np.all(off <= bound + np.spacing(np.abs(expected))))

    def failures(
        self, emulated: Emulated, seed: int, only: Sequence[str] | None = None
    ) -> Iterator[str]:
        """The functions that are wrong, or whose bits depend on the grid, the order of the threads
        or where arrays begin.
        """
        dtype = emulated.program.dtype
        for direction in only or directions(self.op):
            try:
                result = self.run(emulated, direction, seed=seed)
                again = self.run(emulated, direction, seed=seed + 1, most=1, shift=1)
            except EmulationError as error:
                yield f"{direction}: {error}"
                continue
            if self.wrong(direction, result, dtype):
                yield f"{direction}: not exact"
            if result.tobytes() != again.tobytes():
                yield f"{direction}: other bits with another grid, order or place"
