# Copied by `python -m codegen` from codegen/_runtime; edit it there.
"""The arguments of a call: how they are seen, and the stream that waits for them."""

from __future__ import annotations

from typing import Any

from .arrays import DeviceArray, view
from .device import LEGACY, Device, Devices
from .launch import PreparedOnDevice
from .streams import handle_of, used_on


class Reader:
    """Views of the arguments of one call, and the stream that it runs on: the first array's."""

    __slots__ = ("devices", "stream")

    def __init__(self, devices: Devices, stream: Any) -> None:
        self.devices = devices
        self.stream = None if stream is None else handle_of(stream)

    def __call__(self, name: str, value: Any) -> DeviceArray:
        seen = view(name, value, self.devices, self.stream)
        if self.stream is None:
            self.stream = LEGACY if seen.stream is None else seen.stream
        return seen

    def ready(
        self, device: Device, used: list[DeviceArray], prepared: PreparedOnDevice | None = None
    ) -> int:
        """The stream, which now waits for those on which what is ``used`` becomes ready."""
        stream = LEGACY if self.stream is None else self.stream
        others: dict[int | None, None] = {}
        for each in used:
            if each.stream != stream:
                others[each.stream] = None
                used_on(each.owner, stream)
        if prepared is not None and prepared.stream != stream:
            others[prepared.stream] = None
            used_on(getattr(prepared.memory, "tensor", None), stream)
        for other in others:
            if other is not None:
                device.wait(stream, other)
        return stream
