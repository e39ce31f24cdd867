"""``make bench``: measure all sections, or some, and write benchmarks/RESULTS.md."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import click

HERE = Path(__file__).parent
KEPT, RESULTS, PICTURE = HERE / "results.json", HERE / "RESULTS.md", HERE / "ratios.svg"
COSTS = ("matrix", "normal-form", "emission", "fused")
LAYERS = ("layers", "others", "float64", "gradients", "growth")
ALGORITHMS = ("exact", "fast", "auto")
CUDA, MODELS = "cuda", "models"  # by themselves: one needs a GPU, one many minutes


@click.command()
@click.argument("sections", nargs=-1, type=click.Choice((*LAYERS, *COSTS, CUDA, MODELS)))
@click.option("--only", default="", metavar="REGEX", help="Layers whose name it finds.")
@click.option("--rounds", default=15, type=click.IntRange(1), help="In which all take turns.")
@click.option("--threads", default=1, type=click.IntRange(1), help="Of everybody.")
@click.option(
    "--algorithm",
    "algorithms",
    multiple=True,
    default=("auto",),
    type=click.Choice(ALGORITHMS),
    help="Of ours; may be given several times.",
)
@click.option("--peer", "who", multiple=True, help="Only these; may be given several times.")
@click.option("--keep/--forget", default=True, help="Write results.json, RESULTS.md, ratios.svg.")
def main(
    sections: tuple[str, ...],
    only: str,
    rounds: int,
    threads: int,
    algorithms: tuple[str, ...],
    who: tuple[str, ...],
    keep: bool,
) -> None:
    """Measure SECTIONS, or all of them but cuda and models, and print their tables."""
    from .peers import WHERE

    try:
        pattern = re.compile(only)
    except re.error as error:
        raise click.BadParameter(f"{only!r}: {error}", param_hint="--only") from None
    if unknown := set(who) - set(WHERE):
        allowed = f"{', '.join(sorted(unknown))}: allowed are {', '.join(WHERE)}"
        raise click.BadParameter(allowed, param_hint="--peer")
    os.environ["OMP_NUM_THREADS"] = str(threads)  # before torch and our kernels read it
    if CUDA in sections:
        from .cuda import run as cuda

        cuda.run(pattern, rounds, keep=keep)
    if MODELS in sections:
        from .models import run as models

        models.run(pattern, algorithms, rounds, threads, keep=keep)
    of_layers = [each for each in sections if each not in (CUDA, MODELS)]
    if sections and not of_layers:
        return
    from .run import Run, known, write

    store = known(KEPT)
    run = Run(pattern, rounds, threads, algorithms, who or tuple(WHERE), store)
    for section in of_layers or (*LAYERS, *COSTS):
        text = run.section(section) if section in LAYERS else run.cost(section)
        sys.stdout.write(f"## {section}\n\n{text}\n\n")
        sys.stdout.flush()
        if keep:
            write(store, KEPT, RESULTS, PICTURE)


if __name__ == "__main__":
    main()
