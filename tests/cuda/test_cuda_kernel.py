"""CudaKernel on devices of the tests: all functions, kinds of arrays, streams, refusals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from codegen import Kernel, LayoutError
from codegen._runtime.arrays import Array
from codegen._runtime.cuda import DeviceArray, driver, extra
from codegen._runtime.cuda.gpu import DEVICES
from codegen._runtime.cuda.shortcut import Tensors
from codegen._runtime.errors import DeviceError
from tests.cuda.fake import FakeDevices, Interface, at
from tests.cuda.subject import WEIGHT, X, Y, cuda_kernel, data, fake_device, numpy_kernel

Kind = Callable[[Array], Any]
KINDS = pytest.mark.parametrize("kind", [torch.from_numpy, Interface])


def numbers(result: Any) -> Array:
    """A result as NumPy's; DeviceArrays of the tests are on the host."""
    if isinstance(result, DeviceArray):
        return at(result.address, result.shape, result.dtype)
    return result.array if isinstance(result, Interface) else np.asarray(result)


def devices(number: int = 1) -> FakeDevices:
    return FakeDevices(tuple(fake_device(ordinal) for ordinal in range(number)))


@KINDS
def test_all_functions(kind: Kind) -> None:
    x, w, b, g = data()
    kernel, reference = cuda_kernel(), numpy_kernel()
    expected = {torch.from_numpy: torch.Tensor, Interface: DeviceArray}[kind]
    for _ in range(3):  # the first call loads; later ones may be shorter
        y = kernel(kind(x), kind(w), kind(b))
        assert type(y) is expected
        assert np.array_equal(numbers(y), reference(x, w, b))
        gx = kernel.input_gradient(kind(g), kind(w))
        assert np.array_equal(numbers(gx), reference.input_gradient(g, w))
        gw = kernel.weight_gradient(kind(x), kind(g))
        assert np.array_equal(numbers(gw), reference.weight_gradient(x, g))
        gb = kernel.bias_gradient(kind(g))
        assert np.array_equal(numbers(gb), reference.bias_gradient(g))
        assert {type(each) for each in (gx, gw, gb)} == {expected}


@KINDS
def test_one_sample_without_its_batch(kind: Kind) -> None:
    x, w, b, g = data()
    kernel, reference = cuda_kernel(), numpy_kernel()
    for _ in range(2):
        y = kernel(kind(x[0]), kind(w), kind(b))
        assert numbers(y).shape == Y
        assert np.array_equal(numbers(y), reference(x[0], w, b))
        assert numbers(kernel.input_gradient(kind(g[0]), kind(w))).shape == X
        assert numbers(kernel.weight_gradient(kind(x[0]), kind(g[0]))).shape == WEIGHT


@KINDS
def test_an_empty_batch(kind: Kind) -> None:
    x, w, b, g = data()
    kernel = cuda_kernel()
    for _ in range(2):
        assert numbers(kernel(kind(x[:0]), kind(w), kind(b))).shape == (0, *Y)
        assert not numbers(kernel.weight_gradient(kind(x[:0]), kind(g[:0]))).any()


@KINDS
def test_into_out(kind: Kind) -> None:
    x, w, b, _ = data()
    kernel, reference = cuda_kernel(), numpy_kernel()
    for _ in range(3):
        out = kind(np.full((4, *Y), 9, "f4"))
        assert kernel(kind(x), kind(w), kind(b), out) is out
        assert np.array_equal(numbers(out), reference(x, w, b))
        shared = np.full((4, *Y), 9, "f4")
        kernel.input_gradient(kind(shared), kind(w))
        with pytest.raises(LayoutError, match="out shares memory with an input"):
            kernel.input_gradient(
                kind(shared), kind(w), kind(shared.reshape(-1)[:40].reshape(4, *X))
            )
        with pytest.raises(LayoutError, match=r"out has shape \(4, 2, 5\); allowed is"):
            kernel(kind(x), kind(w), kind(b), kind(x.copy()))
        read_only = Interface(shared, data=(shared.ctypes.data, True))
        with pytest.raises(LayoutError, match="out must be C-contiguous, aligned and writeable"):
            kernel(kind(x), kind(w), kind(b), read_only)
    learned = torch.zeros(4, *Y, requires_grad=True)
    with pytest.raises(LayoutError, match="out requires a gradient"):
        kernel(*map(torch.from_numpy, (x, w, b)), learned)


@KINDS
def test_results_go_into_the_next_call(kind: Kind) -> None:
    x, w, b, _ = data()
    kernel, reference = cuda_kernel(), numpy_kernel()
    back = kernel.input_gradient(kernel(kind(x), kind(w), kind(b)), kind(w))
    assert np.array_equal(numbers(back), reference.input_gradient(reference(x, w, b), w))


@KINDS
def test_prepared_weights(kind: Kind) -> None:
    x, w, b, g = data()
    kernel, reference = cuda_kernel(made := devices()), numpy_kernel()
    for direction, first, expected in (
        ("forward", x, reference(x, w, b)),
        ("input_gradient", g, reference.input_gradient(g, w)),
    ):
        given = w.copy()
        prepared = kernel.prepare(kind(given), direction)
        given[...] = 55
        made.at(0).calls.clear()
        others = (kind(b),) if direction == "forward" else ()
        for _ in range(3):
            result = getattr(kernel, direction)(kind(first), prepared, *others)
            assert np.array_equal(numbers(result), expected)
        assert set(made.at(0).launches()) == {f"k_{direction}"}


def test_prepared_weights_of_others() -> None:
    x, w, b, g = data()
    kernel, reference = cuda_kernel(), numpy_kernel()
    prepared, others = kernel.prepare(Interface(w)), cuda_kernel().prepare(Interface(w))
    kernel(Interface(x), prepared, Interface(b))
    kernel.input_gradient(Interface(g), Interface(w))
    with pytest.raises(LayoutError, match="weight was not prepared for forward of k"):
        kernel(Interface(x), others, Interface(b))
    with pytest.raises(LayoutError, match="weight was not prepared for input_gradient of k"):
        kernel.input_gradient(Interface(g), prepared)
    with pytest.raises(LayoutError, match="weight was not prepared for forward of k"):
        cuda_kernel()(Interface(x), prepared, Interface(b))
    with pytest.raises(LayoutError, match="weight was not prepared for forward of k"):
        kernel(Interface(x), reference.prepare(w), Interface(b))
    with pytest.raises(LayoutError, match="weight was prepared for another device"):
        reference(x, prepared, b)
    with pytest.raises(LayoutError, match="direction = 'backward'"):
        kernel.prepare(Interface(w), "backward")


@KINDS
@pytest.mark.parametrize("direction", ["forward", "input_gradient"])
def test_later_calls_are_short(kind: Kind, direction: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks at their arguments one by one again."""
    x, w, b, g = data()
    kernel, reference = cuda_kernel(), numpy_kernel()
    function = getattr(kernel, direction)
    first, others, expected = {
        "forward": (x, (b,), reference(x, w, b)),
        "input_gradient": (g, (), reference.input_gradient(g, w)),
    }[direction]
    prepared = kernel.prepare(kind(w), direction)
    function(kind(first), kind(w), *map(kind, others))
    out = kind(np.zeros_like(expected))
    monkeypatch.setattr("codegen._runtime.cuda.kernel.Reader", None)
    for weight in (kind(w), prepared):
        got = function(kind(first), weight, *map(kind, others))
        assert np.array_equal(numbers(got), expected)
        assert function(kind(first), weight, *map(kind, others), out=out) is out
        assert np.array_equal(numbers(out), expected)
    if kind is torch.from_numpy:
        learned = torch.nn.Parameter(torch.from_numpy(w))
        got = function(kind(first), learned, *map(kind, others))
        assert np.array_equal(got.detach().numpy(), expected)


# --- streams ---------------------------------------------------------------------------------


def on_streams(**streams: int | None) -> list[tuple[Any, ...]]:
    """What the device was given by a forward call whose arrays are ready on these streams."""
    x, w, b, _ = data()
    kernel = cuda_kernel(made := devices())
    given = {"x": x, "weight": w, "bias": b}
    call = streams.pop("call", None)
    arrays = {name: Interface(array, stream=streams[name]) for name, array in given.items()}
    for _ in range(2):
        made.at(0).calls.clear()
        y = kernel(**arrays, stream=call)
    assert y.stream == (call or streams["x"] or 1)
    return made.at(0).calls


def test_the_stream_of_the_first_array() -> None:
    calls = on_streams(x=7, weight=None, bias=7)
    assert [call for call in calls if call[0] == "wait"] == []
    assert {call[-1] for call in calls if call[0] == "allocate"} == {7}
    assert {call[5] for call in calls if call[0] == "launch"} == {7}


def test_it_waits_for_the_streams_of_the_others() -> None:
    calls = on_streams(x=7, weight=8, bias=9)
    assert [call for call in calls if call[0] == "wait"] == [("wait", 7, 8), ("wait", 7, 9)]
    waits = [i for i, call in enumerate(calls) if call[0] == "wait"]
    assert max(waits) < min(i for i, call in enumerate(calls) if call[0] == "launch")


def test_a_stream_of_the_call() -> None:
    calls = on_streams(x=7, weight=7, bias=None, call=5)
    assert [call for call in calls if call[0] == "wait"] == [("wait", 5, 7)]
    assert {call[5] for call in calls if call[0] == "launch"} == {5}


def test_the_default_stream_otherwise() -> None:
    calls = on_streams(x=None, weight=None, bias=None)
    assert {call[5] for call in calls if call[0] == "launch"} == {1}


def test_a_prepared_weight_is_waited_for() -> None:
    x, w, b, _ = data()
    kernel = cuda_kernel(made := devices())
    prepared = kernel.prepare(Interface(w), stream=6)
    for _ in range(2):
        made.at(0).calls.clear()
        kernel(Interface(x), prepared, Interface(b))
        assert made.at(0).calls[0] == ("wait", 1, 6)


class Claimed(torch.Tensor):
    """A tensor of the host that says it is on a GPU."""

    is_cuda = True

    def record_stream(self, stream: object) -> None:
        said.append(("used on", stream))


said: list[tuple[Any, ...]] = []


@pytest.fixture
def torch_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch's streams: 40 is the current one; what is asked of them is said."""

    @contextmanager
    def entered(stream: object) -> Iterator[None]:
        said.append(("entered", stream))
        yield

    said.clear()
    monkeypatch.setattr(torch.cuda, "stream", entered)
    monkeypatch.setattr(torch.cuda, "ExternalStream", lambda handle, device: (handle, device.type))
    monkeypatch.setattr(torch.cuda, "default_stream", lambda device: (0, device.type))
    current = SimpleNamespace(cuda_stream=40)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: current)


@pytest.mark.usefixtures("torch_streams")
def test_the_current_stream_of_torch() -> None:
    x, w, b, _ = data()
    kernel = cuda_kernel(made := devices())
    result = kernel(*(torch.from_numpy(each).as_subclass(Claimed) for each in (x, w, b)))
    assert np.array_equal(result.numpy(), numpy_kernel()(x, w, b))
    assert {call[5] for call in made.at(0).calls if call[0] == "launch"} == {40}
    assert said == []
    device = SimpleNamespace(type="cuda")
    assert Tensors(device, torch.float32).start(result) == ((4, *Y), 40)


@pytest.mark.usefixtures("torch_streams")
@pytest.mark.parametrize(("stream", "torchs"), [(5, (5, "cpu")), (0, (0, "cpu"))])
def test_torch_makes_room_on_the_stream_of_the_call(stream: int, torchs: tuple[int, str]) -> None:
    """Its result and rooms belong to that stream; inputs are not given to others meanwhile."""
    x, w, b, _ = data()
    kernel = cuda_kernel(made := devices())
    given = [torch.from_numpy(each).as_subclass(Claimed) for each in (x, w, b)]
    kernel(*given, stream=stream)
    assert said == [("used on", torchs)] * 3 + [("entered", torchs)] * 2
    assert made.at(0).calls[1] == ("wait", stream or 1, 40)


@pytest.mark.usefixtures("torch_streams")
def test_a_tensor_beside_a_stranger_is_waited_for() -> None:
    x, w, b, _ = data()
    kernel = cuda_kernel(made := devices())
    weight = torch.from_numpy(w).as_subclass(Claimed)
    result = kernel(Interface(x, stream=7), weight, Interface(b, stream=7))
    assert isinstance(result, DeviceArray)
    assert made.at(0).calls[1] == ("wait", 7, 40)
    assert said == [("used on", (7, "cpu"))]


# --- devices ---------------------------------------------------------------------------------


def test_the_device_of_the_first_array() -> None:
    x, w, b, _ = data()
    made = devices(2)
    made.ordinals.update({array.ctypes.data: 1 for array in (x, w, b)})
    kernel = cuda_kernel(made)
    for _ in range(2):
        assert kernel(*map(Interface, (x, w, b))).device == 1
    assert made.at(0).calls == []
    elsewhere = b.copy()
    with pytest.raises(LayoutError, match="bias is on device 0; allowed is device 1, of the first"):
        kernel(Interface(x), Interface(w), Interface(elsewhere))
    with pytest.raises(LayoutError, match="out is on device 0; allowed is device 1"):
        kernel(*map(Interface, (x, w, b)), Interface(np.zeros((4, *Y), "f4")))


def test_it_is_compiled_once_for_each_device() -> None:
    x, w, b, _ = data()
    made = devices(2)
    kernel = cuda_kernel(made)
    kernel(*map(Interface, (x, w, b)))
    copies = [array.copy() for array in (x, w, b)]
    made.ordinals.update({array.ctypes.data: 1 for array in copies})
    for _ in range(2):
        kernel(*map(Interface, copies))
        kernel(*map(Interface, (x, w, b)))
    for device in made.devices:
        assert [call for call in device.calls if call[0] == "load"] == [("load", "float32")]


# --- what is refused -------------------------------------------------------------------------


@KINDS
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"x": np.zeros((4, 2, 6), "f4")}, r"x has shape \(4, 2, 6\); allowed is \(2, 5\) or"),
        ({"x": np.zeros((4, 2, 5), "f8")}, "x has dtype float64; allowed is float32"),
        ({"x": np.zeros((4, 2, 5), bool)}, "x has dtype bool; allowed is float32"),
        ({"weight": np.zeros((3, 2, 2), "f4")}, r"weight has shape \(3, 2, 2\); allowed is"),
        ({"weight": np.zeros(WEIGHT, "f8")}, "weight has dtype float64; allowed is float32"),
        ({"weight": np.zeros((3, 3, 2), "f4").transpose(0, 2, 1)}, "weight has strides"),
        ({"bias": np.zeros((3, 1), "f4")}, r"bias has shape \(3, 1\)"),
    ],
)
def test_arrays_that_do_not_fit(kind: Kind, changes: dict[str, Array], words: str) -> None:
    x, w, b, _ = data()
    kernel, good = cuda_kernel(), {"x": x, "weight": w, "bias": b}
    for _ in range(2):
        with pytest.raises(LayoutError, match=words):
            kernel(**{name: kind(array) for name, array in {**good, **changes}.items()})
        kernel(**{name: kind(array) for name, array in good.items()})


@KINDS
def test_arguments_that_are_missing_or_too_many(kind: Kind) -> None:
    x, w, b, g = data()
    kernel = cuda_kernel()
    plain = replace(kernel, weight_shape=None, bias_shape=None)
    for _ in range(2):
        with pytest.raises(LayoutError, match=r"bias is NoneType; allowed is an array of shape"):
            kernel(kind(x), kind(w))
        with pytest.raises(LayoutError, match="weight is of type NoneType; allowed are"):
            kernel(kind(x), None, kind(b))
        with pytest.raises(LayoutError, match="weight is given; allowed is None"):
            plain(kind(x), kind(w))
        with pytest.raises(LayoutError, match="weight_gradient: this operator learns nothing"):
            plain.weight_gradient(kind(x), kind(g))
        with pytest.raises(LayoutError, match=r"grad_output has shape \(3, 3, 5\); .* of x: 4"):
            kernel.weight_gradient(kind(x), kind(g[:3]))
        kernel(kind(x), kind(w), kind(b))
    unbiased = replace(kernel, bias_shape=None)
    for _ in range(2):
        unbiased(kind(x), kind(w))
        with pytest.raises(LayoutError, match=r"bias is .*; allowed is None"):
            unbiased(kind(x), kind(w), kind(b))


@KINDS
def test_all_arrays_have_the_dtype_of_the_first(kind: Kind) -> None:
    x, w, b, _ = data()
    kernel = cuda_kernel(dtypes=("float32", "float64"))
    for _ in range(2):
        with pytest.raises(LayoutError, match="weight has dtype float64; allowed is float32"):
            kernel(kind(x), kind(w.astype("f8")), kind(b))
        kernel(kind(x), kind(w), kind(b))


def test_arrays_of_the_host() -> None:
    x, w, b, _ = data()
    kernel = cuda_kernel(replace(devices(), tensors="cuda"))
    with pytest.raises(LayoutError, match="x is on DLPack's device 1, of type ndarray; this kern"):
        kernel(x, w, b)
    with pytest.raises(LayoutError, match=r"x is on cpu; this kernel takes cuda: x.cuda\(\)"):
        kernel(*map(torch.from_numpy, (x, w, b)))
    with pytest.raises(LayoutError, match="stream = 'x': allowed is a handle"):
        kernel(*map(Interface, (x, w, b)), stream="x")


# --- what is not there -----------------------------------------------------------------------


@pytest.fixture
def unknown() -> Iterator[None]:
    """Nothing is known of this machine's GPUs."""
    for known in (driver.count, driver._pointer_attribute, DEVICES.at):
        known.cache_clear()
    yield
    for known in (driver.count, driver._pointer_attribute, DEVICES.at):
        known.cache_clear()


@pytest.mark.usefixtures("unknown")
def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def import_module(name: str) -> object:
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(extra, "import_module", import_module)
    x, w, b, _ = data()
    with pytest.raises(DeviceError, match=r'pip install "exactconv\[cuda\]"'):
        cuda_kernel(DEVICES)(*map(Interface, (x, w, b)))


@pytest.mark.usefixtures("unknown")
def test_without_a_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    def initialise(flags: int) -> object:
        raise RuntimeError('"cuda" can only be found via system search')

    stub = SimpleNamespace(cuInit=initialise)
    monkeypatch.setattr(driver, "imported", lambda name: stub)
    with pytest.raises(DeviceError, match="no CUDA driver: install NVIDIA's; its loader says: "):
        cuda_kernel(DEVICES)(*map(Interface, data()[:3]))


# --- the rest of the face --------------------------------------------------------------------


def test_bounds_and_records_are_those_of_other_kernels() -> None:
    x, w, b, _ = data()
    kernel, reference = cuda_kernel(), numpy_kernel()
    assert isinstance(reference, Kernel)
    with pytest.raises(LayoutError, match="error_bound: this kernel came without its operator"):
        kernel.error_bound(x, w, b)
    with pytest.raises(LayoutError, match="certificate: this kernel came without its record"):
        _ = kernel.certificate
    bounded = replace(kernel, bound=reference.bound, record=lambda: {"texts": {}})
    assert np.array_equal(bounded.error_bound(x, w, b), reference.error_bound(x, w, b))
    assert bounded.certificate == {"texts": {}}
