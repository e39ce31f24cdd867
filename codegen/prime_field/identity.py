"""Is an emitted text its operator, for every input? One random run over a prime field.

A text has no branch on data: for a given batch each number it writes is a polynomial in x, the
weight and the bias (or the gradient), and so is the same number of the operator. Where the two
polynomials differ, they agree at a random point of Z_p with probability at most degree/p
(J. Schwartz, J. ACM 27 (1980), lemma 1; R. Zippel, EUROSAM 1979). Here the degree is at most 2: all
are sums of products of two of them. Coefficients that differ by a multiple of p = 2**61 - 1 are the
same to this test.

Of a large portable text (``codegen.few_channels``) each loop over channels takes its first two
turns and its last one, the numbers of all other channels being 0.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np

from codegen._runtime.machine import Machine
from codegen.describe import default_name
from codegen.few_channels import WORDS, Channels, few_channels
from codegen.rounding import DIRECTIONS
from codegen.targets.c import CText, emit
from derive import Operator

from .arithmetic import P, Residues, applied, random_residues, total, weight_gradient
from .library import Functions, residue_functions, takes_few_turns

DEGREE = 2
UNWRITTEN = 2**64 - 1  # no residue
SEED, BATCH = 0, 2
MARGIN = 1024  # numbers before and behind an output, which a text must leave alone


@dataclass(frozen=True, slots=True)
class Identity:
    """What came of one text: the functions compared, those that differ, and how sure that is.

    ``probability`` bounds that of a run which finds no difference where there is one.
    """

    directions: tuple[str, ...]
    differs: tuple[str, ...]
    seed: int
    batch: int

    @property
    def holds(self) -> bool:
        return not self.differs

    @property
    def probability(self) -> Fraction:
        return Fraction(DEGREE, P)


def identity(
    op: Operator,
    text: CText | None = None,
    *,
    name: str | None = None,
    machine: Machine | None = None,
    dtype: str = "float32",
    seed: int = SEED,
) -> Identity:
    """The identity test of an emitted text: all its functions over Z_p, against the operator.

    ``text`` is what ``name`` was emitted as; by default the portable text of the operator, or that
    of a ``machine`` and a ``dtype``. CompileError where there is no C++ compiler.

    >>> from derive import Interpolate
    >>> found = identity(Interpolate(1, 3, size=7, mode="linear"))
    >>> found.holds, found.probability
    (True, Fraction(2, 2305843009213693951))
    """
    name = default_name(op) if name is None else name
    text = emit(op, name, machine, dtype) if text is None else text
    return identities([(name, op, text)], seed=seed)[0]


def claim(op: Operator, text: CText, seed: int = SEED) -> dict[str, Any]:
    """What the record of a text says of its identity test, if that finds no difference."""
    channels = {"channels": f"in texts {WORDS} of each loop"} if takes_few_turns(op, text) else {}
    return channels | {
        "method": "one random run over Z_p against the operator: codegen.prime_field",
        "field": "2**61 - 1",
        "seed": seed,
        "batch": BATCH,
        "functions": list(_directions(op)),
        "error_probability": str(Fraction(DEGREE, P)),
        "differs": [],
    }


def identities(
    kernels: Sequence[tuple[str, Operator, CText]], *, seed: int = SEED
) -> list[Identity]:
    """The same of many (name, operator, text), compiled together."""
    return list(each_identity(kernels, seed=seed))


def each_identity(
    kernels: Sequence[tuple[str, Operator, CText]], *, seed: int = SEED
) -> Iterator[Identity]:
    """One after the other; as many at a time as there are processors."""
    functions = residue_functions(kernels)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(
            lambda kernel, raw: _compared(kernel[1], kernel[2], raw, seed), kernels, functions
        )


def _compared(op: Operator, text: CText, raw: Functions, seed: int) -> Identity:
    """Each text draws its own numbers: memory that it leaves unwritten holds no other's answers."""
    digest = hashlib.sha256(repr(sorted(text.files.items())).encode()).digest()
    few = few_channels(op) if takes_few_turns(op, text) else op
    run = _Run(Channels(op, few), raw, np.random.default_rng([seed, *digest]))
    directions = _directions(op)
    differs = tuple(direction for direction in directions if not getattr(run, direction)())
    return Identity(directions, differs, seed, BATCH)


def _directions(op: Operator) -> tuple[str, ...]:
    return DIRECTIONS if op.learned else DIRECTIONS[:2]


class _Run:
    """The random residues of one run, and what each function should make of them."""

    def __init__(self, channels: Channels, raw: Functions, rng: np.random.Generator) -> None:
        op = channels.few
        self.channels, self.op, self.raw, self.form = channels, op, raw, op.form
        self.x = random_residues(rng, (BATCH, *op.input_shape))
        self.g = random_residues(rng, (BATCH, *op.output_shape))
        self.w = np.ones(op.form.weight_shape, np.uint64)
        if op.learned:
            self.w = random_residues(rng, op.form.weight_shape)
        self.bias = random_residues(rng, op.bias_shape or ())
        self.weights = {"weight": self.w} if op.learned else {}

    def forward(self) -> bool:
        exact, inputs = applied(self.form, self.w, self.x), {"x": self.x, **self.weights}
        if self.op.bias:
            ones = (1,) * len(self.form.axes)
            exact = (exact + self.bias.reshape(-1, *ones)) % np.uint64(P)
            inputs["bias"] = self.bias
        return self._gives("forward", inputs, "y", exact)

    def input_gradient(self) -> bool:
        exact = applied(self.form.adjoint, self.w, self.g)
        return self._gives("input_gradient", {"y": self.g, **self.weights}, "x", exact)

    def weight_gradient(self) -> bool:
        exact = weight_gradient(self.form, self.x, self.g)
        return self._gives("weight_gradient", {"x": self.x, "y": self.g}, "weight", exact)

    def bias_gradient(self) -> bool:
        exact = total(self.g, (0, *range(2, self.g.ndim)))
        return self._gives("bias_gradient", {"y": self.g}, "bias", exact)

    def _gives(
        self, direction: str, inputs: Mapping[str, Residues], output: str, exact: Residues
    ) -> bool:
        channels = self.channels
        shape = channels.shape(output, BATCH)
        room = np.zeros(prod(shape) + 2 * MARGIN, np.uint64)
        inside = room[MARGIN : room.size - MARGIN].reshape(shape)
        room[:MARGIN] = room[-MARGIN:] = UNWRITTEN
        channels.put(output, inside, UNWRITTEN)
        self.raw[direction](*(channels.spread(n, a) for n, a in inputs.items()), inside)
        found = channels.picked(output, inside)
        margins = np.concatenate([room[:MARGIN], room[-MARGIN:]])
        right = np.array_equal(found, channels.grouped(output, exact))
        return right and bool((margins == UNWRITTEN).all())
