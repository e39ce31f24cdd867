# Copied by `python -m codegen` from codegen/_runtime; edit it there.
"""What a CUDA text holds: its kernels, and the launches that make up each function.

The same data prints the host functions in the text, launches a loaded cubin, and tells an emulator
what to run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ITEMSIZE = {"float32": 4, "float64": 8, "float16": 2, "bfloat16": 2}  # bytes of a number
UNASKED_SHARED = 48 << 10  # bytes of shared memory that a block gets without being asked for more
MOST_BLOCKS = 1 << 20  # of a grid; kernels go on in strides of it
ARGUMENTS = {  # of each function: what it reads, then what it writes; bias may be null
    "forward": ("x", "weight", "bias", "y"),
    "input_gradient": ("y", "weight", "x"),
    "weight_gradient": ("x", "y", "weight"),
    "bias_gradient": ("y", "bias"),
}
PREPARED = "prepared"  # the room of a weight that is ready for the steps


def sum_itemsize(dtype: str) -> int:
    """Bytes of the numbers that sums of a dtype are made in: halves are added in float32.

    >>> sum_itemsize("float16"), sum_itemsize("float64")
    (4, 8)
    """
    return max(ITEMSIZE["float32"], ITEMSIZE[dtype])


@dataclass(frozen=True)
class Step:
    """One launch: ``kernel<<<grid, threads, shared>>>(batch, *arguments)``.

    ``arguments`` name arrays of the function or rooms. ``blocks`` are those of ``samples``
    samples, or of any batch where ``samples`` is 0; the kernel takes block, block + grid, ... of
    all of them, so that any grid serves. ``shared`` counts bytes.

    >>> Step("k", ("x", "y"), threads=64, blocks=10, samples=4).grid(9)
    30
    """

    kernel: str
    arguments: tuple[str, ...]
    threads: int
    blocks: int
    samples: int = 1
    shared: int = 0

    def grid(self, batch: int, most: int = MOST_BLOCKS) -> int:
        """The blocks to launch for a batch, at most so many; 0: nothing is to be done."""
        sets = -(-batch // self.samples) if self.samples else 1
        return min(self.blocks * sets, most)


@dataclass(frozen=True)
class Room:
    """Device memory that only the steps use: ``fixed`` + ``per_sample`` * batch bytes.

    It begins on a multiple of 256 bytes and holds anything at first, then numbers of ``type``, a
    type of the text.
    """

    fixed: int = 0
    per_sample: int = 0
    type: str = "sum_t"

    def size(self, batch: int) -> int:
        """Bytes for a batch."""
        return self.fixed + self.per_sample * batch


@dataclass(frozen=True)
class Function:
    """One of the four functions: its launches, one after the other on one stream.

    ``prepare`` (weight -> prepared) depends on the weight alone: its result may be kept. A batch
    of 0 runs the same steps; ``y`` and ``x`` are then empty, and gradients are zeros.
    """

    steps: tuple[Step, ...]
    prepare: tuple[Step, ...] = ()
    rooms: Mapping[str, Room] = field(default_factory=dict)


@dataclass(frozen=True)
class Program:
    """A CUDA text of one operator and dtype, and its functions by direction.

    ``architecture`` is the least it runs on, such as "sm_75"; it is tuned for one like it.
    """

    name: str
    dtype: str
    source: str
    functions: Mapping[str, Function]
    architecture: str = "sm_75"


def read_text(face: str) -> str:
    """The CUDA text beside a kernel's Python face."""
    return Path(face).with_suffix(".cu").read_text(encoding="utf-8")
