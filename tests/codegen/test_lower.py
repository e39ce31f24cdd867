"""Loop nests carried out in Python against the operator: no compiler has a part in this."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest

import derive
from codegen.errors import LoweringError
from codegen.lower import UNROLL, lower
from codegen.resample import LONGEST_ROW, resample
from derive import Operator
from tests.cases import generator, random_layer
from tests.codegen import interpreter
from tests.codegen.interpreter import Count
from tests.codegen.judge import WIDE, Data, nonzero

BATCH = 2
LONG = [  # kernels whose rows have more taps than are written out
    derive.Conv1d(2, 3, 17, padding=8, input_size=20),
    derive.Conv1d(1, 1, 20, stride=2, dilation=2, padding=19, input_size=9),
    derive.ConvTranspose1d(1, 2, 40, stride=2, padding=20, input_size=5),
    derive.Conv2d(1, 1, (3, 18), padding=(1, 9), padding_mode="circular", input_size=(4, 10)),
    derive.Conv1d(1, 1, 19, padding=((9, 3),), padding_mode="reflect", input_size=12),
]


def chains() -> list[Operator]:
    """Chains with one learned part, fused: taps fold, coefficients are fractions."""
    nearest = derive.Interpolate(2, (3, 4), scale_factor=2)
    bilinear = derive.Interpolate(2, (3, 4), scale_factor=2, mode="bilinear")
    made = [
        derive.Conv2d(2, 1, 3, padding=1, input_size=(6, 8)) @ nearest,
        derive.Conv2d(2, 1, 3, padding=1, bias=False, input_size=(6, 8)) @ bilinear,
        bilinear @ derive.Conv2d(1, 2, 3, padding=1, bias=False, input_size=(3, 4)),
        derive.Conv1d(1, 1, 4, input_size=9)
        @ derive.Interpolate(1, (6,), scale_factor="3/2", mode="linear"),
        derive.Conv3d(1, 2, 3, input_size=4)
        @ derive.Interpolate(1, (2, 2, 2), scale_factor=2, mode="trilinear"),
    ]
    assert all(isinstance(op, Operator) for op in made)
    return [op for op in made if isinstance(op, Operator)]


def check(op: Operator, seed: int) -> None:
    data = Data.of(op, generator(420, seed), (BATCH,))
    nests, counts = lower(op.form), [Count(), Count(), Count()]
    w = interpreter.folded(nests, data.weight)
    y = interpreter.gather(nests.forward, BATCH, data.x, w, data.bias, data.grad.size, counts[0])
    by_x = interpreter.gather(
        nests.input_gradient, BATCH, data.grad, w, None, data.x.size, counts[1]
    )
    by_folded = interpreter.correlation(
        nests.weight_gradient, BATCH, data.x, data.grad, len(w), counts[2]
    )
    by_w = interpreter.unfolded(nests, by_folded)

    assert [count.macs for count in counts] == [BATCH * op.macs] * 3, op
    assert np.array_equal(np.reshape(y, data.grad.shape), op.apply(data.x, data.weight, data.bias))
    assert np.array_equal(np.reshape(by_x, data.x.shape), op.T.apply(data.grad, data.weight))
    v = generator(421, seed).integers(-WIDE, WIDE, data.weight.shape)
    through_v = op.T.T.apply(data.x, v)  # the same without its bias
    assert sum(g * n for g, n in zip(by_w, v.flat, strict=True)) == sum(
        g * n for g, n in zip(data.grad.flat, through_v.flat, strict=True)
    ), op


@pytest.mark.parametrize("chunk", range(8))
def test_random_layers(chunk: int) -> None:
    done = 0
    for case in range(20):
        layer = random_layer(generator(422, chunk, case))
        if layer.macs < 3000:
            done += 1
            check(layer, case)
            check(layer.T, case)
    assert done >= 10


@pytest.mark.parametrize("op", LONG, ids=repr)
def test_long_rows(op: Operator) -> None:
    check(op, 0)
    check(op.T, 1)


@pytest.mark.parametrize("op", chains(), ids=repr)
def test_fused_chains(op: Operator) -> None:
    assert lower(op.form).folds
    check(op, 2)
    check(op.T, 3)


def test_long_rows_are_loops_and_short_ones_are_written_out() -> None:
    for kernel in (UNROLL, UNROLL + 1):
        nests = lower(derive.Conv1d(1, 1, kernel, input_size=40).form)
        (update,) = nests.forward.columns
        assert len(update.loops) == (1 if kernel == UNROLL else 2)
        assert len(update.terms) == (kernel if kernel == UNROLL else 1)


def test_text_does_not_grow_with_the_size() -> None:
    """Once past its borders, a larger input changes numbers and nothing else."""

    def shape(n: int) -> tuple[int, ...]:
        op = derive.Conv2d(3, 4, 5, stride=2, padding=2, padding_mode="reflect", input_size=n)
        nests = lower(op.form)
        parts = (nests.forward, nests.input_gradient)
        calls = [len(rows.calls) for nest in parts for rows in nest.rows]
        return (*calls, *(len(nest.columns) for nest in parts), len(nests.weight_gradient.calls))

    assert shape(40) == shape(400) == shape(4000)


# --- operators that learn nothing ------------------------------------------------------------

RESIZES = [
    derive.Interpolate(2, (3, 4), scale_factor=2),
    derive.Interpolate(1, (3, 4), scale_factor=2, mode="bilinear"),
    derive.Interpolate(2, (4, 3), scale_factor="3/2", mode="bicubic"),
    derive.Interpolate(1, (7, 5), size=(3, 4), mode="bilinear", antialias=True),
    derive.Interpolate(3, (9,), size=17, mode="linear", align_corners=True),
    derive.Interpolate(1, (5,), size=2, mode="area"),
    derive.Interpolate(1, (2, 3, 2), scale_factor=2, mode="trilinear"),
    derive.Pad(2, ((1, 2), (-1, 1)), "reflect", input_size=(4, 3)),
    derive.Pad(1, ((2, 0), (0, 0), (1, -2)), input_size=(2, 3, 4)),
    derive.Pad(1, ((2, 3),), "circular", input_size=5),
]


@pytest.mark.parametrize("op", RESIZES, ids=repr)
def test_resizes(op: Operator) -> None:
    for each in (op, op.T):
        x = nonzero(generator(423), (BATCH, *each.input_shape))
        y = interpreter.resample(resample(each.form), BATCH, x, BATCH * prod(each.output_shape))
        assert np.array_equal(np.reshape(y, (BATCH, *each.output_shape)), each.apply(x)), each


def test_rows_that_do_not_fit_the_stack_are_refused() -> None:
    resample(derive.Interpolate(1, (LONGEST_ROW + 1,), scale_factor=2).form)  # of one axis: none
    wide = derive.Interpolate(1, (2, LONGEST_ROW + 1), scale_factor=2, mode="bilinear")
    with pytest.raises(LoweringError, match=f"{LONGEST_ROW + 1} positions.*at most {LONGEST_ROW}"):
        resample(wide.form)
