"""Kernels under the sanitizers of the compiler: no findings, and what is planted is found.

300 operators, every direction of each, in exact-size arrays; a third of them in channel lanes of
each instruction set at hand, a third resizes and chains. And 20 kernels run by eight threads on
the same inputs under the thread sanitizer.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from numpy.random import Generator

from codegen._runtime.compiler import find_compiler
from codegen._runtime.machine import Machine, candidates
from codegen.exactness import integral
from codegen.targets import c
from derive import Operator
from tests.cases import generator, random_chain, random_layer, random_resize
from tests.codegen.libraries import needs_compiler
from tests.codegen.program import THREADS, Sample, exact, run, write

CHUNK = 25
PORTABLE, IN_LANES, CHAINS = 4, 4, 4  # chunks: 300 kernels
RACING = 20
DTYPES = ("float32", "float64", "int64")
ADDRESS = ("-O0", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
THREAD = ("-O0", "-g", "-fsanitize=thread", f"-DTHREADS={THREADS}")


@cache
def _runs(flags: tuple[str, ...]) -> bool:
    """Whether programs made with these flags run here."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "t.c").write_text("int main(void) { return 0; }\n")
        words = [*find_compiler().command, *flags, "t.c", "-o", "t"]
        made = subprocess.run(words, cwd=folder, capture_output=True, check=False)
        return not made.returncode and not subprocess.run([f"{folder}/t"], check=False).returncode


def sanitizer(flags: tuple[str, ...]) -> list[str]:
    if not _runs(flags):
        pytest.skip(f"programs made with {flags[2]} do not run here")
    return list(find_compiler().command)


def samples(rng: Generator, make: Callable[[Generator], Operator], count: int) -> list[Sample]:
    """So many that tell, and those that came between them."""
    found: list[Sample] = []
    while sum(sample.told for sample in found) < count:
        op = make(rng)
        if exact(op):
            found.append(Sample.of(op, rng, batch=int(rng.integers(1, 3))))
    return found


def layer(rng: Generator) -> Operator:
    found = random_layer(rng)
    return found.T if rng.random() < 0.3 else found


def chain(rng: Generator) -> Operator:
    """A resize, or one with layers and pads around it."""
    if rng.random() < 0.3:
        return random_resize(rng)
    while True:
        *before, op = random_chain(rng, int(rng.integers(2, 4)))
        for part in reversed(before):
            op = part @ op
        if isinstance(op, Operator):
            return op


def program(
    folder: Path, found: list[Sample], dtype: str, machine: Machine | None = None
) -> tuple[str, ...]:
    """Write the program of these samples; the machine's flags."""
    texts = [c.emit(sample.op, f"k{i}", machine, dtype) for i, sample in enumerate(found)]
    write(folder, found, texts)
    return () if machine is None else machine.flags


@needs_compiler
@pytest.mark.parametrize("chunk", range(PORTABLE))
def test_portable_kernels(chunk: int, tmp_path: Path) -> None:
    command = sanitizer(ADDRESS)
    dtype = DTYPES[chunk % len(DTYPES)]
    program(tmp_path, samples(generator(910, chunk), layer, CHUNK), dtype)
    done = run(tmp_path, command, dtype, ADDRESS)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_compiler
@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("chunk", range(IN_LANES))
def test_kernels_in_lanes(chunk: int, tmp_path: Path) -> None:
    command = sanitizer(ADDRESS)
    machines, dtype = candidates(), DTYPES[chunk % len(DTYPES)]
    found = samples(generator(911, chunk), layer, CHUNK)
    flags = program(tmp_path, found, dtype, machines[chunk % len(machines)])
    done = run(tmp_path, command, dtype, (*ADDRESS, *flags))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_compiler
@pytest.mark.parametrize("chunk", range(CHAINS))
def test_resizes_and_chains(chunk: int, tmp_path: Path) -> None:
    """In float64, where halves and quarters are exact."""
    command = sanitizer(ADDRESS)
    found = samples(generator(912, chunk), chain, CHUNK)
    assert sum(not integral(sample.op) for sample in found) >= 3
    program(tmp_path, found, "float64")
    done = run(tmp_path, command, "float64", ADDRESS)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_compiler
@pytest.mark.usefixtures("always")
def test_threads_on_the_same_inputs(tmp_path: Path) -> None:
    """Half of them in lanes; OpenMP is left out, whose library the sanitizer cannot see into."""
    command = sanitizer(THREAD)
    for part, machine in enumerate((None, candidates()[0])):
        folder = tmp_path / str(part)
        folder.mkdir()
        make = layer if part else chain
        found = samples(generator(913, part), make, RACING // 2)
        flags = program(folder, found, "float64", machine)
        done = run(folder, command, "float64", (*THREAD, *flags))
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# --- what the tests above rely on: each planted fault is reported ------------------------------

PLANTED = {
    "one element too far": (ADDRESS, None, "y_row[j] =", "y_row[j + 1] =", "heap-buffer-overflow"),
    "one element before": (ADDRESS, None, "y_row[j] =", "y_row[j - 1] =", "heap-buffer-overflow"),
    "a vector off its line": (
        ADDRESS,
        "lanes",
        "w_block[p] = 0;",
        "((SCALAR *)((char *)w_block + 1))[p] = 0;",
        "misaligned address",
    ),
    "an int that overflows": (
        ADDRESS,
        None,
        "SCALAR sum = 0;",
        "SCALAR sum = (int)batch + 0x7fffffff;",
        "signed integer overflow",
    ),
    "a static between threads": (
        THREAD,
        None,
        "        SCALAR sum = 0;",
        "        static SCALAR sum; sum = 0;",
        "data race",
    ),
}


def _planted(folder: Path, old: str, new: str) -> Iterator[str]:
    for file in folder.glob("k*.c"):
        text = file.read_text()
        if old in text:
            file.write_text(text.replace(old, new))
            yield file.name


@needs_compiler
@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("fault", PLANTED)
def test_what_is_planted_is_found(fault: str, tmp_path: Path) -> None:
    flags, lanes, old, new, words = PLANTED[fault]
    command = sanitizer(flags)
    machine = candidates()[-1] if lanes else None
    more = program(tmp_path, samples(generator(914), layer, 2), "float64", machine)
    assert list(_planted(tmp_path, old, new))
    done = run(tmp_path, command, "float64", (*flags, *more))
    assert done.returncode
    assert words in done.stderr
