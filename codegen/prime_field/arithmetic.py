"""Residues modulo p = 2**61 - 1 in NumPy: coefficients, random data, the trilinear form.

A residue is a uint64 below p. The form is summed strand by strand, as in ``derive.apply``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from derive.core.form import TrilinearForm
from derive.weights import by_channel

Residues = NDArray[np.uint64]

P = 2**61 - 1  # a Mersenne prime
HALF, LOW_30, LOW_31 = np.uint64(31), np.uint64(2**30 - 1), np.uint64(2**31 - 1)
WORD, LOW_32 = np.uint64(32), np.uint64(2**32 - 1)


def residue(value: Fraction) -> int:
    """The residue of a fraction whose denominator p does not divide.

    >>> 3 * residue(Fraction(1, 3)) % P
    1
    """
    return value.numerator * pow(value.denominator, -1, P) % P


def random_residues(rng: np.random.Generator, shape: tuple[int, ...]) -> Residues:
    """Every residue alike probable."""
    return rng.integers(0, P, shape, dtype=np.uint64)


def times(a: Residues, b: Residues | np.uint64) -> Residues:
    """a*b, from halves of 31 bits: 2**62 = 2 and 2**61 = 1 modulo p, so all parts fit 64 bits.

    >>> times(np.array([P - 1], np.uint64), np.array([P - 1], np.uint64))  # (-1)*(-1)
    array([1], dtype=uint64)
    """
    a_high, a_low, b_high, b_low = a >> HALF, a & LOW_31, b >> HALF, b & LOW_31
    middle = a_high * b_low + a_low * b_high
    ends = ((a_high * b_high) << np.uint64(1)) + a_low * b_low
    parts: Residues = ends + (middle >> np.uint64(30)) + ((middle & LOW_30) << HALF)
    return np.asarray(parts % np.uint64(P))


def total(values: Residues, axes: int | tuple[int, ...]) -> Residues:
    """The sum along axes, of up to 2**32 residues."""
    high, low = ((part.sum(axes)) % np.uint64(P) for part in (values >> WORD, values & LOW_32))
    return np.asarray((times(high, np.uint64(2**32)) + low) % np.uint64(P))


def applied(form: TrilinearForm, weight: Residues, x: Residues) -> Residues:
    """A(weight) x for each sample of x (batch, *input_shape)."""
    w, x = by_channel(form, weight), _grouped(x, form.groups)
    y = np.zeros((len(x), form.groups, form.channels_out, *form.output_shape[1:]), np.uint64)
    for line in _lines(form):
        part = x[line.x]
        flat = part.reshape(*part.shape[:3], -1)
        for o in range(form.channels_out):
            kernel = times(w[:, o][line.t], line.coefficient)
            summed = total(times(kernel[..., None], flat), 2).reshape(len(x), form.groups, *line.n)
            y[:, :, o][line.y] = (y[:, :, o][line.y] + summed) % np.uint64(P)
    return y.reshape(len(x), *form.output_shape)


def weight_gradient(form: TrilinearForm, x: Residues, g: Residues) -> Residues:
    """The derivative of <g, A(w) x> by w, in the layout of the weight."""
    x, g = _grouped(x, form.groups), _grouped(g, form.groups)
    weight = np.zeros(form.weight_shape, np.uint64)
    w = by_channel(form, weight)
    assert np.shares_memory(w, weight)
    for line in _lines(form):
        part = x[line.x]
        flat = part.reshape(*part.shape[:3], -1)
        for o in range(form.channels_out):
            grads = g[:, :, o][line.y].reshape(len(g), form.groups, 1, -1)
            summed = times(total(times(grads, flat), (0, 3)), line.coefficient)
            w[:, o][line.t] = (w[:, o][line.t] + summed) % np.uint64(P)
    return weight


@dataclass(frozen=True, slots=True)
class _Line:
    """One product of strands: where it lies in y, weight and x, and its ``n`` positions."""

    y: tuple[Any, ...]
    t: tuple[Any, ...]
    x: tuple[Any, ...]
    n: tuple[int, ...]
    coefficient: np.uint64


def _lines(form: TrilinearForm) -> Iterator[_Line]:
    for strands in product(*(axis.strands for axis in form.axes)):
        pairs = list(zip(strands, form.axes, strict=True))
        yield _Line(
            (..., *(_every(s.y, axis.step, s.count) for s, axis in pairs)),
            (..., *(s.tap for s in strands)),
            (..., *(_every(s.x, axis.advance, s.count) for s, axis in pairs)),
            tuple(s.count for s in strands),
            np.uint64(residue(prod((s.coefficient for s in strands), start=Fraction(1)))),
        )


def _every(first: int, step: int, count: int) -> slice:
    return slice(first, first + step * (count - 1) + 1, step)


def _grouped(values: Residues, groups: int) -> Residues:
    """(batch, channels, *positions) -> (batch, groups, channels of a group, *positions)."""
    return values.reshape(len(values), groups, values.shape[1] // groups, *values.shape[2:])
