"""DLPack in both directions, through cuda-core."""

from __future__ import annotations

from typing import Any

from ..arrays import LayoutError
from .arrays import CUDA, MANAGED, DeviceArray, aligned, is_contiguous, not_contiguous
from .extra import imported
from .program import ITEMSIZE


def of_dlpack(name: str, value: Any, stream: int) -> DeviceArray:
    """The view of what ``__dlpack__`` gives, ready for what ``stream`` is given now."""
    kind, ordinal = value.__dlpack_device__()
    if kind not in (CUDA, MANAGED):
        raise LayoutError(
            f"{name} is on DLPack's device {int(kind)}, of type {type(value).__name__}; "
            f"this kernel takes CUDA, {CUDA} or {MANAGED}"
        )
    views = imported("cuda.core.utils").StridedMemoryView
    try:
        seen = views.from_dlpack(value, stream_ptr=stream)
        shape, dtype, strides = tuple(seen.shape), str(seen.dtype), seen.strides
    except Exception as error:  # whatever the producer raises
        raise LayoutError(f"{name}: its __dlpack__ fails: {error}") from None
    if strides is not None and not is_contiguous(shape, strides, 1):
        raise not_contiguous(name, strides)
    found = DeviceArray(seen.ptr, shape, dtype, int(ordinal), seen, None, seen.readonly)
    return aligned(found, name)


def capsule(array: DeviceArray, **options: Any) -> object:
    """What ``__dlpack__`` of one of our arrays returns; ``stream`` then waits for its numbers."""
    core = imported("cuda.core")
    asked = options.get("stream")
    if asked != -1 and array.stream is not None and (asked or 1) != array.stream:
        from .gpu import DEVICES

        device = DEVICES.at(array.device)
        with device.current():
            device.wait(asked or 1, array.stream)
    buffer = core.Buffer.from_handle(array.address, array.nbytes, owner=array)
    views = imported("cuda.core.utils").StridedMemoryView
    seen = views.from_buffer(
        buffer, array.shape, itemsize=ITEMSIZE[array.dtype], dtype=_dtype(array.dtype)
    )
    return seen.__dlpack__(**options)


def _dtype(name: str) -> Any:
    """The dtype of a name; ml_dtypes has NumPy's of bfloat16."""
    if name == "bfloat16":
        return imported("ml_dtypes").bfloat16
    return imported("numpy").dtype(name)
