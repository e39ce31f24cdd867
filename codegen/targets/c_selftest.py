"""The self-test of a C file: a main that makes its own data and knows the checksums of answers.

Data comes from a mixing function of the index, the same here and there, so the file stays small
whatever the operator is. A checksum is the sum of integers times odd numbers modulo 2**64: an odd
number can be divided by, so one wrong number always changes it, and several that cancel do so once
in 2**64. Where weights are fractions the data is a multiple of their denominator, answers are
integers again, and a function that rounds must come nearer to them than to any other.
"""

from __future__ import annotations

import re
from math import prod

import numpy as np
from numpy.typing import NDArray

from codegen._runtime.compiler import SCALARS
from codegen.describe import header
from codegen.exact_vectors import ANSWERS, whole_answers
from codegen.folds import folded_numbers
from codegen.judge.answers import Answers, Ints, Sample, directions
from codegen.render import render
from codegen.rounding import PRECISION, roundings
from derive import Operator

from .header import comment_of

BATCH = 2
LONGEST = 1 << 27  # multiply-adds of a sample, for which small machines take long already
SEEDS = {"x": 1 << 32, "weight": 2 << 32, "bias": 3 << 32, "grad_y": 4 << 32}
NOTE = (
    "Self-test: exit code 0 when every function gives the exact answer, 1 when one does not, and 2",
    "when one needs more bits than SCALAR has, as some with fractions for weights do.",
    "    cc -O2 {name}.c selftest/{name}.c -o {name}_selftest && ./{name}_selftest",
    "With another SCALAR than float, the same -DSCALAR=... for both files.",
)


def mixed(index: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The mixing function of the page, modulo 2**64."""
    index = index * np.uint64(0x9E3779B97F4A7C15)
    index ^= index >> np.uint64(32)
    return np.asarray(index * np.uint64(0xD6E8FEB86659FD93))


def filled(name: str, shape: tuple[int, ...]) -> Ints:
    """What the page fills an array with, before scaling."""
    index = np.arange(prod(shape), dtype=np.uint64) + np.uint64(SEEDS[name])
    values = (mixed(index) >> np.uint64(61)).astype(np.int64) - 4
    return np.asarray(values + (values >= 0)).reshape(shape)


def checksum(values: Ints) -> int:
    """The sum of integers times odd numbers, modulo 2**64.

    >>> checksum(np.array([1, 2])) != checksum(np.array([2, 1]))
    True
    """
    flat = values.astype(np.int64).ravel().view(np.uint64)
    odd = mixed(np.arange(flat.size, dtype=np.uint64)) | np.uint64(1)
    return int((flat * odd).sum(dtype=np.uint64))


def emit_selftest(op: Operator, name: str) -> str | None:
    """The C text of the self-test of a kernel, which lies in a folder beside it.

    None where double tells none of the answers, denominators beyond 2**53, and for operators of
    more than ``LONGEST`` multiply-adds a sample.
    """
    if op.macs > LONGEST:
        return None
    sample = Sample(
        filled("x", (BATCH, *op.input_shape)),
        filled("weight", op.form.weight_shape) if op.learned else None,
        filled("bias", op.bias_shape) if op.bias_shape else None,
        filled("grad_y", (BATCH, *op.output_shape)),
    )
    bits = {direction: _bits(op, direction, sample) for direction in directions(op)}
    held = [direction for direction, needed in bits.items() if needed <= PRECISION["float64"]]
    if not held:
        return None
    found = whole_answers(op, sample)
    calls = {direction: _calls(op, name, direction) for direction in held}
    used = set(re.findall(r"\w+", str(calls)))
    sizes = {each: size for each, size in _sizes(op, sample).items() if each in used}
    by = Answers(op).denominator
    notes = [line.format(name=name) for line in NOTE]
    left_out = [direction for direction in bits if direction not in held]
    if left_out:
        notes.append(f"Not tested, since no double tells its integers: {', '.join(left_out)}.")
    return render(
        "selftest.c.j2",
        comment=comment_of([*header(op, name), "", *notes]),
        name=name,
        arrays=[{"name": each, "size": size} for each, size in sizes.items()],
        count=len(held),
        fills=[
            f"fill({each}, {sizes[each]}, {SEEDS[each]}u, {by if each in ('x', 'grad_y') else 1});"
            for each in SEEDS
            if each in sizes
        ],
        checks=[
            {
                "direction": direction,
                "power": 2 ** (bits[direction] - 1),
                "array": ANSWERS[direction],
                "size": sizes[ANSWERS[direction]],
                "calls": calls[direction],
                "rounds": int(by != 1),
                "expected": checksum(found[direction]),
            }
            for direction in held
        ],
    )


def _bits(op: Operator, direction: str, sample: Sample) -> int:
    """The significant bits that tell the integers of an answer, its rounding included.

    Integers up to m need m < 2**bits. A sum of k products that rounds is off by k*u*m at most, to
    first order, and u is 2**-bits: less than 1/4 leaves room for the higher orders.
    """
    answers = Answers(op, absolute=True)
    largest = int(answers.of(direction, sample.absolute()).max(initial=1))
    by = answers.denominator
    if by == 1 or direction == "bias_gradient":
        return (largest + 1).bit_length()
    if direction == "weight_gradient":
        largest *= by  # both factors are multiples
    counts = (roundings(op, direction, dtype, BATCH).count for dtype in SCALARS)
    return (4 * max(counts) * largest).bit_length()


def _sizes(op: Operator, sample: Sample) -> dict[str, int]:
    """The arrays of the page, and how many numbers each holds."""
    sizes = {"x": sample.x.size, "grad_y": sample.grad.size}
    sizes |= {"y": sample.grad.size, "grad_x": sample.x.size}
    if sample.weight is not None:
        sizes |= {"weight": sample.weight.size, "grad_weight": sample.weight.size}
        sizes["grad_bias"] = op.output_shape[0]
        if numbers := folded_numbers(op):
            sizes |= {"folded": numbers, "grad_folded": numbers}
    if sample.bias is not None:
        sizes["bias"] = sample.bias.size
    return sizes


def _calls(op: Operator, name: str, direction: str) -> list[str]:
    """The statements that compute one answer."""
    folded = op.learned and folded_numbers(op) > 0
    weight = ["folded" if folded else "weight"] if op.learned else []
    bias = ["bias" if op.bias else "NULL"] if op.learned else []
    if direction == "weight_gradient":
        target = "grad_folded" if folded else "grad_weight"
        lines = [f"{name}_weight_gradient({BATCH}, x, grad_y, {target});"]
        return lines + [f"{name}_unfold(grad_folded, grad_weight);"] * folded
    arguments = {
        "forward": ["x", *weight, *bias, "y"],
        "input_gradient": ["grad_y", *weight, "grad_x"],
        "bias_gradient": ["grad_y", "grad_bias"],
    }[direction]
    lines = [f"{name}_fold(weight, folded);"] * (folded and direction != "bias_gradient")
    return [*lines, f"{name}_{direction}({BATCH}, {', '.join(arguments)});"]
