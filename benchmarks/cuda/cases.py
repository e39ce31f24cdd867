"""What is measured on a GPU: the layers of the other benchmark, by dtype and batch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from benchmarks.case import Case
from benchmarks.layers import GRADIENTS, KNOWN, OF_EACH_KIND

BATCHES = (1, 16)
HALVES = ("float16", "bfloat16")
TF32 = " TF32"  # ends the name of a peer that rounds float32 to it before it multiplies
RESIZED = tuple(each for each in KNOWN if each.resize is not None)


def _of(cases: Iterable[Case], dtype: str) -> tuple[Case, ...]:
    """Each case in each batch, computed in a dtype; the name says so."""
    return tuple(
        replace(each, name=f"{each.name}, batch {batch}, {dtype}", dtype=dtype, batch=batch)
        for each in cases
        for batch in BATCHES
    )


SECTIONS: Mapping[str, tuple[Case, ...]] = {
    "float32": _of(KNOWN, "float32"),
    **{dtype: _of((*OF_EACH_KIND, *RESIZED), dtype) for dtype in HALVES},
    "float32 gradients": _of(GRADIENTS, "float32"),
    "float16 gradients": _of(GRADIENTS, "float16"),
}
