"""A C program that runs kernels on arrays of exactly their size and compares every number.

Sanitizers, other compilers and faulty templates meet kernels this way: no Python, no page around
an array that could hide a read beyond it, and a kernel that crashes takes nothing along. The
program reads inputs and answers from a file; outputs begin as NaN, or -1 where there is none.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from codegen._runtime.compiler import SCALARS
from codegen.builder import numpy_kernel
from codegen.emit import emit_numpy
from codegen.error_bound import bound_of
from codegen.exactness import mismatches
from codegen.targets.c import CText
from derive import Operator
from tests.codegen.judge import mistrusted, nonzero, unwritten

Array = NDArray[np.float64]
THREADS = 8
LINE = 64  # bytes that an array of vectors is aligned to, or the vector where it is shorter

HARNESS = Path(__file__).with_name("harness.c")


@dataclass(frozen=True)
class Sample:
    """An operator, integers for its functions, and what they give: exact in float64."""

    op: Operator
    inputs: dict[str, Array]  # x, g, and where the operator has them w and b
    answers: dict[str, Array]  # by function

    @classmethod
    def of(cls, op: Operator, rng: Generator, batch: int = 2) -> Sample:
        """The answers are a NumPy kernel's, which the matrix has judged first."""
        kernel = replace(numpy_kernel("k", emit_numpy(op, "k")), dtypes=("float64",))
        assert mismatches(kernel, op, batch=1) == [], op
        shapes = {"x": (batch, *op.input_shape), "g": (batch, *op.output_shape)}
        if op.learned:
            shapes["w"] = op.form.weight_shape if op.weight_shape is None else op.weight_shape
        if op.bias_shape:
            shapes["b"] = op.bias_shape
        inputs = {name: nonzero(rng, shape).astype("f8") for name, shape in shapes.items()}
        x, g, w, b = (inputs.get(name) for name in "xgwb")
        answers = {
            "forward": kernel.forward(x, w, b, out=unwritten(shapes["g"], "float64")),
            "input_gradient": kernel.input_gradient(g, w),
        }
        if op.learned:
            answers["weight_gradient"] = kernel.weight_gradient(x, g)
            answers["bias_gradient"] = kernel.bias_gradient(g)
        return cls(op, inputs, answers)

    @property
    def told(self) -> bool:
        """Whether the comparison says something: see ``mistrusted``."""
        return not mistrusted(*self.answers.values())


def exact(op: Operator) -> bool:
    """Whether float64 holds all its numbers: coefficients are integers over a power of two."""
    denominators = [{s.coefficient.denominator for s in axis.strands} for axis in op.axes]
    powers = all(n & (n - 1) == 0 for axis in denominators for n in axis)
    return powers and prod(max(axis, default=1) for axis in denominators) < 2**30


def write(
    folder: Path, samples: Sequence[Sample], texts: Sequence[CText], dtype: str = "float64"
) -> None:
    """The kernels, ``program.c`` and ``numbers``; each text was emitted under a name of its own.

    Fast functions are allowed their bound in ``dtype``.
    """
    names = [next(file[:-2] for file in text.files if file.endswith(".c")) for text in texts]
    for text in texts:
        for file, lines in text.files.items():
            (folder / file).write_text(lines)
    parts = [_kernel(*each) for each in zip(names, samples, texts, strict=True)]
    runs = "\n".join(f"    wrong += run_{name}();" for name in names)
    reads = "\n".join(f"    read_{name}();" for name in names)
    included = "".join(f'#include "{name}.c"\n' for name in names)
    whole = (
        f"static void read_all(void)\n{{\n{reads}\n}}\n"
        f"static long run_all(void)\n{{\n    long wrong = 0;\n{runs}\n    return wrong;\n}}\n"
    )
    (folder / "program.c").write_text("".join([included, HARNESS.read_text(), *parts, whole]))
    arrays = [
        array.ravel()
        for sample, text in zip(samples, texts, strict=True)
        for array in (
            *sample.inputs.values(),
            *sample.answers.values(),
            *_allowed(sample, text, dtype).values(),
        )
    ]
    np.concatenate(arrays).tofile(folder / "numbers")


def _allowed(sample: Sample, text: CText, dtype: str) -> dict[str, Array]:
    """How far the numbers of each fast function may be off."""
    bound, found = bound_of(sample.op, text.fast), {}
    for direction in text.fast:
        taken = "xwb" if direction == "forward" else "gw"
        inputs = [sample.inputs[name] for name in taken if name in sample.inputs]
        found[direction] = bound(direction, inputs, dtype)
    return found


def _kernel(name: str, sample: Sample, text: CText) -> str:
    """The functions that read and run one kernel."""
    reads = [f"    of_{name}_{a} = inputs({v.size});" for a, v in sample.inputs.items()]
    reads += [f"    of_{name}_{a} = answers({v.size});" for a, v in sample.answers.items()]
    declared = [f"static SCALAR *of_{name}_{a};" for a in sample.inputs]
    reads += [f"    off_{name}_{a} = answers({sample.answers[a].size});" for a in text.fast]
    declared += [f"static double *of_{name}_{a}, *off_{name}_{a};" for a in sample.answers]
    lines = [line for a in sample.answers for line in _calls(name, a, sample, text)]
    return "\n".join(
        [
            "",
            *declared,
            f"static void read_{name}(void)\n{{",
            *reads,
            f"}}\nstatic long run_{name}(void)\n{{\n    long wrong = 0;",
            *lines,
            "    return wrong;\n}\n",
        ]
    )


def _calls(name: str, direction: str, sample: Sample, text: CText) -> Iterator[str]:
    """One function called as its header asks, the weight folded and packed where it must be."""
    batch, size = len(sample.inputs["x"]), sample.answers[direction].size
    made: list[str] = []

    def room(numbers: int, alignment: int = 0) -> str:
        made.append(f"r{len(made)}")
        return f"        SCALAR *{made[-1]} = room({numbers} * sizeof(SCALAR), {alignment});"

    yield "    {"
    yield room(size)
    result = given = made[-1]
    arrays = [f"of_{name}_{'g' if direction == 'input_gradient' else 'x'}"]
    packed = text.takes.packed.get(direction, 0)
    folded = 0 if direction in text.takes.unfolded else text.takes.folded
    if direction == "weight_gradient":
        arrays.append(f"of_{name}_g")
        if folded:
            yield room(folded)
            given = made[-1]
        unpacked = given
        if packed:
            yield room(batch * text.takes.packed_sample, LINE)
            which = "xy".index(text.takes.packs)
            yield f"        {name}_pack_gradient({batch}, {arrays[which]}, {made[-1]});"
            arrays[which] = made[-1]
            yield room(packed, LINE)
            given = made[-1]
    elif direction == "bias_gradient":
        arrays = [f"of_{name}_g"]
    elif sample.op.learned:
        weight = f"of_{name}_w"
        for prepare, numbers, alignment in (
            ("fold", folded, 0),
            (f"pack_{direction}", packed, LINE),
        ):
            if numbers:
                yield room(numbers, alignment)
                yield f"        {name}_{prepare}({weight}, {made[-1]});"
                weight = made[-1]
        arrays.append(weight)
        if direction == "forward":
            arrays.append(f"of_{name}_b" if "b" in sample.inputs else "NULL")
    scratch = ""
    if numbers := text.takes.scratch.get(direction, 0):
        yield room(numbers, LINE)
        scratch = f", {made[-1]}, 1"
    yield f"        {name}_{direction}({batch}, {', '.join(arrays)}, {given}{scratch});"
    if direction == "weight_gradient" and packed:
        yield f"        {name}_unpack_gradient({given}, {unpacked});"
    if direction == "weight_gradient" and folded:
        yield f"        {name}_unfold({unpacked}, {result});"
    function = f"{name}_{direction}"
    yield (
        f'        wrong += differs("{function}", {result}, of_{function}, off_{function}, {size});'
    )
    yield from (f"        free({each});" for each in made)
    yield "    }"


def arguments(command: Sequence[str], dtype: str, flags: Sequence[str], out: str) -> list[str]:
    """The command line that makes the program of a folder, run inside it."""
    words = ["-std=c11", "-Wno-unknown-pragmas", "-Wno-psabi", f"-DSCALAR={SCALARS[dtype]}"]
    return [*command, *words, *flags, "program.c", "-o", out, "-lpthread"]


def run(
    folder: Path,
    command: Sequence[str],
    dtype: str,
    flags: Sequence[str],
    emulator: Sequence[str] = (),
) -> subprocess.CompletedProcess[str]:
    """Compile the program of a folder and run it: 0 when every number is right."""
    subprocess.run(arguments(command, dtype, flags, "program"), cwd=folder, check=True)
    return subprocess.run(
        [*emulator, "./program", "numbers"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
