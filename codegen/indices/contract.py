"""How long the arrays of each entry point are: the contract of the header, from the operator."""

from __future__ import annotations

from math import prod

from codegen.targets.c import CText
from derive import Operator

from .memory import Array

Contract = dict[str, dict[str, Array]]  # function without its prefix -> parameter -> array
LARGEST_ITEM = 8  # bytes of a SCALAR
INT64 = 2**63 - 1


def contract(op: Operator, text: CText) -> Contract:
    """The arrays of all functions that a text must define."""
    x, y = prod(op.input_shape), prod(op.output_shape)
    arrays: dict[str, dict[str, int | tuple[int]]]
    if not op.learned:
        arrays = {"forward": {"x": (x,), "y": (y,)}, "input_gradient": {"x": (y,), "y": (x,)}}
        return _named(arrays)
    plain, channels, packed = prod(op.form.weight_shape), op.output_shape[0], text.takes.packed
    weight = text.takes.folded or plain
    arrays = {
        "forward": {"x": (x,), "weight": packed.get("forward", weight), "y": (y,)},
        "input_gradient": {"x": (y,), "weight": packed.get("input_gradient", weight), "y": (x,)},
        "weight_gradient": {"x": (x,), "y": (y,), "weight": weight},
        "bias_gradient": {"y": (y,), "bias": channels},
    }
    arrays["forward"]["bias"] = channels
    if text.takes.folded:
        arrays["fold"] = arrays["unfold"] = {"weight": plain, "folded": text.takes.folded}
    for direction, numbers in packed.items():
        if direction == "weight_gradient":
            made = (text.takes.packed_sample,)
            arrays[direction] = {"x": (x,), "y": (y,), "weight": numbers}
            arrays["pack_gradient"] = {"y": arrays[direction][text.takes.packs], "packed": made}
            arrays[direction][text.takes.packs] = made
            arrays["unpack_gradient"] = {"packed": numbers, "weight": weight}
        else:
            arrays[f"pack_{direction}"] = {"weight": weight, "packed": numbers}
    return _named(arrays)


def largest_batch(found: Contract) -> int:
    """The most samples for which no array has more bytes than ptrdiff_t counts."""
    samples = [a.numbers for each in found.values() for a in each.values() if a.batched]
    return INT64 // (LARGEST_ITEM * max(number for number in samples if number is not None))


def _named(arrays: dict[str, dict[str, int | tuple[int]]]) -> Contract:
    return {
        function: {
            name: Array(name, numbers[0], True)
            if isinstance(numbers, tuple)
            else Array(name, numbers)
            for name, numbers in each.items()
        }
        for function, each in arrays.items()
    }
