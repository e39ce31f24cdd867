# Copied by `python -m codegen` from codegen/_runtime; edit it there.
"""GPUs through cuda-core and the driver."""

from __future__ import annotations

from .device import Device


class CudaDevices:
    """The GPUs of this machine."""

    tensors = "cuda"

    def at(self, ordinal: int) -> Device:
        """The device of a number; DeviceError where there is none."""
        raise NotImplementedError

    def holding(self, address: int) -> int:
        """The number of the device whose memory begins there."""
        raise NotImplementedError


DEVICES = CudaDevices()
