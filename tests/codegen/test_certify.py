"""The judge of any function: every usual fault is found and named, and no right one is accused."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import codegen
import derive
from codegen import Certificate, Counterexample, certify
from codegen.judge.answers import Answers
from codegen.judge.places import where
from codegen.judge.probes import Probe, sample_of
from codegen.judge.sizes import other_sizes, representative
from derive import Operator
from derive.layers import Layer
from tests.cases import generator, random_chain, random_layer, random_resize
from tests.codegen import wrong_functions
from tests.codegen.libraries import needs_compiler
from tests.codegen.wrong_functions import FAULTS, Fault

Array = NDArray[Any]
DIRECTIONS = ("forward", "input_gradient", "weight_gradient", "bias_gradient")


def counterexample(function: Callable[..., Any], op: Operator, **words: Any) -> Counterexample:
    found = certify(function, op, **words)
    assert isinstance(found, Counterexample), found
    assert not found
    assert not found.valid
    json.dumps(found.record(), allow_nan=False)
    return found


def certificate(function: Callable[..., Any], op: Operator, **words: Any) -> Certificate:
    found = certify(function, op, **words)
    assert isinstance(found, Certificate), found
    assert found
    assert found.valid
    json.dumps(found.record(), allow_nan=False)
    return found


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_every_fault_is_found_and_named(fault: Fault) -> None:
    found = counterexample(fault.function, fault.op)
    assert fault.word in found.sentence
    assert (found.noticed, found.calls) == fault.calls
    assert np.prod(found.operator.input_shape) <= np.prod(found.found_in.input_shape)
    again = certify(fault.function, found.operator, sizes="own")
    if "memory" not in fault.name:
        assert not again.valid  # the smallest one is wrong by itself


def test_there_are_faults_of_every_usual_kind() -> None:
    assert len(FAULTS) >= 40
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)


@pytest.mark.parametrize(
    ("right", "op"),
    [
        (wrong_functions.free, wrong_functions.FREE),
        (wrong_functions.square, wrong_functions.SQUARE),
        (wrong_functions.grouped, wrong_functions.GROUPED),
        (wrong_functions.up, wrong_functions.UP),
        (wrong_functions.replicated("edge"), wrong_functions.REPLICATED),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int32"])
def test_the_kernels_behind_the_faults_are_right(
    right: Callable[..., Any], op: Operator, dtype: str
) -> None:
    found = certificate(right, op, dtype=dtype)
    assert found.exact
    assert len(found.sizes) >= 30
    assert found.calls <= 67


@pytest.mark.parametrize("seed", range(60))
def test_our_numpy_kernels(seed: int) -> None:
    rng = generator(520, seed)
    layer = random_layer(rng) if seed % 3 else random_resize(rng)
    op: Operator = layer.T if seed % 2 else layer
    kernel = codegen.build(op, "numpy", "float64")
    for direction in DIRECTIONS if op.learned else DIRECTIONS[:2]:
        found = certificate(kernel, op, direction=direction)
        assert "integers, batch of 2" in found.checks
        assert any("out prefilled" in check for check in found.checks)


@pytest.mark.parametrize("seed", range(12))
def test_chains(seed: int) -> None:
    outer, inner = random_chain(generator(521, seed), 2)
    op = outer @ inner
    assert isinstance(op, Operator)
    kernel = codegen.build(op, "numpy", "float64")
    for direction in DIRECTIONS if op.learned else DIRECTIONS[:2]:
        certificate(kernel, op, direction=direction)


@needs_compiler
@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_our_c_kernels(dtype: str) -> None:
    for op in (
        wrong_functions.GROUPED,
        wrong_functions.UP,
        derive.Interpolate(3, (4, 5), scale_factor=2),
    ):
        kernel = codegen.build(op, "c", dtype)
        for direction in DIRECTIONS if op.learned else DIRECTIONS[:2]:
            found = certificate(kernel, op, direction=direction)
            assert found.dtype == dtype
            assert found.exact


def test_a_kernel_of_free_size() -> None:
    op = derive.Conv1d(2, 2, 3, stride=2, padding=1)
    found = certificate(codegen.build(op, "numpy", "float64"), op, dtype="float64")
    assert len(found.sizes) > 40


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("seed", range(6))
def test_a_fault_in_each_direction(direction: str, seed: int) -> None:
    """One number of the answer off by one, wherever it is."""
    op = random_layer(generator(522, seed))
    kernel = codegen.build(op, "numpy", "int64")
    right = getattr(kernel, direction)

    def wrong(*arrays: Array) -> Array:
        y: Array = right(*arrays)
        y.flat[(seed * 7) % y.size] += 1
        return y

    found = counterexample(wrong, op, direction=direction, dtype="int64", sizes="own")
    assert found.position is not None
    assert found.got == pytest.approx(found.expected + 1, abs=0)  # type: ignore[operator]
    assert found.differing == 1


# --- torch -----------------------------------------------------------------------------------


def torch_function(layer: Layer) -> Callable[..., Any]:
    functional = pytest.importorskip("torch").nn.functional
    words = layer.parameters
    name = type(layer).__name__
    axes = name[-2:]
    if name.startswith("ConvTranspose"):
        call = getattr(functional, f"conv_transpose{axes}")
        names = ("stride", "padding", "output_padding", "groups", "dilation")
    else:
        call = getattr(functional, f"conv{axes}")
        names = ("stride", "padding", "dilation", "groups")
    given = {each: words[each] for each in names}
    return lambda x, weight, bias=None: call(x, weight, bias, **given)


def plain_layer(seed: int) -> Layer:
    """A random layer in torch's own words, without a pad mode."""
    rng = generator(523, seed)
    while True:
        layer = random_layer(rng)
        words = layer.parameters
        pairs = words["padding"] if isinstance(words["padding"], tuple) else ()
        simple = words.get("input_dilation", 1) == 1 and words["padding_mode"] == "zeros"
        if simple and not any(isinstance(p, tuple) for p in pairs) and not words.get("output_size"):
            return layer


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("seed", range(60))
def test_torch_is_not_accused(seed: int) -> None:
    layer = plain_layer(seed)
    not_accused(torch_function(layer), layer)


@pytest.mark.parametrize("seed", range(0, 60, 12))
def test_our_function_for_torch_is_not_accused(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = pytest.importorskip("codegen.torch_ops")
    from tests.torch_ops.families import in_place

    layer = plain_layer(seed)
    for family in in_place("codegen.torch_ops", monkeypatch):
        assert family is ours
        not_accused(partial(ours.convolve, ours.words_of(layer)), layer)


def not_accused(function: Callable[..., Any], layer: Layer) -> None:
    """A function of torch tensors, and its gradients, are the layer."""
    found = certificate(function, layer)
    assert found.arrays == "torch"
    assert found.exact
    torch = pytest.importorskip("torch")

    def gradient(wanted: str) -> Callable[..., Any]:
        def by_x(grad: Any, weight: Any) -> Any:
            batch = grad.shape[: grad.ndim - len(layer.output_shape)]
            x = torch.zeros((*batch, *layer.input_shape), dtype=grad.dtype, requires_grad=True)
            return torch.autograd.grad(function(x, weight), x, grad)[0]

        def by_w(x: Any, grad: Any) -> Any:
            weight = torch.zeros(layer.weight_shape, dtype=x.dtype, requires_grad=True)
            return torch.autograd.grad(function(x, weight), weight, grad)[0]

        return by_x if wanted == "input_gradient" else by_w

    for direction in ("input_gradient", "weight_gradient"):
        words = {"direction": direction, "sizes": "own", "arrays": "torch", "dtype": "float64"}
        assert certificate(gradient(direction), layer, **words).exact


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "bilinear", "bicubic", "area"])
@pytest.mark.parametrize("words", [{"scale_factor": 2}, {"size": (7, 9)}, {"size": (3, 2)}])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_torchs_resizes(mode: str, words: dict[str, Any], dtype: str) -> None:
    functional = pytest.importorskip("torch").nn.functional
    given: list[dict[str, Any]] = [{}]
    if mode in ("bilinear", "bicubic"):
        given += [{"align_corners": True}, {"align_corners": False, "antialias": True}]
    for extra in given:
        picks = {"index_arithmetic": "float32"} if mode.startswith("nearest") else {}
        op = derive.Interpolate(2, (4, 5), mode=mode, **words, **extra, **picks)
        certificate(
            lambda x, e=extra: functional.interpolate(x, mode=mode, **words, **e), op, dtype=dtype
        )


@pytest.mark.parametrize(
    ("given", "wrong", "word"),
    [
        (
            {"mode": "bilinear", "align_corners": True},
            {"align_corners": False},
            "align_corners=False",
        ),
        ({"mode": "bilinear"}, {"align_corners": True}, "align_corners=True"),
        ({"mode": "bilinear", "antialias": True}, {"antialias": False}, "antialias=False"),
        ({"mode": "nearest"}, {"mode": "nearest-exact"}, "mode='nearest-exact'"),
        ({"mode": "bicubic"}, {"mode": "bilinear"}, "mode='bilinear'"),
        ({"mode": "area"}, {"mode": "bilinear"}, "mode='bilinear'"),
    ],
)
def test_wrong_resizes_are_named(given: dict[str, Any], wrong: dict[str, Any], word: str) -> None:
    functional = pytest.importorskip("torch").nn.functional
    op = derive.Interpolate(2, (9, 8), size=(4, 3), **given)
    called = {**given, **wrong}
    found = counterexample(lambda x: functional.interpolate(x, size=(4, 3), **called), op)
    assert word in found.sentence


def test_nearest_pixels_picked_in_float32_are_named() -> None:
    functional = pytest.importorskip("torch").nn.functional
    op = derive.Interpolate(1, (2,), size=82)
    found = counterexample(lambda x: functional.interpolate(x, size=82), op)
    assert "picked in float32" in found.sentence
    assert found.position == (0, 0, 41)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_narrow_floats_stay_exact(dtype: str) -> None:
    layer = derive.Conv2d(3, 2, 3, padding=1, input_size=(6, 7))
    assert certificate(torch_function(layer), layer, dtype=dtype).exact


# --- the parts -------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_answers_are_those_of_the_definition(seed: int) -> None:
    op = random_layer(generator(524, seed))
    sample = sample_of(Probe(op, (2,), seed=seed), "forward", "float64")
    answers = Answers(op)
    expected = op.apply(sample.x, sample.weight, sample.bias)
    assert np.array_equal(answers.of("forward", sample), expected)
    by_x = op.sparse(sample.weight, "int64").T @ sample.grad.reshape(2, -1).T
    assert np.array_equal(answers.of("input_gradient", sample).reshape(2, -1).T, by_x)
    for dtype in ("float32", "float16", "bfloat16"):
        narrow = sample_of(Probe(op, (2,), "wide", seed), "forward", dtype)
        held = 2 ** {"float32": 24, "float16": 11, "bfloat16": 8}[dtype]
        assert Answers(op, absolute=True).of("forward", narrow.absolute()).max() <= held


def test_sizes_hold_every_width_of_a_vector() -> None:
    for op in (derive.Conv2d(1, 1, 3, padding=1), derive.ConvTranspose1d(1, 1, 1)):
        widths = {each.output_shape[-1] for each in (representative(op), *other_sizes(op))}
        assert widths >= set(range(1, 34)) | {65, 101, 257}
    strided = {each.input_shape[-1] % 3 for each in other_sizes(derive.Conv1d(1, 1, 3, stride=3))}
    assert strided == {0, 1, 2}


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ((..., -1), "in the last column"),
        ((..., 0, slice(None)), "in the first row"),
        ((..., slice(1, None, 2)), "where x mod 2 = 1"),
        ((slice(None), 2), "where channel = 2"),
        ((..., slice(3, None), slice(None)), "where y >= 3"),
        ((1,), "in samples after the first"),
        ((0, 0, 0, 0), "where sample = 0 and channel = 0 and in the first row"),
    ],
)
def test_places_in_words(place: Any, words: str) -> None:
    op = derive.Conv2d(1, 3, 3, padding=1, input_size=(6, 7))
    wrong = np.zeros((2, *op.output_shape), bool)
    wrong[place] = True
    assert words in where(op, "forward", wrong)
    assert f"{wrong.sum()} of 252 outputs" in where(op, "forward", wrong)


def test_a_budget_is_kept() -> None:
    calls = 0

    def counted(x: Array, w: Array, b: Array) -> Array:
        nonlocal calls
        calls += 1
        return wrong_functions.square(x, w, b)

    found = certificate(counted, wrong_functions.SQUARE, arrays="numpy", budget=20)
    assert found.calls == calls <= 20
    assert any("budget" in each for each in found.untried)


def test_a_function_of_one_size_is_kept_to_it() -> None:
    def own_size_only(x: Array, w: Array, b: Array) -> Array:
        if x.shape[-2:] != (6, 7):
            raise ValueError("made for 6 x 7")
        return wrong_functions.square(x, w, b)

    found = certificate(own_size_only, wrong_functions.SQUARE)
    assert found.sizes == ((6, 7),)
    assert any("made for 6 x 7" in each for each in found.untried)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ({"direction": "sideways"}, "direction = 'sideways'"),
        ({"dtype": "float8"}, "dtype = 'float8'"),
        ({"arrays": "jax"}, "arrays = 'jax'"),
        ({"budget": 0}, "budget = 0"),
        ({"sizes": 3}, "sizes = 3"),
    ],
)
def test_bad_arguments_are_refused(words: dict[str, Any], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        certify(wrong_functions.square, wrong_functions.SQUARE, **words)


def test_what_cannot_be_judged_is_refused() -> None:
    resize = derive.Interpolate(1, (4,), scale_factor=2, mode="linear")
    with pytest.raises(ValueError, match="direction = 'weight_gradient'"):
        certify(lambda x: x, resize, direction="weight_gradient")
    with pytest.raises(ValueError, match="dtype = 'int64'"):
        certify(lambda x: x, resize, dtype="int64")
    with pytest.raises(TypeError, match="op is of type int"):
        certify(lambda x: x, 3)  # type: ignore[arg-type]


def test_torch_is_not_imported_for_numpy() -> None:
    program = (
        "import sys, codegen, derive; from tests.codegen.wrong_functions import SQUARE, square; "
        "assert codegen.certify(square, SQUARE); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
