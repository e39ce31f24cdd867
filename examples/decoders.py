"""``python -m examples.decoders``: whole decoders converted, layer by layer, and timed."""

from __future__ import annotations

from statistics import median
from time import perf_counter

import click
import torch
from torch import Tensor, nn

import codegen
from examples.networks import NETWORKS, inputs

ROUNDS = 5


def seconds(models: list[nn.Module], given: tuple[Tensor, ...]) -> list[float]:
    """The median of a call of each, which take turns."""
    times: list[list[float]] = [[] for _ in models]
    with torch.no_grad():
        for model in models:
            model(*given)
        for _ in range(ROUNDS):
            for model, found in zip(models, times, strict=True):
                begin = perf_counter()
                model(*given)
                found.append(perf_counter() - begin)
    return [median(found) for found in times]


@click.command()
@click.argument("algorithm", default="exact", type=click.Choice(["exact", "fast", "auto"]))
@click.option("--batch", default=1, type=click.IntRange(1), help="Of the inputs.")
def main(algorithm: str, batch: int) -> None:
    """Convert three decoders, by exact sums or by the fast algorithms of ALGORITHM."""
    for name, make in NETWORKS.items():
        torch.manual_seed(0)
        model, given = make().eval(), inputs(name, batch)
        made, report = codegen.convert(model, given, algorithm=algorithm)
        before, after = seconds([model, made], given)
        print(f"{name}, batch {batch}, {algorithm}\n{report}")
        print(f"{1000 * before:.1f} ms -> {1000 * after:.1f} ms, {before / after:.2f} times\n")


if __name__ == "__main__":
    main()
