"""Random operators without end: ``python -m tests.fuzz 50000``, or ``make fuzz N=50000``.

Each is drawn from (seed, its number): layers of one to three axes with all that derive takes, their
adjoints, resizes and chains. Its NumPy kernel is compared with the matrix, and with torch where it
is a layer or the adjoint of one; every fourth is compiled too, portable and in channel lanes, and
compared with the matrix. Integers with ==; where weights are fractions, within the bound of
codegen.exactness. A failure is one line with the command that repeats it; the exit status is 1.
"""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import click
import numpy as np
from numpy.random import Generator

from codegen._runtime.machine import Machine, candidates
from codegen.builder import numpy_kernel
from codegen.cpu import schedule
from codegen.emit import emit_numpy
from codegen.exactness import integral, mismatches
from derive import Operator
from derive.layers import Layer
from tests.cases import generator, random_chain, random_layer, random_resize
from tests.codegen.judge import (
    DTYPES,
    Answer,
    Data,
    answer_of,
    mistrusted,
    of_torch,
    of_torch_adjoint,
)
from tests.codegen.libraries import has_compiler, kernels_for
from tests.codegen.schedules import channel_gradient, channel_lanes

TOGETHER = 48  # operators of one job
EVERY = 4  # so many NumPy kernels to one that is compiled
AGAIN = "python -m tests.fuzz {} --seed {} --first {}"


def drawn(seed: int, number: int) -> tuple[Operator, Layer | None, Generator]:
    """An operator, the layer that it or its adjoint is, and numbers for the rest of its test."""
    rng = generator(seed, number)
    kind = rng.random()
    if kind < 0.7:
        layer = random_layer(rng)
        return layer if kind < 0.45 else layer.T, layer, rng
    if kind < 0.8:
        return random_resize(rng), None, rng
    while True:
        *outer, op = random_chain(rng, int(rng.integers(2, 4)))
        for part in reversed(outer):
            op = part @ op
        if isinstance(op, Operator):
            return op, None, rng


def job(seed: int, numbers: range) -> tuple[Counter[str], list[str]]:
    """What was compared, by target, and a line for each failure."""
    counted: Counter[str] = Counter()
    failures: list[str] = []
    compiled: list[tuple[int, Operator]] = []
    for number in numbers:
        op, layer, rng = drawn(seed, number)
        said = _numpy(op, layer, rng, number, counted)
        failures += [_line(seed, number, op, "numpy", words) for words in said]
        if number % EVERY == 0 and has_compiler():
            compiled.append((number, op))
    machines = candidates()
    turn = numbers.start // TOGETHER
    for target, machine in (("c", None), ("lanes", machines[turn % len(machines)])):
        for number, op, said in _compiled(compiled, machine, DTYPES[turn // 3 % 3], counted):
            failures.append(_line(seed, number, op, target, said))
    return counted, failures


def _line(seed: int, number: int, op: Operator, target: str, said: str) -> str:
    return f"{AGAIN.format(1, seed, number)}  # {target}, {op!r}: {said}"


def _numpy(
    op: Operator, layer: Layer | None, rng: Generator, number: int, counted: Counter[str]
) -> Iterator[str]:
    """What is wrong with the NumPy kernel."""
    kernel = numpy_kernel("kernel", emit_numpy(op, "kernel"))
    dtype = DTYPES[number % 3] if integral(op) else "float64"
    wrong = mismatches(replace(kernel, dtypes=(dtype,)), op, seed=number)
    yield from (f"{name} is not the matrix's, {dtype}" for name in wrong)
    counted["numpy"] += 1
    if layer is None:
        x = np.ones((1, *op.input_shape))
        w = np.ones(op.weight_shape) if op.learned else None
        output = kernel.forward(x, w, np.ones(op.bias_shape) if op.bias_shape else None)
    else:
        data = Data.of(op, rng)
        reference: Callable[[Layer, Data], Answer] = of_torch if op is layer else of_torch_adjoint
        expected = reference(layer, data)
        differences = answer_of(kernel, data.astype(dtype)).differences(expected)
        yield from (f"{name} is not torch's, {dtype}" for name in differences)
        counted["torch"] += 1
        output = expected.forward
    counted["telling"] += not mistrusted(output)


def _compiled(
    every: list[tuple[int, Operator]], machine: Machine | None, dtype: str, counted: Counter[str]
) -> Iterator[tuple[int, Operator, str]]:
    """What is wrong with kernels in C, compiled in one go: in lanes if there is a machine."""
    chosen = [
        (number, op)
        for number, op in every
        if (dtype != "int64" or integral(op)) and (machine is None or op.learned)
    ]
    always = patch.multiple(
        schedule, gather_schedule=channel_lanes, gradient_schedule=channel_gradient
    )
    if not chosen:
        return
    with tempfile.TemporaryDirectory() as folder, always:
        kernels = kernels_for(Path(folder), [op for _, op in chosen], machine, dtype)
        for (number, op), (kernel, _) in zip(chosen, kernels, strict=True):
            for name in mismatches(kernel, op, seed=number):
                yield number, op, f"{name} is not the matrix's, {dtype}, {machine}"
            counted["lanes" if machine else "c"] += 1


@click.command(help=__doc__)
@click.argument("count", type=click.IntRange(1))
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--first", type=click.IntRange(0), default=0, help="the number to begin with")
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True)
def main(count: int, seed: int, first: int, jobs: int) -> None:
    begins = range(first, first + count, TOGETHER)
    parts = [range(begin, min(first + count, begin + TOGETHER)) for begin in begins]
    counted: Counter[str] = Counter()
    failed, begun = 0, time.monotonic()
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        futures = [pool.submit(job, seed, part) for part in parts]
        for part, future in zip(parts, futures, strict=True):
            try:
                found, failures = future.result()
            except BrokenProcessPool:
                click.echo(f"{AGAIN.format(len(part), seed, part.start)}  # ends the process")
                sys.exit(1)
            except Exception as error:
                failures = [f"{AGAIN.format(len(part), seed, part.start)}  # {error!r}"]
                found = Counter[str]()
            counted += found
            failed += len(failures)
            for line in failures:
                click.echo(line)
            if part is parts[-1] or part.stop % (20 * TOGETHER) < TOGETHER:
                rate = (part.stop - first) / (time.monotonic() - begun)
                click.echo(f"{part.stop}: {_summary(counted)}, {failed} failures, {rate:.0f}/s")
    sys.exit(1 if failed else 0)


def _summary(counted: Counter[str]) -> str:
    return (
        f"{counted['numpy']} in NumPy ({counted['telling']} tell), of these {counted['torch']} with"
        f" torch, {counted['c']} in C, {counted['lanes']} in lanes"
    )


if __name__ == "__main__":
    main()
