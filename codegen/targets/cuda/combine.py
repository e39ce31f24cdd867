"""Fixed combinations: operators that learn nothing, folding of a weight and its transpose."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from codegen._runtime.cuda.program import Step
from codegen.cuda.tables import Rows, combined_rows, fixed_rows
from codegen.render import render
from derive.core.folding import Combination, Folding
from derive.core.form import TrilinearForm

from .gather import RESIDENT, THREADS, blocks_of
from .part import FOLDED, CudaFunction, CudaPart
from .tables import backwards, found, table_page

UNFOLDED = "unfolded"  # the room of the gradient of a folded weight: sum_t numbers


def resample_part(form: TrilinearForm, function: CudaFunction) -> CudaPart:
    """A function of an operator that learns nothing, channel by channel."""
    sizes = form.input_shape[1:]
    rows = [fixed_rows(axis, prod(sizes[d + 1 :])) for d, axis in enumerate(form.axes)]
    outputs = prod(form.output_shape)
    types = "scalar", "scalar"
    text = _text(function.prefix, function.plain, rows, prod(sizes), outputs, types, "batch")
    step = blocks_of(function.plain, (function.x, function.y), outputs)
    return CudaPart(function.direction, text, (step,))


def fold_step(
    name: str, foldings: Sequence[Folding], taps: Sequence[int], pairs: int
) -> tuple[str, Step, int]:
    """The kernel weight -> folded, its launch, and the numbers of the room that it fills.

    ``taps`` count those of each axis before folding, also those that fall nowhere.
    """
    prefix = f"{name}_fold"
    combinations = [each.combinations for each in foldings]
    text, numbers = _combined(prefix, combinations, taps, pairs, ("scalar", "sum_t"))
    step = blocks_of(prefix, ("weight", FOLDED), numbers, sampled=False)
    return text, step, numbers


def unfold_step(
    name: str, foldings: Sequence[Folding], taps: Sequence[int], pairs: int
) -> tuple[str, Step, int]:
    """The kernel that makes the gradient of the weight of the folded one, and its launch."""
    prefix = f"{name}_unfold"
    sizes = [len(each.combinations) for each in foldings]
    combinations = [_transposed(each, count) for each, count in zip(foldings, taps, strict=True)]
    text, numbers = _combined(prefix, combinations, sizes, pairs, ("sum_t", "scalar"))
    step = blocks_of(prefix, (UNFOLDED, "weight"), numbers, sampled=False)
    return text, step, pairs * prod(sizes)


def _combined(
    prefix: str,
    combinations: Sequence[Sequence[Combination]],
    sizes: Sequence[int],
    pairs: int,
    types: tuple[str, str],
) -> tuple[str, int]:
    rows = [combined_rows(each, prod(sizes[d + 1 :])) for d, each in enumerate(combinations)]
    numbers = pairs * prod(each.outputs for each in rows)
    return _text(prefix, prefix, rows, prod(sizes), numbers, types, "1"), numbers


def _transposed(folding: Folding, taps: int) -> list[Combination]:
    """For each tap the folded ones that it is in."""
    return [
        tuple((f, c) for f, each in enumerate(folding.combinations) for t, c in each if t == tap)
        for tap in range(taps)
    ]


def _text(
    prefix: str,
    kernel: str,
    rows: Sequence[Rows],
    inputs: int,
    outputs: int,
    types: tuple[str, str],
    samples: str,
) -> str:
    x_type, y_type = types
    last = len(rows) - 1
    values = [f"widen(from[x{d}])" if d == last else f"sum{d + 1}" for d in range(len(rows))]
    return render(
        "cuda/combine.cu.j2",
        prefix=prefix,
        kernel=kernel,
        threads=THREADS,
        resident=RESIDENT,
        x_type=x_type,
        y_type=y_type,
        samples=samples,
        outputs=outputs,
        inputs=inputs,
        tables=table_page(rows),
        places=backwards([each.outputs for each in rows]),
        axes=[
            {"axis": d, "x_before": f"x{d - 1} + " if d else "", **found(prefix, d, each)}
            for d, each in enumerate(rows)
        ],
        inwards=[{"axis": d, "value": values[d]} for d in reversed(range(len(rows)))],
        result="narrow(sum0)" if y_type == "scalar" else "sum0",
    )
