"""What any linear, shift-invariant operator obeys, whatever its parameters."""

from itertools import product

import numpy as np
import pytest

import derive
from tests import cases, definition
from tests.cases import (
    CONVOLUTIONS,
    TRANSPOSED,
    generator,
    random_convolution,
    random_layer,
    random_transposed,
)

CHUNKS = range(5)
PER_CHUNK = range(40)


@pytest.mark.parametrize("chunk", CHUNKS)
def test_adjoint_is_the_transpose_entry_by_entry(chunk: int) -> None:
    """In symbols: the very same weight, every entry in its mirrored place."""
    done = 0
    for case in PER_CHUNK:
        layer = random_layer(generator(120, chunk, case))
        if layer.nnz > 150:
            continue
        done += 1
        assert layer.T.weight_shape == layer.weight_shape
        assert layer.T.matrix() == layer.matrix().T, layer
    assert done > 15


@pytest.mark.parametrize("chunk", CHUNKS)
def test_inner_products_agree(chunk: int) -> None:
    """<A x, y> = <x, A.T y>."""
    for case in PER_CHUNK:
        rng = generator(121, chunk, case)
        op = random_layer(rng).T.T  # the bias left out
        weight = cases.integers(rng, op.weight_shape)
        x, y = cases.integers(rng, op.input_shape), cases.integers(rng, op.output_shape)
        assert (op.apply(x, weight) * y).sum() == (x * op.T.apply(y, weight)).sum(), op


@pytest.mark.parametrize("chunk", CHUNKS)
def test_linear_in_the_input_and_in_the_weight(chunk: int) -> None:
    for case in PER_CHUNK:
        rng = generator(122, chunk, case)
        op = random_layer(rng).T.T
        x, z = (cases.integers(rng, op.input_shape) for _ in range(2))
        v, w = (cases.integers(rng, op.weight_shape) for _ in range(2))
        assert (op.apply(3 * x - 2 * z, v) == 3 * op.apply(x, v) - 2 * op.apply(z, v)).all(), op
        assert (op.apply(x, 3 * v - 2 * w) == 3 * op.apply(x, v) - 2 * op.apply(x, w)).all(), op


@pytest.mark.parametrize("chunk", CHUNKS)
def test_impulse_of_a_transposed_convolution_is_its_kernel(chunk: int) -> None:
    """Laid down stride apart, its taps dilation apart, where the output has room."""
    for case in PER_CHUNK:
        rng = generator(123, chunk, case)
        op = random_transposed(rng)
        weight = cases.integers(rng, op.weight_shape)
        channel = int(rng.integers(op.input_shape[0]))
        place = [int(rng.integers(n)) for n in op.sizes]
        impulse = np.zeros(op.input_shape, dtype=np.int64)
        impulse[channel, *place] = 1
        expected = np.zeros(op.output_shape, dtype=np.int64)
        group = channel // op.channels_in
        for taps in np.ndindex(*weight.shape[2:]):
            lands = [
                rule.stride * x + rule.dilation * t - rule.before
                for rule, x, t in zip(op.rules, place, taps, strict=True)
            ]
            if all(0 <= y < n for y, n in zip(lands, op.output_size, strict=True)):
                for out in range(op.channels_out):
                    expected[group * op.channels_out + out, *lands] = weight[channel, out, *taps]
        assert (op.T.T.apply(impulse, weight) == expected).all(), op


@pytest.mark.parametrize("chunk", CHUNKS)
def test_unit_output_gathers_the_kernel(chunk: int) -> None:
    """The adjoint of a convolution on one output: the taps where that output read the input."""
    for case in PER_CHUNK:
        rng = generator(124, chunk, case)
        op = random_convolution(rng)
        weight = cases.integers(rng, op.weight_shape)
        channel = int(rng.integers(op.output_shape[0]))
        place = [int(rng.integers(n)) for n in op.output_size]
        unit = np.zeros(op.output_shape, dtype=np.int64)
        unit[channel, *place] = 1
        expected = np.zeros(op.input_shape, dtype=np.int64)
        group = channel // op.channels_out
        lines = [
            definition.padded(definition.spread(n, rule.up), rule.before, rule.after, rule.mode)
            for rule, n in zip(op.rules, op.sizes, strict=True)
        ]
        for taps in np.ndindex(*weight.shape[2:]):
            reads = [
                int(line[rule.stride * y + rule.dilation * t])
                for line, rule, y, t in zip(lines, op.rules, place, taps, strict=True)
            ]
            if definition.NOTHING not in reads:
                for i in range(op.channels_in):
                    expected[group * op.channels_in + i, *reads] += weight[channel, i, *taps]
        assert (op.T.apply(unit, weight) == expected).all(), op


@pytest.mark.parametrize("dimensions", [1, 2, 3])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4])
def test_circular_convolution_commutes_with_shifts(
    dimensions: int, stride: int, kernel: int
) -> None:
    """Shifting a period of stride*m inputs by the stride shifts the m outputs by one."""
    rng = generator(125, dimensions, stride, kernel)
    n = 6 if dimensions < 3 else 3 * (1 + (stride == 2))
    n -= n % stride
    reach = kernel - 1
    op = CONVOLUTIONS[dimensions](
        1,
        2,
        kernel,
        stride=stride,
        padding=((reach // 2, reach - reach // 2),) * dimensions,
        bias=False,
        padding_mode="circular",
        input_size=n,
    )
    assert op.output_size == (n // stride,) * dimensions
    weight = cases.integers(rng, op.weight_shape)
    x = cases.integers(rng, op.input_shape)
    for axis in range(1, dimensions + 1):
        shifted = op.apply(np.roll(x, stride, axis), weight)
        assert (shifted == np.roll(op.apply(x, weight), 1, axis)).all()


@pytest.mark.parametrize("chunk", CHUNKS)
def test_interior_commutes_with_shifts(chunk: int) -> None:
    """Outputs whose taps all lie inside do not see the border mode."""
    for case in PER_CHUNK:
        rng = generator(126, chunk, case)
        kernel, stride, dilation = (int(p) for p in rng.integers(1, (5, 4, 4)))
        n = dilation * (kernel - 1) + 1 + stride * int(rng.integers(1, 6))
        op = derive.Conv1d(2, 2, kernel, stride=stride, dilation=dilation, bias=False, input_size=n)
        weight, x = cases.integers(rng, op.weight_shape), cases.integers(rng, op.input_shape)
        shifted = op.apply(np.roll(x, stride, 1), weight)
        assert (shifted[:, 1:] == op.apply(x, weight)[:, :-1]).all(), op


@pytest.mark.parametrize("chunk", CHUNKS)
def test_adjoint_twice_is_the_operator(chunk: int) -> None:
    for case in PER_CHUNK:
        layer = random_layer(generator(127, chunk, case))
        twice = layer.T.T
        assert (twice == layer) is (not layer.bias)
        assert twice.form == layer.form
        assert twice.T == layer.T
        assert hash(twice.T) == hash(layer.T)
        assert twice.bias_shape is None


@pytest.mark.parametrize("chunk", CHUNKS)
def test_transposed_convolution_is_the_adjoint_of_a_convolution(chunk: int) -> None:
    """With zero padding; output_padding is what the stride left of the input."""
    done = 0
    for case in PER_CHUNK:
        op = random_convolution(generator(128, chunk, case))
        words = op.parameters
        if words["padding_mode"] != "zeros" or any(rule.up > 1 for rule in op.rules):
            continue
        done += 1
        left = [
            (n + rule.before + rule.after - rule.dilation * (rule.kernel - 1) - 1) % rule.stride
            for rule, n in zip(op.rules, op.sizes, strict=True)
        ]
        transposed = TRANSPOSED[op.dimensions](
            words["out_channels"],
            words["in_channels"],
            words["kernel_size"],
            stride=words["stride"],
            padding=[(rule.before, rule.after) for rule in op.rules],
            output_padding=left,
            groups=words["groups"],
            bias=False,
            dilation=words["dilation"],
            input_size=op.output_size,
        )
        assert transposed.output_size == op.input_size, op
        assert transposed.weight_shape == op.weight_shape
        assert transposed.form == op.T.form, op
    assert done > 5


@pytest.mark.parametrize("chunk", CHUNKS)
def test_transposed_convolution_is_a_dilated_input_with_the_flipped_kernel(chunk: int) -> None:
    for case in PER_CHUNK:
        rng = generator(129, chunk, case)
        op = random_transposed(rng).T.T
        reach = [rule.dilation * (rule.kernel - 1) for rule in op.rules]
        direct = CONVOLUTIONS[len(op.rules)](
            op.input_shape[0],
            op.output_shape[0],
            [rule.kernel for rule in op.rules],
            padding=[
                (r - rule.before, r - rule.after + rule.output_padding)
                for r, rule in zip(reach, op.rules, strict=True)
            ],
            dilation=[rule.dilation for rule in op.rules],
            groups=op.groups,
            bias=False,
            input_dilation=[rule.stride for rule in op.rules],
            input_size=op.sizes,
        )
        weight = cases.integers(rng, op.weight_shape)
        flipped = np.flip(weight, axis=tuple(range(2, weight.ndim)))
        grouped = flipped.reshape(op.groups, op.channels_in, op.channels_out, *weight.shape[2:])
        exchanged = grouped.swapaxes(1, 2).reshape(direct.weight_shape)
        x = cases.integers(rng, op.input_shape)
        assert (op.apply(x, weight) == direct.apply(x, exchanged)).all(), op


@pytest.mark.parametrize("up", [1, 2, 3])
@pytest.mark.parametrize("mode", cases.MODES)
def test_input_dilation_is_zeros_between_the_inputs(up: int, mode: str) -> None:
    """Before padding: reflected and replicated positions are those of the spread input."""
    rng = generator(130, up)
    words = {"stride": 2, "padding": (2, 1), "padding_mode": mode, "bias": False}
    op = derive.Conv2d(2, 3, 3, input_dilation=up, input_size=(4, 3), **words)
    spread = tuple(up * (n - 1) + 1 for n in (4, 3))
    plain = derive.Conv2d(2, 3, 3, input_size=spread, **words)
    weight, x = cases.integers(rng, op.weight_shape), cases.integers(rng, op.input_shape)
    z = np.zeros(plain.input_shape, dtype=np.int64)
    z[:, ::up, ::up] = x
    assert (op.apply(x, weight) == plain.apply(z, weight)).all()


@pytest.mark.parametrize("mode", cases.MODES)
def test_padding_first_then_convolving_is_the_same(mode: str) -> None:
    rng = generator(131)
    for before, after in product(range(4), repeat=2):
        pads = {"padding": ((before, after),), "padding_mode": mode}
        op = derive.Conv1d(2, 2, 3, stride=2, bias=False, input_size=5, **pads)
        bare = derive.Conv1d(2, 2, 3, stride=2, bias=False, input_size=5 + before + after)
        weight, x = cases.integers(rng, op.weight_shape), cases.integers(rng, op.input_shape)
        x_padded = np.pad(x, ((0, 0), (before, after)), definition.NUMPY_MODE[mode])
        assert (op.apply(x, weight) == bare.apply(x_padded, weight)).all()


def test_a_crop_takes_what_the_other_side_grew() -> None:
    """As XLA pads: a negative amount crops the input after the other side has grown."""
    pads = ((-2, 3),)
    op = derive.Conv1d(1, 1, 1, bias=False, padding=pads, padding_mode="reflect", input_size=4)
    assert op.apply([[1, 2, 3, 4]], [[[1]]]).tolist() == [[3, 4, 3, 2, 1]]
    nothing_left = derive.Conv1d(1, 1, 1, bias=False, padding=((-5, 3),), input_size=4)
    assert nothing_left.apply([[1, 2, 3, 4]], [[[1]]]).tolist() == [[0, 0]]
