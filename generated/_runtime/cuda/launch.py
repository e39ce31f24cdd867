# Copied by `python -m codegen` from codegen/_runtime; edit it there.
"""A function of a loaded program: its rooms, its launches, its weight prepared or not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import DeviceError
from ..weighted import Prepared
from .device import Device, Kernels, Memory
from .program import ARGUMENTS, Function, Program, Step

ROOM = 256  # a room begins on a multiple of it
Allocate = Callable[[int], Memory]


@dataclass(frozen=True, eq=False)
class DeviceFunction:
    """One function of a program on one device. ``slow`` waits for each step and says which fails.

    ``held`` are the arrays of a prepared weight: what its steps leave to the others.
    """

    program: Program
    direction: str
    device: Device
    kernels: Kernels
    slow: bool = False

    @property
    def function(self) -> Function:
        """Its launches."""
        return self.program.functions[self.direction]

    @property
    def arguments(self) -> tuple[str, ...]:
        """The names of its arrays: inputs, then the output."""
        return ARGUMENTS[self.direction]

    @property
    def held(self) -> tuple[str, ...]:
        """Of the arrays that preparing reads or makes, those that the steps read."""
        read = _names(self.function.steps)
        made = ["weight", *_names(self.function.prepare)]
        return tuple(name for name in dict.fromkeys(made) if name in read)

    def __call__(
        self,
        batch: int,
        addresses: Mapping[str, int],
        stream: int,
        allocate: Allocate,
        prepared: PreparedOnDevice | None = None,
    ) -> None:
        """Enqueue it. ``addresses`` are those of its arguments, 0 for no bias."""
        function = self.function
        steps = function.steps if prepared else (*function.prepare, *function.steps)
        places = dict(addresses)
        if prepared:
            places |= prepared.places
        offsets, size = self._offsets(steps, batch, places)
        memory = allocate(size) if size else None
        if memory is not None:
            places |= {name: memory.address + offset for name, offset in offsets.items()}
        try:
            self._launch(steps, batch, places, stream)
        finally:
            if memory is not None:
                memory.release()

    def prepare(
        self, weight: int, size: int, stream: int, allocate: Allocate
    ) -> tuple[Memory, Mapping[str, int]]:
        """The ``held`` arrays of a weight of so many bytes, in new memory, and where they begin."""
        kept = {name: size if name == "weight" else self._size(name, 1) for name in self.held}
        offsets, total = _laid_out(kept)
        memory = allocate(max(total, 1))
        places = {name: memory.address + offset for name, offset in offsets.items()}
        if "weight" in places:
            self.device.copy(places["weight"], weight, size, stream)
        given = {"weight": weight, **{n: p for n, p in places.items() if n != "weight"}}
        others, rest = self._offsets(self.function.prepare, 1, given)
        passing = allocate(rest) if rest else None
        if passing is not None:
            given |= {name: passing.address + offset for name, offset in others.items()}
        self._launch(self.function.prepare, 1, given, stream)
        if passing is not None:
            passing.release()
        return memory, places

    def _size(self, name: str, batch: int) -> int:
        return self.function.rooms[name].size(batch)

    def _offsets(
        self, steps: Iterable[Step], batch: int, known: Mapping[str, int]
    ) -> tuple[dict[str, int], int]:
        """Where the rooms of some steps begin in one piece of memory, and how much it is."""
        names = [name for name in _names(steps) if name not in known]
        return _laid_out({name: self._size(name, batch) for name in names})

    def _launch(
        self, steps: Iterable[Step], batch: int, places: Mapping[str, int], stream: int
    ) -> None:
        launch, kernels = self.device.launch, self.kernels
        for step in steps:
            grid = step.grid(batch)
            if not grid:
                continue
            given = [places[name] for name in step.arguments]
            kernel = kernels[step.kernel]
            try:
                launch(kernel, grid, step.threads, step.shared, stream, batch, given)
                if self.slow:
                    self.device.synchronise(stream)
            except DeviceError as error:
                raise DeviceError(f"{self._where(step)}: {error}") from None

    def _where(self, step: Step) -> str:
        """Which step failed, in words."""
        steps = (*self.function.prepare, *self.function.steps)
        return f"{step.kernel}, step {steps.index(step) + 1} of {len(steps)} of {self.direction}"


@dataclass(frozen=True, eq=False)
class PreparedOnDevice(Prepared):
    """One in the memory of a GPU. It holds the numbers that the weight had then."""

    function: DeviceFunction
    memory: Any  # holds them
    places: Mapping[str, int]
    stream: int  # they are ready for what it is given now


def _names(steps: Iterable[Step]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for step in steps for name in step.arguments))


def _laid_out(sizes: Mapping[str, int]) -> tuple[dict[str, int], int]:
    """Where pieces begin, one after the other on multiples of ``ROOM``, and the whole size.

    >>> _laid_out({"a": 4, "b": 600})
    ({'a': 0, 'b': 256}, 1024)
    """
    offsets, end = {}, 0
    for name, size in sizes.items():
        offsets[name] = end
        end += -(-size // ROOM) * ROOM
    return offsets, end
