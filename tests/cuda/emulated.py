"""CUDA texts on the host: compiled with the emulator, launched on arrays of known bounds."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from codegen._runtime.cuda.program import ARGUMENTS, MOST_BLOCKS, Program, Step
from codegen.cuda.device import Device, device_of

Array = NDArray[Any]

HERE = Path(__file__).parent
COMPILER = shutil.which("g++") or shutil.which("clang++")
COMMON = ("-std=c++17", "-fPIC", "-fno-strict-aliasing", "-w")
CHECKS = "alignment,bounds,shift,signed-integer-overflow,integer-divide-by-zero"
INSTRUMENTED = (  # calls of emulator.cpp at every access, a trap where something is undefined
    "-fsanitize=thread",
    f"-fsanitize={CHECKS}",
    "-fsanitize-undefined-trap-on-error",
)
LEVEL = "-O0"  # of texts: compiling takes longer than running
SLACK = 4096  # bytes around an array that belong to nobody
ALIGNED = 256  # where device memory begins
POISON = 0xFF  # NaN in every float type

needs_emulator = pytest.mark.skipif(COMPILER is None, reason="no C++ compiler: install g++")


class EmulationError(Exception):
    """What a kernel did that a GPU does not forgive."""


class _Given(ctypes.Structure):
    _fields_ = (("begin", ctypes.c_void_p), ("bytes", ctypes.c_ulonglong))


class _Launch(ctypes.Structure):
    _fields_ = (
        ("kernel", ctypes.c_void_p),
        ("batch", ctypes.c_longlong),
        ("pointers", ctypes.c_void_p * 8),
        ("arrays", _Given * 16),
        ("grid", ctypes.c_uint),
        ("threads", ctypes.c_uint),
        ("shared", ctypes.c_uint),
        ("watched", ctypes.c_uint),
        ("seconds", ctypes.c_uint),
        ("seed", ctypes.c_ulonglong),
    )


def on_device(array: Array, shift: int = 0) -> Array:
    """A copy so many numbers behind where device memory begins, nobody's bytes around it."""
    skipped = shift * array.itemsize
    placed: Array = unwritten(skipped + array.nbytes)[skipped:].view(array.dtype)
    placed = placed.reshape(array.shape)
    placed[...] = array
    return placed


def unwritten(count: int) -> NDArray[np.uint8]:
    """So many bytes of device memory that hold what nobody should read."""
    room = np.full(count + 2 * SLACK + ALIGNED, POISON, np.uint8)
    skipped = SLACK + -(room.ctypes.data + SLACK) % ALIGNED
    return room[skipped : skipped + count]


@dataclass(frozen=True)
class Emulation:
    """The kernels of some texts. ``watched``: races and unwritten shared memory are failures too;
    without it they show only where they change a result.
    """

    library: ctypes.CDLL
    watched: bool = True
    seconds: int = 60  # of the processor, for a launch

    def launch(
        self,
        step: Step,
        batch: int,
        arrays: Sequence[Array | None],
        *,
        seed: int = 0,
        most: int = MOST_BLOCKS,
    ) -> None:
        """One launch; arrays in the order of the kernel's pointers, None for null."""
        grid = step.grid(batch, most)
        if not grid:
            return
        kernel = ctypes.cast(self.library[step.kernel], ctypes.c_void_p)
        given = _Launch(kernel, batch, grid=grid, threads=step.threads, shared=step.shared)
        given.seed, given.watched, given.seconds = seed, self.watched, self.seconds
        for i, array in enumerate(arrays):
            if array is not None:
                given.pointers[i] = array.ctypes.data
                given.arrays[i] = _Given(array.ctypes.data, array.nbytes)
        function = self.library.emulated_launch
        function.restype = ctypes.c_char_p
        message = function(ctypes.byref(given))
        if message is not None:
            raise EmulationError(f"{step.kernel}: {message.decode()}")


@dataclass(frozen=True)
class Emulated:
    """The functions of a program on arrays in host memory."""

    program: Program
    emulation: Emulation
    device: Device = field(default_factory=Device)

    def __call__(
        self,
        direction: str,
        *arrays: Array | None,
        batch: int,
        seed: int = 0,
        most: int = MOST_BLOCKS,
        shift: int = 0,
    ) -> None:
        """The arrays of ``ARGUMENTS[direction]``, None for those it has not; writes the last.

        They begin ``shift`` numbers behind where memory does: callers hand in slices, too.
        """
        function = self.program.functions[direction]
        places: dict[str, Array | None] = {
            name: None if array is None else on_device(array, shift)
            for name, array in zip(ARGUMENTS[direction], arrays, strict=True)
        }
        places |= {name: unwritten(room.size(batch)) for name, room in function.rooms.items()}
        for step in (*function.prepare, *function.steps):
            self._check(step)
            given = [places[name] for name in step.arguments]
            self.emulation.launch(step, batch, given, seed=seed, most=most)
        self._compare_inputs(direction, arrays, places)
        written = arrays[-1]
        assert written is not None
        written[...] = places[ARGUMENTS[direction][-1]]

    def _check(self, step: Step) -> None:
        if step.shared > self.device.shared_bytes:
            raise EmulationError(f"{step.kernel}: {step.shared} bytes shared")
        bound = re.search(
            rf"__launch_bounds__\((\d+)[^)]*\)\s*{step.kernel}\(", self.program.source
        )
        if bound is None or int(bound[1]) < step.threads:
            raise EmulationError(f"{step.kernel}: {step.threads} threads beyond its launch bounds")

    @staticmethod
    def _compare_inputs(
        direction: str, arrays: Sequence[Array | None], places: Mapping[str, Array | None]
    ) -> None:
        for name, array in zip(ARGUMENTS[direction][:-1], arrays[:-1], strict=True):
            placed = places[name]
            if array is not None and placed is not None and array.tobytes() != placed.tobytes():
                raise EmulationError(f"{direction}: writes to {name}")


@cache
def _emulator() -> Path:
    """The emulator itself, compiled once."""
    made = Path(tempfile.mkdtemp(prefix="emulator-")) / "emulator.o"
    _compile("-O2", "-c", str(HERE / "emulator.cpp"), "-o", str(made))
    return made


def _compile(*words: str, folder: Path | None = None) -> None:
    assert COMPILER is not None
    done = subprocess.run(
        [COMPILER, *COMMON, *words], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise EmulationError(done.stderr)


def compiled(
    texts: Mapping[str, str], folder: Path, *, bfloat16: bool = False, watched: bool = True
) -> Emulation:
    """Texts by name in one library; ``bfloat16``: what a matrix product takes."""
    folder = Path(tempfile.mkdtemp(dir=folder))  # a library of a known name is loaded once only
    for name, text in texts.items():
        (folder / f"{name}.cpp").write_text(text)
    words = *INSTRUMENTED, LEVEL, f"-DHALVES_ARE_BFLOAT16={int(bfloat16)}"
    files = [f"{name}.cpp" for name in texts]
    _compile(*words, "-include", str(HERE / "emulator.h"), "-c", *files, folder=folder)
    objects = [f"{name}.o" for name in texts]
    library = folder / "emulated.so"
    _compile(
        "-shared", *objects, str(_emulator()), "-Wl,-Bsymbolic", "-o", str(library), folder=folder
    )
    return Emulation(ctypes.CDLL(str(library)), watched)


def together(texts: Iterable[tuple[str, str]]) -> str:
    """Texts by name as one, each in a namespace of its own: a compiler starts once for them."""
    return "".join(f"namespace of_{name} {{\n{text}\n}}\n" for name, text in texts)


def emulated(programs: Sequence[Program], folder: Path) -> list[Emulated]:
    """Programs of one dtype, compiled as one text."""
    text = together((program.name, program.source) for program in programs)
    bfloat16 = {program.dtype for program in programs} == {"bfloat16"}
    emulation = compiled({"whole": text}, folder, bfloat16=bfloat16)
    return [
        Emulated(program, emulation, device_of(int(program.architecture.removeprefix("sm_"))))
        for program in programs
    ]
