"""The same numbers from each compiler at hand, with and without its optimiser."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from codegen._runtime.machine import candidates
from codegen.targets import c
from tests.cases import generator, random_layer
from tests.codegen.libraries import needs_compiler
from tests.codegen.program import Sample, run, write

KERNELS = 50  # half of them in channel lanes
LEVELS = "-O0", "-O3"
CONTRACTED = "-ffp-contract=fast", "-ftree-vectorize"


@needs_compiler
@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_compilers_agree(compiler: str, tmp_path: Path) -> None:
    """On integers there is one right answer: who has it agrees with all others, bit for bit."""
    if shutil.which(compiler) is None:
        pytest.skip(f"no {compiler} here")
    for part, machine in enumerate((None, candidates()[0])):
        folder = tmp_path / str(part)
        folder.mkdir()
        samples: list[Sample] = []
        told = 0
        while told < KERNELS // 2:
            rng = generator(950, part, len(samples))
            samples.append(Sample.of(random_layer(rng, 1 + len(samples) % 2), rng))
            told += samples[-1].told
        texts = [c.emit(each.op, f"k{i}", machine) for i, each in enumerate(samples)]
        write(folder, samples, texts)
        flags = machine.flags if machine else ()
        for level in LEVELS:
            done = run(folder, [compiler], "float32", (level, *CONTRACTED, *flags, "-Wno-unused"))
            assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), (compiler, level)
