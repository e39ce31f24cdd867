"""The second pass of a weight gradient: its partial sums, [split][weight], added up."""

from __future__ import annotations

from codegen._runtime.cuda.program import Room, Step
from codegen.render import render

SUMS = "sums"  # the room of the partial sums
THREADS = 256
MOST_PARTS = 8


def reduction(
    prefix: str, numbers: int, splits: int, result: str, item: int
) -> tuple[str, Step, dict[str, Room]]:
    """Its text, its launch and the room that it adds up, of sums of ``item`` bytes.

    ``result`` is the array "weight" or the room of the unfolded gradient.
    """
    parts = 1
    while parts < min(splits, MOST_PARTS):
        parts *= 2
    lanes = THREADS // parts
    kernel = f"{prefix}_reduce"
    blocks = -(-numbers // lanes)
    text = render(
        "cuda/reduce.cu.j2",
        kernel=kernel,
        lanes=lanes,
        parts=parts,
        splits=splits,
        blocks=blocks,
        numbers=numbers,
        result_type="scalar" if result == "weight" else "sum_t",
        result="narrow(total)" if result == "weight" else "total",
    )
    step = Step(kernel, (SUMS, result), THREADS, blocks, 0, THREADS * item)
    return text, step, {SUMS: Room(splits * numbers * item)}
