"""Streams as users pass them, and tensors that another stream reads."""

from __future__ import annotations

from typing import Any

from ..arrays import LayoutError, is_tensor, torch_of
from .device import LEGACY


def handle_of(stream: Any) -> int:
    """The handle of a stream: an integer, or of torch, CuPy, numba or cuda.core.

    >>> handle_of(0), handle_of(2)
    (1, 2)
    """
    found = stream
    if hasattr(stream, "__cuda_stream__"):  # cuda.core's protocol: version, handle
        found = stream.__cuda_stream__()[1]
    elif not isinstance(stream, int):
        names = [name for name in ("cuda_stream", "ptr") if hasattr(stream, name)]
        found = getattr(stream, names[0]) if names else stream
    if isinstance(found, bool) or not isinstance(found, int) or found < 0:
        raise LayoutError(
            f"stream = {stream!r}: allowed is a handle, or a stream of torch, CuPy or cuda.core"
        )
    return found or LEGACY


def used_on(owner: Any, stream: int) -> None:
    """Tell torch that a stream uses a tensor, whose memory must not go to others meanwhile."""
    if is_tensor(owner) and owner.is_cuda:
        cuda = torch_of().cuda
        owner.record_stream(stream_of(cuda, stream, owner.device))


def stream_of(cuda: Any, stream: int, device: Any) -> Any:
    """torch's stream of a handle."""
    if stream == LEGACY:
        return cuda.default_stream(device)
    return cuda.ExternalStream(stream, device)
