"""The axis tensor P[y, t, x] and the matrix of a layer, dense and from the definition.

Nothing here knows strands, runs or sparse rows: it visits every position. Padding is NumPy's.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from derive.core.axis import Axis
from derive.core.polyphase import Run
from derive.core.relation import Relation
from derive.core.rules import ConvolutionRule, TransposedRule
from derive.layers import Layer

Array = NDArray[Any]
NUMPY_MODE = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
NOTHING = -1  # instead of a position: a zero


def of_relation(relation: Relation, *, n_in: int, n_out: int, n_tap: int) -> Array:
    """1 where up*x = stride*y + dilation*t - pad."""
    y, t, x = np.ogrid[:n_out, :n_tap, :n_in]
    right = relation.stride * y + relation.dilation * t - relation.pad
    return (relation.up * x == right).astype(object)


def of_axis(axis: Axis) -> Array:
    """The strands added up, one triple at a time."""
    dense = np.zeros((axis.n_out, axis.n_tap, axis.n_in), dtype=object)
    for y, t, x, coefficient in axis.entries():
        dense[y, t, x] += coefficient
    return dense


def of_runs(runs: Iterable[Run], *, n_in: int, n_out: int, n_tap: int) -> Array:
    """The runs added up, one output at a time."""
    dense = np.zeros((n_out, n_tap, n_in), dtype=object)
    for run in runs:
        for q in range(run.count):
            for tap in run.taps:
                for t, coefficient in tap.weights:
                    x = run.source + run.advance * q + tap.offset
                    dense[run.first + run.step * q, t, x] += coefficient
    return dense


def padded(positions: Array, before: int, after: int, mode: str) -> Array:
    """The positions that np.pad puts around ``positions``, then cropped where an amount is < 0."""
    fill = {"constant_values": NOTHING} if mode == "zeros" else {}
    grown = np.pad(positions, (max(before, 0), max(after, 0)), NUMPY_MODE[mode], **fill)
    return grown[max(-before, 0) : max(len(grown) - max(-after, 0), 0)]


def spread(n: int, up: int) -> Array:
    """Positions 0..n-1 with up - 1 zeros between them."""
    positions = np.full(up * (n - 1) + 1, NOTHING)
    positions[::up] = np.arange(n)
    return positions


def of_convolution(rule: ConvolutionRule, n: int) -> Array:
    """A window of taps moved along the padded positions for as long as it fits."""
    line = padded(spread(n, rule.up), rule.before, rule.after, rule.mode)
    window = rule.dilation * np.arange(rule.kernel)
    rows = []
    while len(rows) * rule.stride + window[-1] < len(line):
        reads = line[len(rows) * rule.stride + window]
        rows.append(reads[:, None] == np.arange(n))
    return np.array(rows, dtype=np.int64).reshape(-1, rule.kernel, n)


def of_transposed(rule: TransposedRule, n: int) -> Array:
    """Every input writes its taps, ``stride`` apart; then the output is cropped or extended."""
    n_full = rule.stride * (n - 1) + rule.dilation * (rule.kernel - 1) + 1
    full = np.zeros((n_full, rule.kernel, n), dtype=np.int64)
    for x in range(n):
        for t in range(rule.kernel):
            full[rule.stride * x + rule.dilation * t, t, x] = 1
    grow = [(max(-rule.before, 0), max(rule.output_padding - rule.after, 0)), (0, 0), (0, 0)]
    crop = max(rule.before, 0), max(rule.after - rule.output_padding, 0)
    grown = np.pad(full, grow)
    return grown[crop[0] : max(len(grown) - crop[1], 0)]


def of_rule(rule: ConvolutionRule | TransposedRule, n: int) -> Array:
    """P of a layer's axis."""
    return of_convolution(rule, n) if isinstance(rule, ConvolutionRule) else of_transposed(rule, n)


def matrix(layer: Layer, weight: Array) -> Array:
    """sum over taps of W * P * P * ..., rows and columns in C order of (channel, *position)."""
    assert layer.sizes is not None
    out, into, groups = layer.channels_out, layer.channels_in, layer.groups
    if layer.output_leads:
        blocks = weight.reshape(groups, out, into, *weight.shape[2:])
    else:
        blocks = weight.reshape(groups, into, out, *weight.shape[2:]).swapaxes(1, 2)
    for rule, n in zip(layer.rules, layer.sizes, strict=True):
        blocks = np.tensordot(blocks, of_rule(rule, n), axes=([3], [1]))  # t goes, y and x come
    rows, columns = out * prod(blocks.shape[3::2]), into * prod(blocks.shape[4::2])
    ys_before_xs = [0, 1, *range(3, blocks.ndim, 2), 2, *range(4, blocks.ndim, 2)]
    blocks = blocks.transpose(ys_before_xs).reshape(groups, rows, columns)
    whole = np.zeros((groups, rows, groups, columns), dtype=blocks.dtype)
    for group in range(groups):
        whole[group, :, group] = blocks[group]
    return whole.reshape(groups * rows, groups * columns)
