"""The short way of a call gives what the long one does, and leaves to it what does not fit."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import derive
from codegen import Kernel, LayoutError
from codegen._runtime.library import DIRECTIONS, WITHOUT_WEIGHT
from codegen._runtime.weighted import Weighted
from codegen.builder import build_sized
from derive import Operator
from tests.cases import generator
from tests.codegen.libraries import needs_compiler

pytestmark = needs_compiler
Array = NDArray[Any]
Arguments = list[Any]

OPERATORS: dict[str, Operator] = {
    "portable": derive.Conv2d(2, 3, 3, padding=1, input_size=(4, 5)),
    "lanes": derive.Conv2d(2, 16, 3, padding=1, input_size=(4, 5)),
    "no bias": derive.ConvTranspose1d(2, 3, 4, 2, 1, bias=False, input_size=5),
    "no weight": derive.Interpolate(2, (3, 4), scale_factor=2),
    "folded": derive.Conv2d(2, 3, 3, input_size=6) @ derive.Interpolate(2, (3, 3), scale_factor=2),
}
CASES = [
    (name, direction)
    for name, op in OPERATORS.items()
    for direction in (DIRECTIONS if op.learned else WITHOUT_WEIGHT)
    if name != "folded" or direction == "weight_gradient"
]
ARGUMENTS = {
    "forward": ("x", "weight", "bias"),
    "input_gradient": ("y", "weight"),
    "weight_gradient": ("x", "y"),
    "bias_gradient": ("y",),
}


def arguments(op: Operator, direction: str, kind: str, batch: int = 2) -> Arguments:
    rng = generator(77)
    shapes: dict[str, Any] = {
        "x": (batch, *op.input_shape),
        "y": (batch, *op.output_shape),
        "weight": op.weight_shape,
        "bias": op.bias_shape,
    }
    made = [
        rng.integers(-9, 9, shapes[each]).astype("float32")
        for each in ARGUMENTS[direction]
        if shapes[each] is not None
    ]
    return [torch.from_numpy(each) for each in made] if kind == "torch" else made


def outcome(kernel: Kernel, direction: str, given: Arguments, out: Any = None) -> Any:
    """The type and numbers of a result, or the words of a refusal."""
    try:
        got = getattr(kernel, direction)(*given, **({} if out is None else {"out": out}))
    except LayoutError as refusal:
        return str(refusal)
    assert out is None or got is out
    return type(got), np.asarray(got.detach() if isinstance(got, torch.Tensor) else got).tolist()


def warm(op: Operator, direction: str) -> Kernel:
    """A kernel that knows the short ways of arrays and tensors."""
    kernel = build_sized(op, "c", "float32", portable=op is OPERATORS["portable"])
    for kind in ("numpy", "torch"):
        getattr(kernel, direction)(*arguments(op, direction, kind))
    return kernel


def cold(kernel: Kernel) -> Kernel:
    """The same, of which every call goes the long way once."""
    return replace(kernel)


@pytest.mark.parametrize("kind", ["numpy", "torch"])
@pytest.mark.parametrize(("name", "direction"), CASES)
def test_the_short_way_is_taken(
    name: str, direction: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    op = OPERATORS[name]
    kernel = warm(op, direction)
    given = arguments(op, direction, kind, batch=3)
    expected = outcome(cold(kernel), direction, given)
    weight = given[1] if "weight" in ARGUMENTS[direction] and op.learned else None
    if weight is not None:
        given[1] = kernel.prepare(weight, direction)
    room = np.full(np.shape(expected[1]), 77, np.float32)
    out = torch.from_numpy(room) if kind == "torch" else room

    def never(*arguments: Any, **words: Any) -> None:
        raise AssertionError("the long way")

    monkeypatch.setattr(Kernel, "_run", never)
    assert outcome(kernel, direction, given) == expected
    assert outcome(kernel, direction, given, out) == expected
    if weight is not None and not isinstance(kernel.load("float32")[direction], Weighted):
        given[1] = weight
        assert outcome(kernel, direction, given) == expected


@pytest.mark.parametrize("kind", ["numpy", "torch"])
@pytest.mark.parametrize("name", ["portable", "lanes"])
def test_gradients_together(name: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As by the three functions: the long way, the short one, what does not fit, what is left."""
    op = OPERATORS[name]
    kernel = warm(op, "input_gradient")
    x, grad = arguments(op, "weight_gradient", kind, batch=3)
    weight = kernel.prepare(arguments(op, "forward", kind)[1], "input_gradient")
    three = {
        "input_gradient": [grad, weight],
        "weight_gradient": [x, grad],
        "bias_gradient": [grad],
    }
    expected = [outcome(cold(kernel), direction, given) for direction, given in three.items()]

    def found(*given: Any) -> list[Any]:
        return [(type(each), np.asarray(each).tolist()) for each in kernel.gradients(*given)]

    nothing = (type(None), None)
    alone: Any = SimpleNamespace(
        weight_gradient=lambda x, grad: kernel.gradients(x, None, grad, (False, True, False))[1]
    )
    assert found(x, weight, grad) == expected
    with pytest.raises(LayoutError, match="grad_output has shape"):
        kernel.gradients(x[:2], None, grad, (False, True, False))
    with pytest.raises(LayoutError, match="x has shape"):
        kernel.gradients(x[:, :1], None, grad, (False, True, False))
    for change in (*ARRAYS.values(),) if kind == "numpy" else (*TENSORS.values(),):
        for at in range(2):
            given = [x, grad]
            given[at] = change(given[at])
            words = outcome(cold(kernel), "weight_gradient", given)
            assert outcome(alone, "weight_gradient", given) == words

    def never(*arguments: Any, **words: Any) -> None:
        raise AssertionError("the long way")

    monkeypatch.setattr(Kernel, "_run", never)
    assert found(x, weight, grad) == expected
    assert found(None, weight, grad, (True, False, True)) == [expected[0], nothing, expected[2]]
    assert found(x, None, grad, (False, True, False)) == [nothing, expected[1], nothing]


def misaligned(array: Array) -> Array:
    room = np.empty(array.nbytes + 1, np.uint8)[1:].view(np.float32).reshape(array.shape)
    room[...] = array
    return room


def read_only(array: Array) -> Array:
    array = array.copy()
    array.flags.writeable = False
    return array


ARRAYS: dict[str, Callable[[Array], Any]] = {
    "reversed": lambda a: a[::-1],
    "fortran": np.asfortranarray,
    "wide": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    "read-only": read_only,
    "misaligned": misaligned,
    "swapped": lambda a: a.astype(">f4"),
    "double": lambda a: a.astype("float64"),
    "longer": lambda a: np.concatenate([a, a], axis=-1),
    "one axis more": lambda a: a[None],
    "one sample": lambda a: a[0],
    "flat": np.ravel,
    "scalar": lambda a: np.float32(1),
    "no axis": lambda a: np.array(1, np.float32),
    "empty": lambda a: a[:0],
    "masked": np.ma.masked_array,
    "matrix": lambda a: a.view(np.recarray),
    "list": lambda a: a.tolist(),
    "none": lambda a: None,
    "tensor": torch.from_numpy,
}


def nested(tensor: torch.Tensor) -> torch.Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch says that they are a prototype
        return torch.nested.nested_tensor([tensor, tensor])


TENSORS: dict[str, Callable[[torch.Tensor], Any]] = {
    "flipped": lambda t: t.transpose(0, -1).contiguous().transpose(0, -1),
    "steps": lambda t: t.repeat_interleave(2, dim=-1)[..., ::2],
    "double": lambda t: t.double(),
    "half": lambda t: t.half(),
    "grad": lambda t: t.clone().requires_grad_(),
    "parameter": torch.nn.Parameter,
    "sparse": lambda t: t.to_sparse(),
    "mkldnn": lambda t: t.to_mkldnn() if t.ndim > 2 else t,
    "meta": lambda t: t.to("meta"),
    "negative view": torch._neg_view,
    "last": lambda t: t.contiguous(memory_format=torch.channels_last) if t.ndim == 4 else t,
    "longer": lambda t: torch.cat([t, t], dim=-1),
    "one sample": lambda t: t[0],
    "no axis": lambda t: torch.tensor(1.0),
    "empty": lambda t: t[:0],
    "array": lambda t: t.numpy(),
    "nested": nested,
}


@pytest.mark.parametrize("at", range(3))
@pytest.mark.parametrize(("name", "direction"), CASES)
def test_what_does_not_fit(name: str, direction: str, at: int) -> None:
    """Each argument in turn in every form, and one too many."""
    op = OPERATORS[name]
    kernel = warm(op, direction)
    for kind, forms in (("numpy", ARRAYS), ("torch", TENSORS)):
        for form, change in forms.items():
            given = arguments(op, direction, kind)
            if at < len(given):
                given[at] = change(given[at])
            elif at < len(ARGUMENTS[direction]):
                given = [*given, *[None] * (at - len(given)), change(given[0])]
            before = outcome(cold(kernel), direction, given)
            assert outcome(kernel, direction, given) == before, form


@pytest.mark.parametrize("kind", ["numpy", "torch"])
@pytest.mark.parametrize(("name", "direction"), [(n, d) for n, d in CASES if d != "input_gradient"])
def test_where_results_go(name: str, direction: str, kind: str) -> None:
    op = OPERATORS[name]
    kernel = warm(op, direction)
    shape = np.shape(outcome(kernel, direction, arguments(op, direction, "numpy"))[1])
    forms: dict[str, Callable[[Any], Any]] = {**(ARRAYS if kind == "numpy" else TENSORS)}
    for form, change in forms.items():
        given = arguments(op, direction, kind)
        room = np.zeros(shape, np.float32)
        outs = [change(torch.from_numpy(room) if kind == "torch" else room) for _ in range(2)]
        if any(each is None for each in outs):
            continue
        before = outcome(cold(kernel), direction, given, outs[0])
        assert outcome(kernel, direction, given, outs[1]) == before, form


def test_weights_as_they_are_and_prepared_ones_are_tested() -> None:
    raws = [
        warm(OPERATORS[name], "forward").load("float32")["forward"]
        for name in ("portable", "lanes")
    ]
    assert [isinstance(raw, Weighted) for raw in raws] == [False, True]


def test_a_result_that_overlaps_is_refused() -> None:
    op = derive.Conv2d(2, 2, 3, padding=1, input_size=4)
    kernel = warm(op, "forward")
    x, weight, bias = arguments(op, "forward", "numpy")
    room = np.zeros(400, np.float32)
    inside = room[100 : 100 + x.size].reshape(x.shape)
    taps = room[200 : 200 + weight.size].reshape(weight.shape)
    for begin in (0, 36, 37, 100, 163, 164, 168, 169, 220, 235, 236, 300):
        out = room[begin : begin + x.size].reshape(x.shape)
        shares = np.may_share_memory(out, inside) or np.may_share_memory(out, taps)
        for turned in (np.asarray, torch.from_numpy):
            given = [turned(each) for each in (inside, taps, bias)]
            words = outcome(kernel, "forward", given, turned(out))
            assert (words == "out shares memory with an input") == shares, begin


def test_a_gradient_that_overlaps_is_refused() -> None:
    kernel = warm(OPERATORS["portable"], "weight_gradient")
    room = np.zeros(400, np.float32)
    x, grad = room[:80].reshape(2, 2, 4, 5), room[100:220].reshape(2, 3, 4, 5)
    for begin in (26, 46, 79, 80, 219, 220, 300):
        out = room[begin : begin + 54].reshape(3, 2, 3, 3)
        shares = np.may_share_memory(out, x) or np.may_share_memory(out, grad)
        words = outcome(kernel, "weight_gradient", [x, grad], out)
        assert (words == "out shares memory with an input") == shares, begin


def test_prepared_for_something_else_is_refused() -> None:
    op = OPERATORS["lanes"]
    kernel, other = (
        warm(op, "forward"),
        build_sized(derive.Conv2d(2, 16, 3, input_size=5), "c", "float32"),
    )
    x, weight, bias = arguments(op, "forward", "numpy")
    for prepared in (kernel.prepare(weight, "input_gradient"), other.prepare(weight)):
        with pytest.raises(LayoutError, match="was not prepared for forward"):
            kernel(x, prepared, bias)


def test_dtypes_in_turn() -> None:
    from generated.c import conv2d_classic

    kernel = replace(conv2d_classic.kernel)
    for dtype in ("float32", "float64", "int64", "float32"):
        x, weight = np.ones((1, 1, 4, 4), dtype), np.ones((1, 1, 3, 3), dtype)
        for _ in range(2):
            got = kernel(x, weight)
            assert got.dtype == dtype
            assert (got == 9).all()
