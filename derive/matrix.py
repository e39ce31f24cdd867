"""The exact matrix of a trilinear form, in SymPy.

Rows and columns are in C order of (channel, *position).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction
from itertools import product
from math import prod

import numpy as np
import sympy
from numpy.typing import ArrayLike

from .arguments import refuse
from .core.axis import Axis
from .core.form import TrilinearForm
from .errors import GeometryError
from .weights import Array, by_channel, exact

MOST_ENTRIES = 1_000_000  # SymPy needs about a second for half of them

Taps = list[tuple[int, Fraction]]


def symbolic_matrix(
    form: TrilinearForm, weight: ArrayLike | None, name: str
) -> sympy.ImmutableSparseMatrix:
    """The matrix; entries are combinations of ``name[...]`` where no weight is given."""
    if not isinstance(name, str) or not name:
        refuse("name", name, "the name of the weight's symbols, a str")
    if form.nnz > MOST_ENTRIES:
        raise GeometryError(
            f"matrix() would have {form.nnz} entries, at most {MOST_ENTRIES} are allowed; "
            "use sparse() or rows()"
        )
    values = by_channel(form, symbols(form, name) if weight is None else exact(form, weight))
    n_in, n_out = form.input_shape[1:], form.output_shape[1:]
    entries: dict[tuple[int, int], sympy.Expr] = {}
    for places in product(*(_taps_by_place(axis).items() for axis in form.axes)):
        y = _flat([y for (y, _), _ in places], n_out)
        x = _flat([x for (_, x), _ in places], n_in)
        taps = [
            (tuple(t for t, _ in each), sympy.Rational(prod(c for _, c in each)))
            for each in product(*(found for _, found in places))
        ]
        for group, o, i in np.ndindex(form.groups, form.channels_out, form.channels_in):
            row = (group * form.channels_out + o) * prod(n_out) + y
            column = (group * form.channels_in + i) * prod(n_in) + x
            terms = (c * values[(group, o, i, *t)] for t, c in taps)
            entries[row, column] = sympy.Add(*terms)
    rows, columns = prod(form.output_shape), prod(form.input_shape)
    return sympy.ImmutableSparseMatrix(rows, columns, entries)


def symbols(form: TrilinearForm, name: str) -> Array:
    """The symbols name[...] in the form's weight layout."""
    base = sympy.IndexedBase(name)
    values = np.empty(form.weight_shape, dtype=object)
    for index in np.ndindex(*form.weight_shape):
        values[index] = base[index]
    return values


def _taps_by_place(axis: Axis) -> dict[tuple[int, int], Taps]:
    found: dict[tuple[int, int], Taps] = defaultdict(list)
    for y, t, x, coefficient in axis.entries():
        found[y, x].append((t, coefficient))
    return found


def _flat(position: Sequence[int], shape: Sequence[int]) -> int:
    index = 0
    for p, n in zip(position, shape, strict=True):
        index = index * n + p
    return index
