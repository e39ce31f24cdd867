# Copied by `python -m codegen` from codegen/_runtime; edit it there.
"""The CUDA driver: whether there is one, what it says, and the context of a thread."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from ..arrays import LayoutError
from ..errors import DeviceError
from .extra import imported


@cache
def count() -> int:
    """How many GPUs there are; DeviceError without a driver or a GPU."""
    driver = imported("cuda.bindings.driver")
    try:
        (status,) = driver.cuInit(0)
    except Exception as error:  # the loader's, of no public class
        raise DeviceError(f"no CUDA driver: install NVIDIA's; its loader says: {error}") from None
    if int(status):
        raise DeviceError(f"no GPU: the CUDA driver says {status.name}; see nvidia-smi")
    return int(value_of(driver.cuDeviceGetCount()))


def version() -> str:
    """The CUDA that the driver is for, such as "13.0"; DeviceError where there is none."""
    count()
    number = value_of(imported("cuda.bindings.driver").cuDriverGetVersion())
    return f"{number // 1000}.{number % 1000 // 10}"


def holding(address: int) -> int:
    """The number of the device whose memory begins there; LayoutError where none does."""
    ask, attribute = _pointer_attribute()
    status, ordinal = ask(attribute, address)
    if int(status):
        raise LayoutError(f"{address:#x} is no address of a GPU's memory: {status.name}")
    return int(ordinal)


@cache
def _pointer_attribute() -> tuple[Callable[[Any, int], tuple[Any, Any]], Any]:
    """The driver's function that says where memory is, and its first argument."""
    count()
    driver = imported("cuda.bindings.driver")
    attribute = driver.CUpointer_attribute.CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL
    return driver.cuPointerGetAttribute, attribute


def value_of(result: tuple[Any, ...]) -> Any:
    """The value of a call of the driver; DeviceError where it failed."""
    status, *values = result
    if int(status):
        raise DeviceError(f"the CUDA driver says {status.name}")
    return values[0] if values else None


class Current:
    """A context, current in the calling thread; then the one that was."""

    __slots__ = ("context", "driver", "pushed")

    def __init__(self, driver: Any, context: Any) -> None:
        self.driver, self.context, self.pushed = driver, context, False

    def __enter__(self) -> None:
        if int(value_of(self.driver.cuCtxGetCurrent())) != int(self.context):
            value_of(self.driver.cuCtxPushCurrent(self.context))
            self.pushed = True

    def __exit__(self, *_: object) -> None:
        if self.pushed:
            value_of(self.driver.cuCtxPopCurrent())
