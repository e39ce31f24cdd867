"""Arrays on a device as kernels see them: three kinds, no copies, refusals that say what to do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from codegen import LayoutError
from codegen._runtime.cuda import DeviceArray
from codegen._runtime.cuda.arrays import ANYWHERE, check_output, is_contiguous, view
from codegen._runtime.cuda.halves import narrowed, widened
from codegen._runtime.cuda.streams import handle_of
from tests.cuda.compiled import needs_nvrtc
from tests.cuda.fake import FakeDevices, Interface

DEVICES = FakeDevices()
X = np.arange(24, dtype="f4").reshape(2, 3, 4)


class Exchange:
    """An array that offers DLPack alone, and says where it is."""

    def __init__(self, array: Any, kind: int = 2, ordinal: int = 3) -> None:
        self.array, self.device, self.asked = array, (kind, ordinal), dict[str, Any]()

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.device

    def __dlpack__(self, **options: Any) -> object:
        self.asked = options
        return self.array.__dlpack__()


# --- torch -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16", "int64"])
def test_a_tensor(dtype: str) -> None:
    tensor = torch.zeros(2, 3, dtype=getattr(torch, dtype))
    seen = view("x", tensor, DEVICES)
    assert (seen.address, seen.shape, seen.dtype) == (tensor.data_ptr(), (2, 3), dtype)
    assert (seen.device, seen.owner is tensor, seen.readonly) == (0, True, False)


@pytest.mark.parametrize(
    ("tensor", "words"),
    [
        (torch.zeros(3, 4).T, r"x has strides \(1, 4\); allowed is C-contiguous: .*contiguous\(\)"),
        (torch.zeros(3, 4)[:, ::2], r"x has strides \(4, 2\)"),
        (torch.zeros(1, 4).expand(3, 4), r"x has strides \(0, 1\)"),
        (torch.zeros(3, device="meta"), "x is on meta; this kernel takes cpu"),
        (torch.zeros(3, 4).to_sparse(), "x has layout torch.sparse_coo; allowed is torch.strided"),
        (torch.zeros(3, dtype=torch.complex64).conj().imag, r"x .*negative|x has strides"),
        (torch._neg_view(torch.zeros(3)), r"x is a negative view; allowed is x.resolve_neg\(\)"),
    ],
)
def test_tensors_that_are_refused(tensor: torch.Tensor, words: str) -> None:
    with pytest.raises(LayoutError, match=words):
        view("x", tensor, DEVICES)


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_a_nested_tensor() -> None:
    nested = torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)])
    with pytest.raises(LayoutError, match="x is no plain tensor: "):
        view("x", nested, DEVICES)


def test_a_tensor_of_the_host() -> None:
    """What torch itself would say only when it is launched."""
    with pytest.raises(LayoutError, match=r"x is on cpu; this kernel takes cuda: x.cuda\(\)"):
        view("x", torch.zeros(3), FakeDevices(tensors="cuda"))


def test_axes_of_one_may_have_any_stride() -> None:
    tensor = torch.zeros(2, 1, 3).as_strided((2, 1, 3), (3, 77, 1))
    assert view("x", tensor, DEVICES).shape == (2, 1, 3)
    assert is_contiguous((2, 1, 3), (12, -5, 4), 4)
    assert is_contiguous((0, 3), (4, 4), 4)
    assert not is_contiguous((2, 3), (-12, 4), 4)
    assert not is_contiguous((2, 3), (12, -4), 4)


# --- __cuda_array_interface__ ----------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"version": 2},
        {"strides": X.strides},
        {"stream": 1},
        {"stream": 2},
        {"stream": 0x7F00},
        {"data": (X.ctypes.data, True)},
        {"descr": [("", "<f4")]},
    ],
)
def test_an_interface(changes: dict[str, Any]) -> None:
    stranger = Interface(X, **changes)
    seen = view("x", stranger, DEVICES)
    assert (seen.address, seen.shape, seen.dtype) == (X.ctypes.data, X.shape, "float32")
    assert seen.stream == changes.get("stream")
    assert seen.readonly == (changes.get("data") is not None)
    assert seen.owner is stranger


def test_the_device_of_an_interface_is_where_its_memory_is() -> None:
    devices = FakeDevices(ordinals={X.ctypes.data: 5})
    assert view("x", Interface(X), devices).device == 5


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"strides": (48, 4, 12)}, r"x has strides \(48, 4, 12\); allowed is C-contiguous"),
        ({"strides": (-48, 16, 4)}, r"x has strides \(-48, 16, 4\)"),
        ({"mask": object()}, "x is a masked array"),
        ({"stream": 0}, "x: its stream is 0, which the interface disallows"),
        ({"version": 1}, "is version 1; allowed: 2"),
        ({"version": None}, "is odd: TypeError"),
        ({"shape": None}, "is odd: TypeError"),
        ({"data": None}, "is odd: TypeError"),
        ({"data": (X.ctypes.data,)}, "is odd: ValueError"),
        ({"typestr": "nonsense"}, "is odd: TypeError"),
        ({"strides": (4,)}, r"x has strides \(4,\)"),
        ({"data": (X.ctypes.data + 2, False)}, "x begins at .*; allowed is a multiple of 4"),
        ({"data": (0, False)}, "0 is no address of a device"),
    ],
)
def test_interfaces_that_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(LayoutError, match=words):
        view("x", Interface(X, **changes), DEVICES)


@pytest.mark.parametrize(
    ("array", "dtype"),
    [
        (np.zeros(3, ">f4"), ">f4"),
        (np.zeros(3, bool), "bool"),
        (np.zeros(3, "i8"), "int64"),
        (np.zeros(3, "f2"), "float16"),
    ],
)
def test_dtypes_have_names(array: Any, dtype: str) -> None:
    assert view("x", Interface(array), DEVICES).dtype == dtype


def test_an_empty_array_has_no_address_and_is_on_any_device() -> None:
    seen = view("x", Interface(X[:0], data=(0, False)), DEVICES)
    assert (seen.shape, seen.device, seen.nbytes) == ((0, 3, 4), ANYWHERE, 0)


def test_a_property_that_raises() -> None:
    class Broken:
        @property
        def __cuda_array_interface__(self) -> object:
            raise RuntimeError("CPU has none")

    with pytest.raises(LayoutError, match="x: its __cuda_array_interface__ fails: CPU has none"):
        view("x", Broken(), DEVICES)


# --- DLPack ----------------------------------------------------------------------------------


@needs_nvrtc  # which is there where cuda-core is
@pytest.mark.parametrize("kind", [2, 13])
def test_what_dlpack_gives(kind: int) -> None:
    stranger = Exchange(X, kind)
    seen = view("x", stranger, DEVICES, stream=77)
    assert (seen.address, seen.shape, seen.dtype) == (X.ctypes.data, X.shape, "float32")
    assert (seen.device, seen.stream) == (3, None)
    assert stranger.asked["stream"] == 77
    view("x", stranger, DEVICES)
    assert stranger.asked["stream"] == 1


@needs_nvrtc
def test_what_is_refused_of_dlpack() -> None:
    with pytest.raises(LayoutError, match=r"x has strides \(12, 1, 4\); allowed is C-contiguous"):
        view("x", Exchange(X.transpose(0, 2, 1)), DEVICES)
    with pytest.raises(LayoutError, match="x: its __dlpack__ fails: "):
        view("x", Exchange(np.array(["text"])), DEVICES)


@pytest.mark.parametrize("array", [X, Exchange(X, 1), Exchange(X, 10)])
def test_dlpack_of_other_devices(array: Any) -> None:
    with pytest.raises(LayoutError, match=r"x is on DLPack's device (1|10), .* takes CUDA"):
        view("x", array, DEVICES)


@needs_nvrtc
def test_bfloat16_of_an_interface_comes_by_dlpack() -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    tensor = torch.zeros(2, 3, dtype=torch.bfloat16)

    class Both(Exchange):
        @property
        def __cuda_array_interface__(self) -> dict[str, Any]:
            return {"version": 3, "typestr": "<V2", "shape": (2, 3), "data": (512, False)}

    seen = view("x", Both(tensor), DEVICES)
    assert (seen.address, seen.dtype) == (tensor.data_ptr(), "bfloat16")
    assert np.dtype(ml_dtypes.bfloat16).name == "bfloat16"


@pytest.mark.parametrize("value", [None, 3, [1.0, 2.0], "text", object()])
def test_what_is_no_array(value: object) -> None:
    with pytest.raises(LayoutError, match=f"x is of type {type(value).__name__}; allowed are"):
        view("x", value, DEVICES)


# --- ours ------------------------------------------------------------------------------------


def test_our_arrays_offer_what_they_are() -> None:
    array = DeviceArray(512, (2, 3), "float32", 1, stream=7)
    assert view("x", array, DEVICES) is array
    assert array.__cuda_array_interface__ == {
        "version": 3,
        "shape": (2, 3),
        "typestr": "<f4",
        "data": (512, False),
        "strides": None,
        "stream": 7,
    }
    assert array.__dlpack_device__() == (2, 1)
    assert array.reshape((6,)).shape == (6,)
    assert not hasattr(DeviceArray(512, (2,), "bfloat16"), "__cuda_array_interface__")


def refused(out: DeviceArray, words: str, inputs: list[DeviceArray]) -> None:
    with pytest.raises(LayoutError, match=words):
        check_output("out", out, (2, 4), "float32", inputs)


def test_where_a_result_may_be_written() -> None:
    good = DeviceArray(1024, (2, 4), "float32")
    before, behind = DeviceArray(992, (8,), "float32"), DeviceArray(1056, (8,), "float32")
    check_output("out", good, (2, 4), "float32", [before, behind])
    refused(DeviceArray(1024, (2, 3), "float32"), r"out has shape \(2, 3\); allowed", [])
    refused(DeviceArray(1024, (2, 4), "float64"), "out has dtype float64; allowed is float32", [])
    refused(DeviceArray(1024, (2, 4), "float32", readonly=True), "out must be .*writeable", [])
    for begin in (1020, 1052):
        over = DeviceArray(begin, (2,), "float32")
        refused(good, "out shares memory with an input", [before, over])
    learned = torch.zeros(2, 4, requires_grad=True)
    refused(view("out", learned, DEVICES), "out requires a gradient", [])


# --- streams and halves ----------------------------------------------------------------------


class Stream:
    def __init__(self, **names: Any) -> None:
        self.__dict__.update(names)


class CudaStream:
    def __cuda_stream__(self) -> tuple[int, int]:
        return 0, 9


@pytest.mark.parametrize(
    ("stream", "handle"),
    [(0, 1), (1, 1), (2, 2), (77, 77), (Stream(cuda_stream=5), 5), (Stream(ptr=6), 6)],
)
def test_streams(stream: Any, handle: int) -> None:
    assert handle_of(stream) == handle
    assert handle_of(CudaStream()) == 9


@pytest.mark.parametrize("stream", [True, -1, 1.5, "1", object(), Stream(ptr="x")])
def test_what_is_no_stream(stream: Any) -> None:
    with pytest.raises(LayoutError, match=r"stream = .*: allowed is a handle, or a stream of"):
        handle_of(stream)


def test_halves_round_as_torch_does() -> None:
    rng = np.random.default_rng(1)
    bits = rng.integers(0, 1 << 32, 20_000, np.uint64).astype(np.uint32)
    edges = [0x7F800000, 0xFF800000, 0x7F7FFFFF, 0x00000001, 0x3F808000, 0x3F818000, 0x7F800001]
    values = np.concatenate([bits, np.array(edges, np.uint32)]).view(np.float32)
    expected = torch.from_numpy(values).to(torch.bfloat16).float().numpy()
    got = widened(narrowed(values, "bfloat16"), "bfloat16")
    assert np.array_equal(got, expected, equal_nan=True)
    halves = narrowed(np.array([1, 2049, 1e6]), "float16")
    assert (halves.dtype, halves.tolist()) == (np.float16, [1, 2048, np.inf])
