"""``python -m examples.decoders``: whole decoders converted, layer by layer, and timed."""

from __future__ import annotations

from statistics import median
from time import perf_counter

import torch
from torch import Tensor, nn

import codegen
from examples.networks import NETWORKS, inputs

ROUNDS = 5
ALGORITHMS = ("exact", "auto")  # exact sums; fast ones where they are faster


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


def main(batch: int = 1) -> None:
    """Print what became of each layer by each algorithm, and the times of each network."""
    for name, make in NETWORKS.items():
        torch.manual_seed(0)
        model, given = make().eval(), inputs(name, batch)
        models: dict[str, nn.Module] = {"torch": model}
        for algorithm in ALGORITHMS:
            models[algorithm], report = codegen.convert(model, given, algorithm=algorithm)
            print(f"{name}, batch {batch}, {algorithm}\n{report}\n")
        before, *after = seconds(list(models.values()), given)
        found = zip(ALGORITHMS, after, strict=True)
        words = (f"{each} {1000 * s:.1f} ms ({before / s:.2f} times)" for each, s in found)
        print(f"{name}: torch {1000 * before:.1f} ms; {'; '.join(words)}\n")


if __name__ == "__main__":
    main()
