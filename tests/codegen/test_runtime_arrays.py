"""Arrays at the border of a kernel: what is refused, in which words, and what is taken as it is."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import derive
from codegen import Kernel, LayoutError, build
from tests.cases import generator
from tests.codegen.judge import nonzero
from tests.codegen.layouts import LAYOUTS, misaligned, read_only
from tests.codegen.libraries import has_compiler

torch = pytest.importorskip("torch")

Array = NDArray[Any]
OP = derive.Conv2d(2, 4, 3, padding=1, groups=2, input_size=(5, 6))
PLAIN = derive.Conv2d(2, 4, 3, padding=1, groups=2, bias=False, input_size=(5, 6))
WIDE = derive.Conv2d(3, 20, 3, padding=1, input_size=(7, 9))  # its channels are in lanes
RESIZE = derive.Interpolate(2, (5, 6), scale_factor=2)
TARGETS = ["numpy", pytest.param("c", marks=pytest.mark.skipif(not has_compiler(), reason="no C"))]


@pytest.fixture(scope="module", params=TARGETS)
def kernels(request: pytest.FixtureRequest) -> SimpleNamespace:
    return SimpleNamespace(
        biased=build(OP, request.param),
        plain=build(PLAIN, request.param),
        resize=build(RESIZE, request.param),
        wide=build(WIDE, request.param),
    )


def arrays(seed: int = 0, batch: int = 3) -> SimpleNamespace:
    """Good ones, in float32: x, w, b, g, and room for each result."""
    rng = generator(440, seed)
    shapes = {
        "x": (batch, 2, 5, 6),
        "w": (4, 1, 3, 3),
        "b": (4,),
        "g": (batch, 4, 5, 6),
        "y": (batch, 4, 5, 6),
    }
    return SimpleNamespace(
        **{name: nonzero(rng, shape).astype(np.float32) for name, shape in shapes.items()}
    )


def tensor(array: Array, **changes: Any) -> Any:
    return torch.from_numpy(array.copy()).to(**changes)


class Arraylike:
    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        return arrays().x


Call = Callable[[SimpleNamespace, SimpleNamespace], object]
X: dict[str, tuple[Callable[[SimpleNamespace], Any], str]] = {
    "a channel less": (lambda a: a.x[:, :1], r"x has shape \(3, 1, 5, 6\); allowed is"),
    "a row more": (lambda a: np.zeros((3, 2, 6, 6), np.float32), r"x has shape \(3, 2, 6, 6\)"),
    "turned": (lambda a: a.x.swapaxes(2, 3), r"x has shape \(3, 2, 6, 5\)"),
    "channels last": (lambda a: np.moveaxis(a.x, 1, -1), r"x has shape \(3, 5, 6, 2\)"),
    "two batch axes": (lambda a: a.x[None], r"x has shape \(1, 3, 2, 5, 6\)"),
    "an axis less": (lambda a: a.x[0, 0], r"x has shape \(5, 6\)"),
    "flat": (lambda a: a.x.ravel(), r"x has shape \(180,\)"),
    "0-d": (lambda a: np.array(1, np.float32), r"x has shape \(\); allowed"),
    "empty": (lambda a: np.zeros(0, np.float32), r"x has shape \(0,\)"),
    "list": (lambda a: a.x.tolist(), "x is of type list; allowed are numpy.ndarray and torch"),
    "tuple": (lambda a: tuple(a.x), "x is of type tuple"),
    "none": (lambda a: None, "x is of type NoneType"),
    "word": (lambda a: "x", "x is of type str"),
    "number": (lambda a: 1.0, "x is of type float"),
    "NumPy's number": (lambda a: np.float32(1), "x is of type float32"),
    "an object with __array__": (lambda a: Arraylike(), "x is of type Arraylike"),
    "memoryview": (lambda a: memoryview(a.x), "x is of type memoryview"),
    "float64": (lambda a: a.x.astype("f8"), "x has dtype float64; allowed is float32"),
    "float16": (lambda a: a.x.astype("f2"), "x has dtype float16; allowed is float32"),
    "longdouble": (lambda a: a.x.astype(np.longdouble), "x has dtype .*; allowed is float32"),
    "int32": (lambda a: a.x.astype("i4"), "x has dtype int32; allowed is float32"),
    "bool": (lambda a: a.x.astype(bool), "x has dtype bool"),
    "complex": (lambda a: a.x.astype("c8"), "x has dtype complex64"),
    "object": (lambda a: a.x.astype(object), "x has dtype object"),
    "words": (lambda a: a.x.astype("U9"), "x has dtype <U9"),
    "dates": (lambda a: a.x.astype("M8[s]"), "x has dtype datetime64"),
    "records": (lambda a: a.x.view([("value", "f4")]), "x has dtype .*value"),
    "byte-swapped": (lambda a: a.x.astype(">f4"), "x has dtype >f4; allowed is float32"),
    "masked": (lambda a: np.ma.masked_less(a.x, 0), "x is a masked array"),
    "meta": (lambda a: tensor(a.x, device="meta"), "x is on meta; this kernel takes the cpu"),
    "bfloat16": (lambda a: tensor(a.x, dtype=torch.bfloat16), "x has dtype torch.bfloat16"),
    "half": (lambda a: tensor(a.x, dtype=torch.half), "x has dtype float16"),
    "double tensor": (lambda a: tensor(a.x, dtype=torch.double), "x has dtype float64"),
    "int tensor": (lambda a: tensor(a.x, dtype=torch.int64), "x has dtype int64"),
    "sparse": (lambda a: tensor(a.x).to_sparse(), "x has layout torch.sparse_coo"),
    "tensor's shape": (lambda a: tensor(a.x)[:, :1], r"x has shape \(3, 1, 5, 6\)"),
}
CALLS: dict[str, tuple[Call, str]] = {
    **{
        f"x {name}": (lambda k, a, m=make: k.biased(m(a), a.w, a.b), w)
        for name, (make, w) in X.items()
    },
    "w turned": (lambda k, a: k.biased(a.x, a.w.swapaxes(0, 1), a.b), r"weight has shape \(1, 4"),
    "w of a batch": (lambda k, a: k.biased(a.x, a.w[None], a.b), r"weight has shape \(1, 4, 1"),
    "w missing": (lambda k, a: k.biased(a.x, None, a.b), "weight is of type NoneType"),
    "w list": (lambda k, a: k.biased(a.x, a.w.tolist(), a.b), "weight is of type list"),
    "w double": (lambda k, a: k.biased(a.x, a.w.astype("f8"), a.b), "weight has dtype float64"),
    "w ints": (lambda k, a: k.biased(a.x, a.w.astype("i8"), a.b), "weight has dtype int64"),
    "w masked": (lambda k, a: k.biased(a.x, np.ma.array(a.w), a.b), "weight is a masked array"),
    "w meta": (lambda k, a: k.biased(a.x, tensor(a.w, device="meta"), a.b), "weight is on meta"),
    "w swapped": (lambda k, a: k.biased(a.x, a.w.astype(">f4"), a.b), "weight has dtype >f4"),
    "b missing": (lambda k, a: k.biased(a.x, a.w), r"bias is NoneType; allowed is an array"),
    "b given": (lambda k, a: k.plain(a.x, a.w, a.b), "bias is ndarray; allowed is None"),
    "b short": (lambda k, a: k.biased(a.x, a.w, a.b[:3]), r"bias has shape \(3,\)"),
    "b 2-d": (lambda k, a: k.biased(a.x, a.w, a.b[None]), r"bias has shape \(1, 4\)"),
    "b number": (lambda k, a: k.biased(a.x, a.w, 1.0), "bias is of type float"),
    "b list": (lambda k, a: k.biased(a.x, a.w, [1, 2, 3, 4]), "bias is of type list"),
    "b double": (lambda k, a: k.biased(a.x, a.w, a.b.astype("f8")), "bias has dtype float64"),
    "out shape": (lambda k, a: k.biased(a.x, a.w, a.b, out=a.y[:, :3]), r"out has shape \(3, 3"),
    "out no batch": (lambda k, a: k.biased(a.x, a.w, a.b, out=a.y[0]), r"out has shape \(4, 5"),
    "out batch": (lambda k, a: k.biased(a.x[0], a.w, a.b, out=a.y[:1]), r"out has shape \(1, 4"),
    "out double": (lambda k, a: k.biased(a.x, a.w, a.b, out=a.y.astype("f8")), "out has dtype f"),
    "out swapped": (lambda k, a: k.biased(a.x, a.w, a.b, out=a.y.astype(">f4")), "out has dtype >"),
    "out Fortran": (lambda k, a: k.biased(a.x, a.w, a.b, out=a.y.copy("F")), "out must be C-cont"),
    "out strided": (
        lambda k, a: k.biased(a.x, a.w, a.b, out=np.zeros((6, 4, 5, 6), np.float32)[::2]),
        "out must be C-contiguous",
    ),
    "out backwards": (lambda k, a: k.biased(a.x, a.w, a.b, out=a.y[::-1]), "out must be C-cont"),
    "out broadcast": (
        lambda k, a: k.biased(a.x, a.w, a.b, out=np.broadcast_to(a.y[0], a.y.shape)),
        "out must be C-contiguous",
    ),
    "out read-only": (
        lambda k, a: k.biased(a.x, a.w, a.b, out=read_only(a.y)),
        "out must be C-contiguous, aligned and writeable",
    ),
    "out misaligned": (lambda k, a: k.biased(a.x, a.w, a.b, out=misaligned(a.y)), "out must be"),
    "out list": (lambda k, a: k.biased(a.x, a.w, a.b, out=a.y.tolist()), "out is of type list"),
    "out masked": (lambda k, a: k.biased(a.x, a.w, a.b, out=np.ma.array(a.y)), "out is a masked"),
    "out meta": (
        lambda k, a: k.biased(a.x, a.w, a.b, out=tensor(a.y, device="meta")),
        "out is on meta",
    ),
    "out turned tensor": (
        lambda k, a: k.biased(a.x, a.w, a.b, out=torch.zeros(3, 4, 6, 5).transpose(2, 3)),
        "out must be C-contiguous",
    ),
    "out with a gradient": (
        lambda k, a: k.biased(a.x, a.w, a.b, out=torch.zeros(3, 4, 5, 6, requires_grad=True)),
        "out requires a gradient",
    ),
    "grad shape": (lambda k, a: k.plain.input_gradient(a.x, a.w), r"grad_output has shape"),
    "grad list": (lambda k, a: k.plain.input_gradient([1], a.w), "grad_output is of type list"),
    "grad double": (
        lambda k, a: k.plain.input_gradient(a.g.astype("f8"), a.w),
        "grad_output has dtype float64; allowed is float32",
    ),
    "grad without weight": (lambda k, a: k.plain.input_gradient(a.g), "weight is of type NoneType"),
    "grad, turned weight": (
        lambda k, a: k.plain.input_gradient(a.g, a.w.swapaxes(0, 1)),
        r"weight has shape \(1, 4, 3, 3\); allowed is \(4, 1, 3, 3\)",
    ),
    "grad out": (lambda k, a: k.plain.input_gradient(a.g, a.w, out=a.y), r"out has shape \(3, 4"),
    "batches differ": (
        lambda k, a: k.plain.weight_gradient(a.x, a.g[:2]),
        r"grad_output has shape \(2, 4, 5, 6\); allowed is the batch of x: 3",
    ),
    "one batch is missing": (
        lambda k, a: k.plain.weight_gradient(a.x[:1], a.g[0]),
        r"grad_output has shape \(4, 5, 6\); allowed is the batch of x: 1",
    ),
    "x without its batch": (
        lambda k, a: k.plain.weight_gradient(a.x[0], a.g[:1]),
        r"grad_output has shape \(1, 4, 5, 6\); allowed is the batch of x: without a batch",
    ),
    "x and grad of two dtypes": (
        lambda k, a: k.plain.weight_gradient(a.x, a.g.astype("f8")),
        "grad_output has dtype float64; allowed is float32",
    ),
    "weight gradient's x": (lambda k, a: k.plain.weight_gradient(a.g, a.g), r"x has shape \(3, 4"),
    "weight gradient's out": (
        lambda k, a: k.plain.weight_gradient(a.x, a.g, out=a.w[:2]),
        r"out has shape \(2, 1, 3, 3\); allowed is \(4, 1, 3, 3\)",
    ),
    "bias gradient's grad": (lambda k, a: k.plain.bias_gradient(a.x), r"grad_output has shape"),
    "bias gradient's list": (lambda k, a: k.plain.bias_gradient([1.0]), "grad_output is of type l"),
    "bias gradient's out": (
        lambda k, a: k.plain.bias_gradient(a.g, out=a.b[:2]),
        r"out has shape \(2,\); allowed is \(4,\)",
    ),
    "weight of a resize": (
        lambda k, a: k.resize(a.x, a.w),
        "weight is given; allowed is None: this operator learns nothing",
    ),
    "bias of a resize": (lambda k, a: k.resize(a.x, None, a.b), "bias is ndarray; allowed is None"),
    "weight gradient of a resize": (
        lambda k, a: k.resize.weight_gradient(a.x, a.g),
        "weight_gradient: this operator learns nothing",
    ),
    "bias gradient of a resize": (
        lambda k, a: k.resize.bias_gradient(a.g),
        "bias_gradient: this operator learns nothing",
    ),
}


def overlaps() -> Iterator[tuple[str, Call]]:
    """Outputs that share memory with an input: all of it, or the last number alone."""
    room = np.ones(1000, np.float32)

    def at(begin: int, *shape: int) -> Array:
        return room[begin : begin + int(np.prod(shape))].reshape(shape)

    size = 2 * 5 * 6
    for begin in (0, size - 1, -1):
        start = 200 + begin if begin >= 0 else 201 - 4 * 5 * 6
        yield (
            f"y on x {begin}",
            lambda k, a, s=start: k.biased(at(200, 2, 5, 6), a.w, a.b, out=at(s, 4, 5, 6)),
        )
    yield "y on w", lambda k, a: k.biased(a.x[0], at(300, 4, 1, 3, 3), a.b, out=at(290, 4, 5, 6))
    yield "y on b", lambda k, a: k.biased(a.x[0], a.w, at(300, 4), out=at(290, 4, 5, 6))
    yield "x on g", lambda k, a: k.plain.input_gradient(at(200, 4, 5, 6), a.w, out=at(250, 2, 5, 6))
    yield (
        "x on w",
        lambda k, a: k.plain.input_gradient(a.g[0], at(200, 4, 1, 3, 3), out=at(235, 2, 5, 6)),
    )
    yield (
        "w on x",
        lambda k, a: k.plain.weight_gradient(at(200, 2, 5, 6), a.g[0], out=at(210, 4, 1, 3, 3)),
    )
    yield (
        "w on g",
        lambda k, a: k.plain.weight_gradient(a.x[0], at(200, 4, 5, 6), out=at(310, 4, 1, 3, 3)),
    )
    yield "b on g", lambda k, a: k.plain.bias_gradient(at(200, 4, 5, 6), out=at(200, 4))
    yield (
        "a tensor on x",
        lambda k, a: k.biased(at(200, 2, 5, 6), a.w, a.b, out=torch.from_numpy(at(200, 4, 5, 6))),
    )
    yield "resized on x", lambda k, a: k.resize(at(200, 2, 5, 6), out=at(100, 2, 10, 12))


def test_the_table_is_long_enough() -> None:
    assert len(CALLS) >= 60
    assert len(dict(overlaps())) >= 12


@pytest.mark.parametrize("name", CALLS)
def test_refused(kernels: SimpleNamespace, name: str) -> None:
    call, words = CALLS[name]
    with pytest.raises(LayoutError, match=words):
        call(kernels, arrays())


@pytest.mark.parametrize(("name", "call"), list(overlaps()), ids=lambda part: str(part)[:20])
def test_overlaps_are_refused(kernels: SimpleNamespace, name: str, call: Call) -> None:
    with pytest.raises(LayoutError, match="out shares memory with an input"):
        call(kernels, arrays())


def test_a_refused_call_writes_nothing(kernels: SimpleNamespace) -> None:
    a = arrays()
    before = a.y.copy()
    with pytest.raises(LayoutError):
        kernels.biased(a.x, a.w.astype("f8"), a.b, out=a.y)
    assert np.array_equal(a.y, before)


def test_layout_errors_are_value_errors() -> None:
    assert issubclass(LayoutError, ValueError)


# --- layouts that are taken ------------------------------------------------------------------


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name != "broadcast"])
def test_layouts_give_what_contiguous_arrays_give(
    kernels: SimpleNamespace, layout: str, tmp_path: Path
) -> None:
    change = LAYOUTS[layout]
    for seed in range(5):
        a = arrays(seed)
        c = SimpleNamespace(**{name: change(part, tmp_path) for name, part in vars(a).items()})
        k = kernels
        for expected, found in (
            (k.biased(a.x, a.w, a.b), k.biased(c.x, c.w, c.b)),
            (k.biased(a.x[:1], a.w, a.b), k.biased(c.x[:1], c.w, c.b)),
            (k.plain.input_gradient(a.g, a.w), k.plain.input_gradient(c.g, c.w)),
            (k.plain.weight_gradient(a.x, a.g), k.plain.weight_gradient(c.x, c.g)),
            (k.plain.bias_gradient(a.g), k.plain.bias_gradient(c.g)),
            (k.resize(a.x), k.resize(c.x)),
        ):
            assert isinstance(found, torch.Tensor if torch.is_tensor(c.x) else np.ndarray)
            assert np.array_equal(np.asarray(found), expected)


def test_a_sample_seen_as_a_batch(kernels: SimpleNamespace) -> None:
    """Stride 0 along the batch: copied by NumPy, never read as if it were dense."""
    a = arrays()
    many = np.broadcast_to(a.x[0], (5, *a.x.shape[1:]))
    y = kernels.biased(many, a.w, a.b)
    assert all(np.array_equal(each, y[0]) for each in y)
    tensors = torch.from_numpy(a.x[:1]).expand(5, -1, -1, -1)
    assert np.array_equal(kernels.biased(tensors, a.w, a.b).numpy(), y)


def test_copies_are_made_where_needed_and_said(
    kernels: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    a = arrays()
    with caplog.at_level(logging.DEBUG):
        kernels.biased(a.x, a.w, a.b, out=a.y)
        kernels.biased(torch.from_numpy(a.x), a.w, a.b)
        assert caplog.messages == []
        kernels.biased(a.x.copy("F"), a.w, misaligned(a.b))
    assert caplog.messages == [
        "x is not contiguous and aligned: copied",
        "bias is not contiguous and aligned: copied",
    ]


# --- kinds and memory of results -------------------------------------------------------------


def test_results_are_of_the_first_argument_s_kind(kernels: SimpleNamespace) -> None:
    a = arrays()
    t = SimpleNamespace(**{name: torch.from_numpy(part) for name, part in vars(a).items()})
    for first, w, b in ((a.x, t.w, t.b), (t.x, a.w, a.b), (t.x, t.w, t.b), (a.x, a.w, a.b)):
        y = kernels.biased(first, w, b)
        assert type(y) is type(first)
        assert tuple(y.shape) == (3, 4, 5, 6)
        assert str(y.dtype).removeprefix("torch.") == "float32"
    assert torch.is_tensor(kernels.plain.input_gradient(t.g, a.w))
    assert torch.is_tensor(kernels.plain.weight_gradient(t.x, a.g))
    assert torch.is_tensor(kernels.plain.bias_gradient(t.g))


def test_out_is_written_in_place_and_returned(kernels: SimpleNamespace) -> None:
    a = arrays()
    expected = kernels.biased(a.x, a.w, a.b)
    room = torch.full((3, 4, 5, 6), float("nan"))
    address = room.data_ptr()
    assert kernels.biased(torch.from_numpy(a.x), a.w, a.b, out=room) is room
    assert room.data_ptr() == address
    assert np.array_equal(room.numpy(), expected)
    array = np.full((3, 4, 5, 6), np.nan, np.float32)
    assert kernels.biased(torch.from_numpy(a.x), a.w, a.b, out=array) is array
    assert np.array_equal(array, expected)
    part = np.full((9, 4, 5, 6), np.nan, np.float32)
    kernels.biased(a.x, a.w, a.b, out=part[3:6])
    assert np.array_equal(part[3:6], expected)
    assert np.isnan(part[:3]).all()
    assert np.isnan(part[6:]).all()


def test_samples_without_a_batch(kernels: SimpleNamespace) -> None:
    a = arrays(batch=1)
    k = kernels
    for one, many in (
        (k.biased(a.x[0], a.w, a.b), k.biased(a.x, a.w, a.b)[0]),
        (k.plain.input_gradient(a.g[0], a.w), k.plain.input_gradient(a.g, a.w)[0]),
        (k.plain.weight_gradient(a.x[0], a.g[0]), k.plain.weight_gradient(a.x, a.g)),
        (k.plain.bias_gradient(a.g[0]), k.plain.bias_gradient(a.g)),
        (k.resize(a.x[0]), k.resize(a.x)[0]),
    ):
        assert one.shape == many.shape
        assert np.array_equal(one, many)


def test_batches_of_none(kernels: SimpleNamespace) -> None:
    a = arrays(batch=0)
    k = kernels
    assert k.biased(a.x, a.w, a.b).shape == (0, 4, 5, 6)
    assert k.plain.input_gradient(a.g, a.w).shape == (0, 2, 5, 6)
    assert not k.plain.weight_gradient(a.x, a.g).any()
    assert not k.plain.bias_gradient(a.g).any()
    assert k.resize(a.x).shape == (0, 2, 10, 12)


def test_inputs_are_left_alone(kernels: SimpleNamespace) -> None:
    a, before = arrays(), arrays()
    kernels.biased(a.x, a.w, a.b)
    kernels.plain.input_gradient(a.g, a.w)
    kernels.plain.weight_gradient(a.x, a.g)
    kernels.plain.bias_gradient(a.g)
    for name in ("x", "w", "b", "g"):
        assert np.array_equal(getattr(a, name), getattr(before, name))


THREADS, CALLS_OF_EACH = 8, 500


@pytest.mark.parametrize("which", ["biased", "wide"])
def test_threads_share_a_kernel(kernels: SimpleNamespace, which: str) -> None:
    """On the same arrays, the four functions in turn: the same bits every time."""
    kernel: Kernel = getattr(kernels, which)
    rng = generator(441)
    x, g, w, b = (
        rng.standard_normal(shape).astype(np.float32)
        for shape in (
            (3, *kernel.input_shape),
            (3, *kernel.output_shape),
            kernel.weight_shape or (),
            kernel.bias_shape or (),
        )
    )
    functions: list[Callable[[], Array]] = [
        lambda: kernel(x, w, b),
        lambda: kernel.input_gradient(g, w),
        lambda: kernel.weight_gradient(x, g),
        lambda: kernel.bias_gradient(g),
    ]
    expected = [function().tobytes() for function in functions]

    def different(thread: int) -> int:
        calls = (number % len(functions) for number in range(thread, thread + CALLS_OF_EACH))
        return sum(functions[i]().tobytes() != expected[i] for i in calls)

    with ThreadPoolExecutor(THREADS) as pool:
        assert list(pool.map(different, range(THREADS))) == [0] * THREADS


def test_kernels_do_not_change(kernels: SimpleNamespace) -> None:
    with pytest.raises(FrozenInstanceError):
        kernels.biased.macs = 0


def test_what_a_kernel_says_of_itself(kernels: SimpleNamespace) -> None:
    k = kernels.biased
    assert (k.input_shape, k.output_shape) == (OP.input_shape, OP.output_shape)
    assert (k.weight_shape, k.bias_shape) == (OP.weight_shape, OP.bias_shape)
    assert (k.macs, k.naive_macs) == (OP.macs, OP.naive_macs)
    assert OP.description in k.source
    assert (kernels.plain.bias_shape, kernels.resize.weight_shape) == (None, None)
