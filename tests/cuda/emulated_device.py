"""A device that the emulator plays: kernels of our programs on tensors of the host."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

import numpy as np

from codegen._runtime.arrays import Array
from codegen._runtime.cuda.device import Kernels
from codegen._runtime.cuda.program import Function, Program, Step
from derive import Operator
from tests.cuda.emulated import Emulation, compiled
from tests.cuda.exact import stored
from tests.cuda.fake import FakeDevice


@dataclass(eq=False, kw_only=True)
class EmulatedDevice(FakeDevice):
    """Runs the kernels of one operator; every launch knows where its arrays end."""

    op: Operator
    folder: Path
    emulation: Emulation | None = None
    launched: dict[str, tuple[Function, Step, int]] = field(default_factory=dict)

    def load(
        self, program: Program, check: Callable[[Kernels], None] | None = None
    ) -> Mapping[str, str]:
        halves = program.dtype == "bfloat16"
        self.emulation = compiled({program.name: program.source}, self.folder, bfloat16=halves)
        item = stored(np.zeros(1), program.dtype).itemsize
        for function in program.functions.values():
            for step in (*function.prepare, *function.steps):
                self.launched[step.kernel] = function, step, item
        return super().load(program, check)

    def launch(
        self,
        kernel: str,
        grid: int,
        threads: int,
        shared: int,
        stream: int,
        batch: int,
        addresses: Sequence[int],
    ) -> None:
        assert self.emulation is not None
        function, step, item = self.launched[kernel]
        assert (grid, threads, shared) == (step.grid(batch), step.threads, step.shared)
        arrays = [
            _bytes_at(address, self._size(name, function, batch, item)) if address else None
            for name, address in zip(step.arguments, addresses, strict=True)
        ]
        self.calls.append(("launch", kernel))
        self.emulation.launch(step, batch, arrays, seed=len(self.calls))

    def _size(self, name: str, function: Function, batch: int, item: int) -> int:
        """Bytes of an array or a room."""
        if name in function.rooms:
            return function.rooms[name].size(batch)
        shapes = {
            "x": (batch, *self.op.input_shape),
            "y": (batch, *self.op.output_shape),
            "weight": self.op.weight_shape or (),
            "bias": self.op.output_shape[:1],
        }
        return item * prod(shapes[name])


def _bytes_at(address: int, size: int) -> Array:
    return np.frombuffer((ctypes.c_char * size).from_address(address), np.uint8)
