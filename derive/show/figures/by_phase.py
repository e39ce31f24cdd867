"""The positions of an operator by phase, as its normal form has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

import numpy as np
from numpy.typing import NDArray

from derive.core.axis import Axis
from derive.core.polyphase import Run

Weights = Sequence[tuple[int, Fraction]]  # (tap, coefficient) along one axis
Phase = tuple[int, ...]


@dataclass(frozen=True)
class SmallKernel:
    """The weights on each input that the outputs of a phase read, row by row, axis by axis."""

    phase: Phase
    shape: tuple[int, int]
    cells: tuple[tuple[Weights, ...], ...]

    @property
    def name(self) -> str:
        return str(self.phase[0] if len(self.phase) == 1 else self.phase)


def whole_runs(axis: Axis) -> list[Run]:
    """For each phase of an axis, its longest run among those that read the most inputs.

    >>> from derive import ConvTranspose1d
    >>> (axis,) = ConvTranspose1d(1, 1, 3, stride=2, input_size=4).axes
    >>> [len(run.taps) for run in whole_runs(axis)]
    [2, 1]
    """
    return [
        max(runs, key=lambda run: (len(run.taps), run.count))
        for runs in ([r for r in axis.runs if r.first % axis.step == p] for p in range(axis.step))
        if runs
    ]


def phases_of(axes: Sequence[Axis]) -> list[Phase]:
    """The phases of an operator in C order.

    >>> from derive import ConvTranspose2d
    >>> phases_of(ConvTranspose2d(1, 1, 3, stride=2, input_size=4).axes)
    [(0, 0), (0, 1), (1, 0), (1, 1)]
    """
    return list(product(*(range(min(axis.step, axis.n_out)) for axis in axes)))


def phase_words(axes: Sequence[Axis], phase: Phase) -> str:
    """A phase in words.

    >>> from derive import ConvTranspose2d
    >>> phase_words(ConvTranspose2d(1, 1, 3, stride=2, input_size=4).axes, (0, 1))
    '(0, 1) mod (2, 2)'
    """
    if len(axes) == 1:
        return f"{phase[0]} mod {axes[0].step}"
    return f"{phase} mod {tuple(axis.step for axis in axes)}"


def classified(axes: Sequence[Axis]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """For each output position the number of its phase, and whether it reads as most of it do.

    False at the border: where fewer inputs are read than elsewhere in the phase.

    >>> from derive import ConvTranspose1d
    >>> numbers, whole = classified(ConvTranspose1d(1, 1, 3, stride=2, input_size=2).axes)
    >>> numbers.tolist(), whole.tolist()
    ([0, 1, 0, 1, 0], [False, True, True, True, False])
    """
    numbers, whole = np.array(0, dtype=np.int64), np.array(True)
    for axis in axes:
        most = [len(run.taps) for run in whole_runs(axis)]
        of_axis, inside = np.zeros(axis.n_out, dtype=np.int64), np.zeros(axis.n_out, dtype=bool)
        for run in axis.runs:
            at = slice(run.first, run.first + run.step * (run.count - 1) + 1, run.step)
            of_axis[at] = run.first % axis.step
            inside[at] = len(run.taps) == most[run.first % axis.step]
        numbers = np.add.outer(numbers * len(most), of_axis)
        whole = np.logical_and.outer(whole, inside)
    return numbers, whole


def small_kernels(axes: Sequence[Axis]) -> list[SmallKernel]:
    """The small kernel of each phase, away from the border; of one or two axes.

    >>> from derive import ConvTranspose1d
    >>> kernels = small_kernels(ConvTranspose1d(1, 1, 3, 2, input_size=4).axes)
    >>> [kernel.shape for kernel in kernels]
    [(1, 2), (1, 1)]
    """
    whole = [whole_runs(axis) for axis in axes]
    found = []
    for phase in phases_of(axes):
        runs = [runs[r] for runs, r in zip(whole, phase, strict=True)]
        rows, columns = (1, *(len(run.taps) for run in runs))[-2:]
        cells = product(*([tap.weights for tap in run.taps] for run in runs))
        found.append(SmallKernel(phase, (rows, columns), tuple(cells)))
    return found
