"""Exact test vectors: data and every answer, for whoever cannot call Python on their target."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import IO

import numpy as np

from derive import Operator
from derive.arguments import integer
from derive.files import write_whole

from .describe import default_name, header
from .errors import LoweringError
from .judge.answers import Answers, Ints, Sample, directions, multiplied
from .judge.probes import Probe, sample_of
from .rounding import DIRECTIONS

LARGEST = 2**53  # values that an .npz of int64 and any double hold alike
WRAPPED = 16  # numbers in a line of C
ANSWERS = dict(zip(DIRECTIONS, ("y", "grad_x", "grad_weight", "grad_bias"), strict=True))


@dataclass(frozen=True, slots=True)
class Vectors:
    """Integers for x, weight, bias and grad_output, and what the functions of the operator give.

    ``arrays`` holds x and grad_output (batch, *shape), weight and bias if there are any, and the
    answers y, grad_x, grad_weight and grad_bias: all int64, all exact. Where weights are fractions
    x and grad_output are multiples of their ``denominator``, so that all answers are integers.
    """

    op: Operator
    name: str
    denominator: int
    arrays: dict[str, Ints]

    @property
    def float32(self) -> bool:
        """Whether float32 holds every number and every sum on the way."""
        return max(int(abs(a).max(initial=0)) for a in self.arrays.values()) < 2**24

    def save(self, file: str | os.PathLike[str] | IO[bytes]) -> None:
        """As NumPy's .npz, loaded with ``allow_pickle=False``."""
        words = {"operator": np.array(repr(self.op)), "denominator": np.array(self.denominator)}
        np.savez_compressed(file, allow_pickle=False, **self.arrays, **words)

    def header(self) -> str:
        """As C: one ``static const`` array of int32_t, or int64_t where needed, for each.

        >>> from derive import Conv1d
        >>> text = vectors(Conv1d(1, 1, 2, bias=False, input_size=3), "two").header()
        >>> [line for line in text.splitlines() if "two_y[" in line]
        ['static const int32_t two_y[4] = {']
        """
        guard = f"EXACTCONV_{self.name.upper()}_VECTORS_H"
        words = "\n".join(f" * {line}".rstrip() for line in header(self.op, self.name))
        lines = ["/*", words, " *"]
        for name, array in self.arrays.items():
            lines.append(f" * {name}: {array.shape}".replace(",)", ")"))
        lines += [" */", f"#ifndef {guard}", f"#define {guard}", "", "#include <stdint.h>"]
        for name, array in self.arrays.items():
            lines += ["", *self._array(name, array)]
        return "\n".join([*lines, "#endif", ""])

    def _array(self, name: str, array: Ints) -> list[str]:
        numbers = array.ravel().tolist()
        wide = max(map(abs, numbers)) >= 2**31
        kind = "int64_t" if wide else "int32_t"
        rows = [numbers[i : i + WRAPPED] for i in range(0, len(numbers), WRAPPED)]
        return [
            f"static const {kind} {self.name}_{name}[{len(numbers)}] = {{",
            *(f"    {', '.join(map(str, row))}," for row in rows),
            "};",
        ]


def vectors(op: Operator, name: str | None = None, *, seed: int = 0, batch: int = 2) -> Vectors:
    """The test vectors of an operator of fixed size; ``name`` is the prefix of the C arrays.

    Integers in -4..4, none of them 0; the same for the same seed on every machine. LoweringError
    where the denominators of the weights make numbers of 2**53 and more, as some antialiased
    resizes do.

    >>> from derive import Conv1d
    >>> made = vectors(Conv1d(1, 1, 2, bias=False, input_size=3))
    >>> {name: array.shape for name, array in made.arrays.items()}["grad_weight"]
    (1, 1, 2)
    """
    if not isinstance(op, Operator):
        raise TypeError(f"op is of type {type(op).__name__}; allowed is one operator of derive")
    name = default_name(op) if name is None else name
    header(op, name)  # refuses a name that is no identifier
    probe = Probe(op, (integer("batch", batch, 1),), seed=integer("seed", seed, 0))
    sample = sample_of(probe, "forward", "float64")
    given = {"x": sample.x, "weight": sample.weight, "bias": sample.bias}
    by = Answers(op).denominator
    given |= {"x": multiplied(sample.x, by), "grad_output": multiplied(sample.grad, by)}
    found = {ANSWERS[d]: array for d, array in whole_answers(op, sample).items()}
    arrays = {n: a for n, a in {**given, **found}.items() if a is not None}
    largest = max(int(abs(array).max(initial=0)) for array in arrays.values())
    if largest >= LARGEST:
        raise LoweringError(f"{op!r}: exact vectors reach {largest}; allowed is less than 2**53")
    return Vectors(op, name, by, {n: np.asarray(a, np.int64) for n, a in arrays.items()})


def whole_answers(op: Operator, sample: Sample) -> dict[str, Ints]:
    """The answers to the sample, x and grad multiplied by the denominator of the operator."""
    answers = Answers(op)
    plain = replace(sample, bias=None)  # which is not multiplied
    found = {d: answers.of(d, plain) for d in directions(op)}
    if sample.bias is not None:
        found["forward"] = found["forward"] + sample.bias.reshape(-1, *(1 for _ in op.axes))
    if op.learned:  # of both factors
        found["weight_gradient"] = multiplied(found["weight_gradient"], answers.denominator)
    return found


def write(made: Vectors, path: Path) -> None:
    """To a file, whole or not at all: .npz, or .h for C; ValueError for another suffix."""
    if path.suffix == ".npz":
        file = BytesIO()
        made.save(file)
        write_whole(path, file.getvalue())
    elif path.suffix == ".h":
        write_whole(path, made.header().encode())
    else:
        raise ValueError(f"out = {str(path)!r}: allowed is a file that ends in .npz or .h")
