"""Equal for every weight: decided on the axes, judged by whole matrices in symbols."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.random import Generator

import derive
from derive import Composite, GeometryError, LinearMap, equivalent
from derive.core.axis import Axis, disjoint
from derive.core.polyphase import Strand
from derive.study.differences import same_product
from tests import cases, definition
from tests.derive.axes import random_axis, random_composition

CHUNKS, PER_CHUNK = range(6), range(40)


def judged(a: LinearMap, b: LinearMap) -> bool:
    """The verdict, after comparing it with the matrices entry by entry."""
    found = equivalent(a, b)
    one, other = a.matrix(), b.matrix()
    assert found.equal == bool(found) == (one == other), (a, b)
    if not found:
        assert isinstance(found, derive.Difference)
        assert found.row is not None
        assert found.column is not None
        assert found.entries == (one[found.row, found.column], other[found.row, found.column])
        assert found.entries[0] != found.entries[1]
        assert one[: found.row, :] == other[: found.row, :]
        assert one[found.row, : found.column] == other[found.row, : found.column]
        assert str(found.entries[0]) in found.reason
    return found.equal


def changed(rng: Generator, layer: Any) -> Any:
    """The layer with one parameter of the same shapes changed, or none."""
    words = dict(layer.parameters)
    kind = rng.integers(4)
    axes = layer.dimensions
    if kind == 0:
        pads = [
            (rule.before + int(move), rule.after - int(move))
            for rule, move in zip(layer.rules, rng.integers(0, 2, axes), strict=True)
        ]
        words["padding"] = tuple(pads)
    elif kind == 1 and "padding_mode" in words and not isinstance(layer, derive.ConvTranspose1d):
        words["padding_mode"] = str(rng.choice(["zeros", "replicate"]))
    elif kind == 2:
        words["dilation"] = int(rng.integers(1, 3))
    try:
        return type(layer)(**words)
    except GeometryError:
        return layer


@pytest.mark.parametrize("chunk", CHUNKS)
def test_verdict_is_that_of_the_matrices(chunk: int) -> None:
    verdicts = []
    for case in PER_CHUNK:
        rng = cases.generator(600, chunk, case)
        layer = cases.random_layer(rng)
        other = changed(rng, layer)
        if layer.nnz > 250 or other.nnz > 250:
            continue
        if layer.output_shape == other.output_shape:
            verdicts.append(judged(layer, other))
            judged(layer.T, other.T)
        else:
            assert not equivalent(layer, other)
    assert len(verdicts) > 12
    assert 2 < sum(verdicts) < len(verdicts) - 2


def test_one_operator_in_two_forms() -> None:
    for case in range(60):
        layer = cases.random_convolution(cases.generator(601, case))
        if any(rule.mode != "zeros" or rule.up > 1 for rule in layer.rules):
            continue
        words = layer.parameters
        make = cases.TRANSPOSED[layer.dimensions]
        twin = make(
            words["out_channels"],
            words["in_channels"],
            words["kernel_size"],
            stride=words["stride"],
            padding=tuple((rule.before, rule.after) for rule in layer.rules),
            dilation=words["dilation"],
            groups=words["groups"],
            bias=False,
            input_size=layer.output_size,
        )
        assert equivalent(layer.T, twin).equal == (layer.T.output_shape == twin.output_shape)


def test_which_channel_leads_matters_where_there_are_several() -> None:
    one = derive.Conv1d(2, 2, 1, bias=False, input_size=3)
    other = derive.ConvTranspose1d(2, 2, 1, bias=False, input_size=3)
    assert not judged(one, other)
    depthwise = derive.Conv1d(2, 2, 1, groups=2, bias=False, input_size=3)
    assert judged(depthwise, derive.ConvTranspose1d(2, 2, 1, groups=2, bias=False, input_size=3))
    again = Composite(one, other), Composite(one, other.T)
    assert not judged(*again)
    assert judged(Composite(one, other), Composite(one, one.T))


def test_steps_may_differ_where_outputs_are_few() -> None:
    one = derive.Conv1d(1, 1, 3, stride=4, bias=False, input_size=5)
    assert judged(one, derive.Conv1d(1, 1, 3, stride=3, bias=False, input_size=5))
    two = derive.Conv1d(1, 1, 3, stride=2, bias=False, input_size=6)
    assert not judged(two, derive.Conv1d(1, 1, 3, stride=3, bias=False, input_size=6))
    parts = derive.Conv1d(1, 1, 3, bias=False, input_size=6)
    halved = derive.Interpolate(1, 4, size=4) @ parts
    assert judged(parts, halved)


def test_chains_that_multiply_differently() -> None:
    """Two resizes are one; a crop may be anywhere; the weights keep their order."""
    conv = derive.Conv1d(1, 1, 3, bias=False, input_size=12)
    twice = derive.Interpolate(1, 6, scale_factor=2) @ derive.Interpolate(1, 3, scale_factor=2)
    assert judged(conv @ twice, conv @ derive.Interpolate(1, 3, scale_factor=4))
    assert not judged(conv @ twice, conv @ derive.Interpolate(1, 3, size=12, mode="linear"))
    crop = derive.Pad(1, ((-1, 0),), input_size=10)
    first = crop @ conv
    moved = derive.Conv1d(1, 1, 3, padding=((-1, 0),), bias=False, input_size=12)
    assert judged(first, moved)
    outer = derive.Conv1d(1, 1, 2, bias=False, input_size=9)
    assert judged(outer @ first, outer @ moved)
    shifted = derive.Conv1d(1, 1, 2, padding=((-1, 1),), bias=False, input_size=9)
    assert not judged(outer @ first, shifted @ moved)


def test_what_has_other_shapes_is_said() -> None:
    op = derive.Conv1d(2, 2, 3, padding=1, input_size=8)
    others = {
        "input": derive.Conv1d(2, 2, 3, padding=1, input_size=9),
        "output": derive.Conv1d(2, 2, 3, input_size=8),
        "weight": derive.Conv1d(2, 2, 3, padding=1, groups=2, input_size=8),
        "bias": derive.Conv1d(2, 2, 3, padding=1, bias=False, input_size=8),
    }
    for what, other in others.items():
        found = equivalent(op, other)
        assert not found
        assert str(found).startswith(f"the {what} has shape")
        assert found.row is found.column is found.entries is None
    unlearned = derive.Pad(2, (1,), input_size=6), derive.Conv1d(2, 2, 1, padding=1, input_size=6)
    assert "weight" in str(equivalent(*unlearned))


@pytest.mark.parametrize("chunk", CHUNKS)
def test_products_of_axes_are_compared_up_to_scalars(chunk: int) -> None:
    """A scalar may stand on either axis; dense tensors are the judge."""
    equal = 0
    for case in range(60):
        rng = cases.generator(602, chunk, case)
        a = random_axis(rng), random_axis(rng)
        r, s = (Fraction(int(rng.choice((-2, 1, 3))), int(rng.choice((1, 2)))) for _ in range(2))
        b = scaled(a[0], r), scaled(a[1], 1 / r if rng.random() < 0.5 else s)
        dense = [np.multiply.outer(*map(definition.of_axis, pair)) for pair in (a, b)]
        expected = bool((dense[0] == dense[1]).all())
        assert same_product(a, b) == expected
        equal += expected
    assert 20 < equal < 55


def scaled(axis: Axis, factor: Fraction) -> Axis:
    strands = tuple(replace(s, coefficient=s.coefficient * factor) for s in axis.strands)
    return replace(axis, strands=strands)


def test_steps_say_nothing_about_equality() -> None:
    """The same triples as lines of another step and advance, one left out or doubled at times."""
    equal = 0
    for case in range(400):
        rng = cases.generator(603, case)
        a = random_axis(rng)
        triples = [Strand(y, t, x, 1, c) for y, t, x, c in a.entries()]
        if triples and rng.random() < 0.5:
            triples += [triples[rng.integers(len(triples))]] * int(rng.integers(2))
            triples.pop(rng.integers(len(triples)))
        step, advance = (int(v) for v in rng.integers(1, 5, 2))
        b = replace(a, step=step, advance=advance, strands=disjoint(triples, step, advance))
        expected = bool((definition.of_axis(a) == definition.of_axis(b)).all())
        assert same_product((a,), (b,)) == same_product((b,), (a,)) == expected
        equal += expected
    assert 200 < equal < 350
    outer, inner = random_composition(cases.generator(604))
    assert same_product((outer.after(inner),), (outer.after(inner),))


def test_size_costs_nothing() -> None:
    n = 10**9
    op = derive.Conv2d(1, 1, 5, stride=2, padding=2, bias=False, input_size=n)
    up = derive.ConvTranspose2d(
        1, 1, 5, stride=2, padding=2, output_padding=1, bias=False, input_size=n // 2
    )
    assert equivalent(op.T, up)
    other = derive.Conv2d(
        1, 1, 5, stride=2, padding=((2, 2), (2, 3)), bias=False, input_size=(n, n - 1)
    )
    assert not equivalent(op, other)
    replicated = derive.Conv2d(1, 1, 5, stride=2, padding=2, bias=False, input_size=n)
    replicated = type(replicated)(**{**replicated.parameters, "padding_mode": "replicate"})
    found = equivalent(op, replicated)
    assert isinstance(found, derive.Difference)
    assert (found.row, found.column) == (0, 0)


@pytest.mark.parametrize("bad", [None, 3, "op", [[1, 0], [0, 1]]])
def test_only_operators_are_compared(bad: Any) -> None:
    op = derive.Conv1d(1, 1, 1, input_size=2)
    with pytest.raises(GeometryError, match=r"^b = .*allowed is an operator"):
        equivalent(op, bad)
    with pytest.raises(GeometryError, match=r"^a = .*allowed is an operator"):
        equivalent(bad, op)
    with pytest.raises(GeometryError, match="needs a fixed input_size"):
        equivalent(op, derive.Conv1d(1, 1, 1))


# --- as one transposed convolution -----------------------------------------------------------


def same_numbers(op: LinearMap, found: derive.AsConvTranspose, rng: Generator) -> None:
    weight = cases.integers(rng, op.weight_shape) if op.weight_shape else None
    assert found.layer.input_shape == op.input_shape
    assert found.layer.output_shape == op.output_shape
    theirs = found.layer.matrix(found.weight(weight))
    assert theirs == op.matrix(weight), op


@pytest.mark.parametrize("r", [1, 2, 3, 4])
@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_nearest_then_convolution(r: int, k: int) -> None:
    """Kernel k + r - 1, stride r, borders included."""
    for pad, n, dilation in product(range(4), (1, 2, 7), (1, 2)):
        if n * r + 2 * pad <= dilation * (k - 1):
            continue
        conv = derive.Conv1d(1, 2, k, padding=pad, dilation=dilation, bias=False, input_size=n * r)
        op = conv @ derive.Interpolate(1, n, scale_factor=r)
        found = derive.as_conv_transpose(op)
        assert isinstance(found, derive.AsConvTranspose)
        same_numbers(op, found, cases.generator(610, r, k, pad, n))
        if n == 7 and dilation == 1:
            assert found.layer.parameters["kernel_size"] == k + r - 1
            assert found.layer.parameters["stride"] == r


def test_more_axes_groups_and_a_bias() -> None:
    for case in range(40):
        rng = cases.generator(611, case)
        axes = int(rng.integers(1, 4))
        r = [int(v) for v in rng.integers(1, 4 if axes < 3 else 3, axes)]
        n = [int(v) for v in rng.integers(1, 4 if axes < 3 else 3, axes)]
        groups = int(rng.choice((1, 2)))
        conv = cases.CONVOLUTIONS[axes](
            2,
            2 * groups,
            int(rng.integers(1, 4)),
            padding=int(rng.integers(1, 3)),
            groups=groups,
            bias=bool(rng.random() < 0.5),
            input_size=[a * b for a, b in zip(r, n, strict=True)],
        )
        op = conv @ derive.Interpolate(2, n, scale_factor=r)
        found = derive.as_conv_transpose(op)
        assert isinstance(found, derive.AsConvTranspose)
        assert found.layer.bias == op.bias
        weight = cases.integers(rng, op.weight_shape)
        ours = op.sparse(weight, "int64")
        theirs = found.layer.sparse(found.weight(weight), "int64")
        assert (ours != theirs).nnz == 0, op


def test_other_operators_that_are_one() -> None:
    conv = derive.Conv2d(2, 3, 3, padding=1, dilation=2, bias=False, input_size=(5, 6))
    ops: list[LinearMap] = [
        conv,
        derive.Conv1d(1, 1, 3, stride=2, padding=1, bias=False, input_size=7).T,
        derive.Conv1d(1, 1, 3, stride=2, dilation=3, bias=False, input_size=12).T,
        derive.Interpolate(2, 3, scale_factor=3),
        derive.Interpolate(1, 3, scale_factor=2, mode="area"),
        derive.Interpolate(1, 6, size=3, mode="area").T,
        derive.Pad(1, ((2, -1),), input_size=4),
        derive.ConvTranspose1d(1, 1, 2, stride=2, input_size=3)
        @ derive.Interpolate(1, 1, scale_factor=3),
    ]
    for case, op in enumerate(ops):
        found = derive.as_conv_transpose(op)
        assert isinstance(found, derive.AsConvTranspose), found
        same_numbers(op, found, cases.generator(612, case))
        assert repr(found.layer) in str(found)
    layer = derive.ConvTranspose2d(2, 4, 3, stride=2, groups=2, output_padding=1, input_size=3)
    itself = derive.as_conv_transpose(layer)
    assert isinstance(itself, derive.AsConvTranspose)
    assert itself.layer is layer
    weight = cases.integers(cases.generator(613), layer.weight_shape)
    assert (itself.weight(weight) == weight).all()


def test_random_layers_are_one_or_are_not() -> None:
    """Judged by the definition: the matrix of the layer that is found, from the same weight."""
    counts = [0, 0]
    for case in range(200):
        rng = cases.generator(614, case)
        op: LinearMap = cases.random_layer(rng)
        op = op.T if rng.random() < 0.5 else op
        found = derive.as_conv_transpose(op)
        counts[bool(found)] += 1
        if isinstance(found, derive.AsConvTranspose):
            weight = cases.integers(rng, op.weight_shape)
            theirs = found.layer.sparse(found.weight(weight), "int64")
            assert (op.sparse(weight, "int64") != theirs).nnz == 0, op
    assert min(counts) > 40


def test_a_dead_operator_is_one() -> None:
    op = derive.Pad(1, ((-3, 3),), input_size=3)
    found = derive.as_conv_transpose(op)
    assert isinstance(found, derive.AsConvTranspose)
    assert not found.layer.sparse(found.weight(), "int64").count_nonzero()
    assert found.layer.output_size == (3,)


def none(op: LinearMap, words: str) -> None:
    found = derive.as_conv_transpose(op)
    assert isinstance(found, derive.NoTransposed)
    assert not found
    assert words in str(found)


def test_why_there_is_none() -> None:
    conv = derive.Conv2d(1, 1, 3, padding=1, bias=False, input_size=8)
    bilinear = derive.Interpolate(1, (4, 4), scale_factor=2, mode="bilinear")
    none(conv @ bilinear, "axis 0: output 0 takes w1 + 3/4*w2 from input 0, but output 2")
    none(derive.Conv2d(1, 1, 3, stride=2, input_size=8), "1 outputs advance with 2 inputs")
    none(derive.Interpolate(1, 4, size=6), "3 outputs advance with 2 inputs")
    mirrored = derive.Conv1d(1, 1, 3, padding=1, padding_mode="reflect", input_size=8)
    none(mirrored, "axis 0: output 0 takes")
    one_axis = derive.Conv2d(1, 1, 1, stride=(1, 2), input_size=8)
    none(one_axis, "axis 1:")
    none(conv.T @ conv, "several weights")
    with pytest.raises(GeometryError, match=r"^op = 3"):
        derive.as_conv_transpose(3)  # type: ignore[arg-type]


def test_the_weight_of_a_layer_is_refused_in_another_shape() -> None:
    conv = derive.Conv1d(1, 1, 3, padding=1, bias=False, input_size=8)
    found = derive.as_conv_transpose(conv @ derive.Interpolate(1, 4, scale_factor=2))
    assert isinstance(found, derive.AsConvTranspose)
    with pytest.raises(GeometryError, match="weight has shape"):
        found.weight([[1, 2, 3]])
    with pytest.raises(GeometryError, match="weight = None"):
        found.weight()
    assert found.weight(np.array([[[1, 100, 27]]], np.int8)).tolist() == [[[27, 127, 101, 1]]]
