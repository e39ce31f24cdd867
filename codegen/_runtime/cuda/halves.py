"""Numbers of the host as a device holds them: bfloat16, which NumPy lacks, is the half of float32.

Rounding is to nearest, ties to even.
"""

from __future__ import annotations

import numpy as np

from ..arrays import Array


def narrowed(array: Array, dtype: str) -> Array:
    """C-contiguous numbers of a dtype; those of bfloat16 are the upper halves of float32's bits.

    >>> [hex(each) for each in narrowed(np.array([1, -2, 257, 259]), "bfloat16")]
    ['0x3f80', '0xc000', '0x4380', '0x4382']
    """
    if dtype != "bfloat16":
        with np.errstate(over="ignore"):  # it is infinite then, as on the device
            return np.array(array, dtype=dtype, order="C")
    bits = np.array(array, dtype=np.float32, order="C").view(np.uint32)
    rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16
    is_nan = (bits & 0x7FFFFFFF) > 0x7F800000
    return np.where(is_nan, bits >> 16 | 0x40, rounded).astype(np.uint16)


def widened(numbers: Array, dtype: str) -> Array:
    """The numbers as NumPy's: float32 of bfloat16.

    >>> widened(np.array([0x3F80, 0xC000, 0x4382], np.uint16), "bfloat16").tolist()
    [1.0, -2.0, 260.0]
    """
    if dtype != "bfloat16":
        return numbers
    return (numbers.astype(np.uint32) << 16).view(np.float32)
