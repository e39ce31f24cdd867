"""Is an emitted text its operator, for every input? One random run over a prime field.

A text has no branch on data: for a given batch each number it writes is a polynomial in x, the
weight and the bias (or the gradient), and so is the same number of the operator. Where the two
polynomials differ, they agree at a random point of Z_p with probability at most degree/p
(J. Schwartz, J. ACM 27 (1980), lemma 1; R. Zippel, EUROSAM 1979). Here the degree is at most 2: all
are sums of products of two of them. Coefficients that differ by a multiple of p = 2**61 - 1 are the
same to this test.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from codegen._runtime.machine import Machine
from codegen.describe import default_name
from codegen.rounding import DIRECTIONS
from codegen.targets.c import CText, emit
from derive import Operator

from .arithmetic import P, Residues, applied, random_residues, total, weight_gradient
from .library import Functions, residue_functions

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


def claim(op: Operator, seed: int = SEED) -> dict[str, Any]:
    """What the record of a text says of its identity test, if that finds no difference."""
    return {
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
    functions = residue_functions(kernels)
    return [
        _compared(op, text, raw, seed)
        for (_, op, text), raw in zip(kernels, functions, strict=True)
    ]


def _compared(op: Operator, text: CText, raw: Functions, seed: int) -> Identity:
    """Each text draws its own numbers: memory that it leaves unwritten holds no other's answers."""
    digest = hashlib.sha256(repr(sorted(text.files.items())).encode()).digest()
    run = _Run(op, raw, np.random.default_rng([seed, *digest]))
    directions = _directions(op)
    differs = tuple(direction for direction in directions if not getattr(run, direction)())
    return Identity(directions, differs, seed, BATCH)


def _directions(op: Operator) -> tuple[str, ...]:
    return DIRECTIONS if op.learned else DIRECTIONS[:2]


class _Run:
    """The random residues of one run, and what each function should make of them."""

    def __init__(self, op: Operator, raw: Functions, rng: np.random.Generator) -> None:
        self.op, self.raw, self.form = op, raw, op.form
        self.x = random_residues(rng, (BATCH, *op.input_shape))
        self.g = random_residues(rng, (BATCH, *op.output_shape))
        self.w = np.ones(op.form.weight_shape, np.uint64)
        if op.learned:
            self.w = random_residues(rng, op.form.weight_shape)
        self.bias = random_residues(rng, op.bias_shape or ())
        self.weights = [self.w] if op.learned else []

    def forward(self) -> bool:
        exact, inputs = applied(self.form, self.w, self.x), [self.x, *self.weights]
        if self.op.bias:
            ones = (1,) * len(self.form.axes)
            exact = (exact + self.bias.reshape(-1, *ones)) % np.uint64(P)
            inputs.append(self.bias)
        return self._gives("forward", inputs, exact)

    def input_gradient(self) -> bool:
        exact = applied(self.form.adjoint, self.w, self.g)
        return self._gives("input_gradient", [self.g, *self.weights], exact)

    def weight_gradient(self) -> bool:
        exact = weight_gradient(self.form, self.x, self.g)
        return self._gives("weight_gradient", [self.x, self.g], exact)

    def bias_gradient(self) -> bool:
        exact = total(self.g, (0, *range(2, self.g.ndim)))
        return self._gives("bias_gradient", [self.g], exact)

    def _gives(self, direction: str, inputs: Sequence[Residues], exact: Residues) -> bool:
        room = np.full(exact.size + 2 * MARGIN, UNWRITTEN, np.uint64)
        inside, expected = slice(MARGIN, MARGIN + exact.size), room.copy()
        expected[inside] = exact.ravel()
        self.raw[direction](*inputs, room[inside].reshape(exact.shape))
        return np.array_equal(room, expected)
