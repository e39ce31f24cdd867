"""Functions on a device of the tests: rooms, launches, prepared weights, acceptance, checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from codegen._runtime import WrongKernelError
from codegen._runtime.arrays import Raw
from codegen._runtime.cuda import Function, Program, Room, Step, cuda_functions
from codegen._runtime.cuda.device import Device
from codegen._runtime.cuda.functions import on_host
from codegen._runtime.cuda.launch import DeviceFunction
from codegen._runtime.errors import DeviceError
from codegen._runtime.trial import Trial
from tests.cuda.fake import FakeDevice, FakeMemory, at
from tests.cuda.subject import (
    BYTES,
    KERNELS,
    WEIGHT,
    Y,
    cuda_kernel,
    data,
    fake_device,
    numpy_kernel,
    program,
)


def functions(device: FakeDevice) -> Mapping[str, DeviceFunction]:
    return cuda_functions(program)("float32", device)


def test_the_launches_of_a_step() -> None:
    """Grid from the batch, shared memory and threads as the step says, in order, on the stream."""
    device, (x, w, b, _) = fake_device(), data()
    forward = functions(device)["forward"]
    device.calls.clear()
    y = np.zeros((4, *Y), "f4")
    names = ("x", "weight", "bias", "y")
    places = {n: a.ctypes.data for n, a in zip(names, (x, w, b, y), strict=True)}
    with device.current():
        forward(4, places, 9, lambda size: device.allocate(size, 9))
    assert np.array_equal(y, numpy_kernel()(x, w, b))
    assert device.calls == [
        ("allocate", 2 * 256, 9),
        ("launch", "k_fold", 1, 32, 0, 9, 4),
        ("launch", "k_pack", 1, 32, 0, 9, 4),
        ("launch", "k_forward", 4, 64, 99 << 10, 9, 4),
    ]
    assert device.held == []


def test_rooms_grow_with_the_batch_and_begin_where_they_may() -> None:
    seen: list[tuple[int, ...]] = []
    device = FakeDevice(0, {"k": lambda batch, *places: seen.append(places)})
    step = Step("k", ("y", "one", "two", "bias"), 32, 1, 0)
    rooms = {"one": Room(8, 100), "two": Room(1), "unused": Room(10**9)}
    made = replace(program(), functions={"bias_gradient": Function((step,), rooms=rooms)})
    function = DeviceFunction(made, "bias_gradient", device, {"k": "k"})
    with device.current():
        for batch in (0, 5):
            function(batch, {"y": 1, "bias": 2}, 1, lambda size: device.allocate(size, 1))
    sizes = [call[1] for call in device.calls if call[0] == "allocate"]
    assert sizes == [256 + 256, 512 + 256]
    for _, one, two, _ in seen:
        assert one % 256 == two % 256 == 0
    assert seen[1][2] - seen[1][1] == 512


def test_an_empty_batch_launches_what_any_batch_has() -> None:
    device = fake_device()
    made = functions(device)
    result = np.full(WEIGHT, 7, "f4")
    with device.current():
        made["weight_gradient"](
            0,
            {"x": 0, "y": 0, "weight": result.ctypes.data},
            1,
            lambda size: device.allocate(size, 1),
        )
    assert device.launches() == ["k_total"]
    assert not result.any()


def test_rooms_are_given_back_when_a_launch_fails() -> None:
    device = FakeDevice(0, {**KERNELS, "k_pack": _fail})
    made = functions(device)["forward"]
    x, w, _, g = data()
    places = {"x": x.ctypes.data, "weight": w.ctypes.data, "bias": 0, "y": g.ctypes.data}
    with device.current(), pytest.raises(DeviceError) as caught:
        made(4, places, 1, lambda size: device.allocate(size, 1))
    assert str(caught.value) == "k_pack, step 2 of 3 of forward: CUDA_ERROR_INVALID_VALUE"
    assert device.held == []
    assert device.launches() == ["k_fold", "k_pack"]


def _fail(*_: int) -> None:
    raise DeviceError("CUDA_ERROR_INVALID_VALUE")


def test_the_check_waits_for_each_step_and_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXACTCONV_CUDA_CHECK", "1")
    device = fake_device()
    device.broken = "k_total"
    made = functions(device)["weight_gradient"]
    x, w, _, g = data()
    places = {"x": x.ctypes.data, "y": g.ctypes.data, "weight": w.ctypes.data}
    with device.current(), pytest.raises(DeviceError, match="k_total, step 2 of 2 of weight_grad"):
        made(4, places, 1, lambda size: device.allocate(size, 1))
    assert [call[0] for call in device.calls].count("synchronise") == 2


def test_a_prepared_weight_holds_all_that_the_steps_read() -> None:
    """The packed weight, and the weight itself, which the border reads; not what lies between."""
    device, (x, w, b, _) = fake_device(), data()
    forward = functions(device)["forward"]
    assert forward.held == ("weight", "prepared")
    given = w.copy()
    with device.current():
        prepared = forward.prepare(
            given.ctypes.data, given.nbytes, 5, lambda size: device.allocate(size, 5)
        )
        assert device.launches() == ["k_fold", "k_pack"]
        assert len(device.held) == 1
        given[...] = 99  # the numbers it had then
        device.calls.clear()
        y = np.zeros((4, *Y), "f4")
        names = {"x": x.ctypes.data, "weight": 0, "bias": b.ctypes.data, "y": y.ctypes.data}
        forward(4, names, 5, lambda size: device.allocate(size, 5), prepared)
    assert np.array_equal(y, numpy_kernel()(x, w, b))
    assert [call[0] for call in device.calls] == ["launch"]  # no room is needed any more
    for place in prepared.places.values():
        assert np.array_equal(at(place, WEIGHT), w)


def test_a_weight_that_needs_no_preparing_is_kept_as_it_was() -> None:
    device, (_, w, _, _) = fake_device(), data()
    back = functions(device)["input_gradient"]
    with device.current():
        prepared = back.prepare(w.ctypes.data, w.nbytes, 1, lambda size: device.allocate(size, 1))
    assert prepared.places["weight"] != w.ctypes.data
    assert np.array_equal(at(prepared.places["weight"], WEIGHT), w)
    assert isinstance(prepared.memory, FakeMemory)
    assert prepared.memory.size == -(-BYTES // 256) * 256


def test_a_program_may_be_made_for_the_device() -> None:
    asked: list[tuple[str, int, int]] = []

    def made(dtype: str, device: Device) -> Program:
        asked.append((dtype, device.capability, device.multiprocessors))
        return program(dtype)

    load = cuda_functions(made)
    old = replace(fake_device(1), capability=75, multiprocessors=40)
    for device in (fake_device(), old, old):
        load("float64", device)
    assert asked == [("float64", 80, 4), ("float64", 75, 40)]


# --- acceptance ------------------------------------------------------------------------------


def trial() -> Trial:
    """What the functions must give on integers, from NumPy."""
    found: list[float] = []
    reference = numpy_kernel()
    from codegen._runtime.trial import BATCH, numbers

    for seed in range(2):
        shapes = (BATCH, 2, 5), (BATCH, *Y), WEIGHT
        x, g, w = (numbers(s, 4 * seed + i, 4).astype("f4") for i, s in enumerate(shapes))
        y = reference(x, w, np.zeros(3, "f4"))
        found.append(float(np.vdot(y.astype("f8"), g.astype("f8"))))
    return Trial(tuple(found), longest=30)


def test_a_right_cubin_passes() -> None:
    kernel, asked = cuda_kernel(), list[str]()

    def test(made: Mapping[str, Raw], dtype: str) -> list[str]:
        asked.append(dtype)
        return trial().wrong(kernel, made, dtype)

    device = fake_device()
    load = cuda_functions(program, test=test)
    assert load("float32", device) is load("float32", device)
    assert asked == ["float32"]
    assert device.held == []


WRONG = {
    "forward": ("k_forward", lambda batch, *places: None),
    "input_gradient": ("k_input_gradient", lambda batch, y, weight, x: None),
    "weight_gradient": ("k_total", lambda batch, made, weight: None),
    "bias_gradient": ("k_bias_gradient", lambda batch, y, bias: None),
}


@pytest.mark.parametrize("direction", WRONG)
def test_a_wrong_one_is_named(direction: str) -> None:
    """What is not written shows too: the result comes from the host first."""
    name, wrong = WRONG[direction]
    device = FakeDevice(0, {**KERNELS, name: wrong})
    load = cuda_functions({"float32": program()}, test=lambda *made: trial().wrong(_KERNEL, *made))
    with pytest.raises(WrongKernelError, match="k fails its test") as caught:
        load("float32", device)
    assert caught.value.functions == (direction,)


_KERNEL = cuda_kernel()


def test_halves_are_rounded_on_their_way() -> None:
    """In bfloat16 257 is 256 on the device, and back."""

    def doubled(batch: int, y: int, bias: int) -> None:
        bits = at(y, (batch, 4), "uint16")
        assert bits.tolist() == [[0x3F80, 0xC000, 0x4380, 0x4382]]
        at(bias, (4,), "uint16")[...] = bits[0]

    device = FakeDevice(0, {"k_bias_gradient": doubled})
    function = DeviceFunction(
        program("bfloat16"), "bias_gradient", device, {"k_bias_gradient": "k_bias_gradient"}
    )
    out = np.zeros(4)
    on_host(function)(np.array([[1.0, -2, 257, 259]]), out)
    assert out.tolist() == [1, -2, 256, 260]


def test_what_a_kernel_leaves_out_is_what_the_caller_had_there() -> None:
    """And not, perhaps, the right numbers of an earlier call in the same memory."""
    device = FakeDevice(0, {"k": lambda *_: None})
    function = DeviceFunction(program(), "bias_gradient", device, {"k_bias_gradient": "k"})
    out = np.full(3, 77, "f4")
    on_host(function)(np.zeros((1, *Y), "f4"), out)
    assert out.tolist() == [77] * 3
