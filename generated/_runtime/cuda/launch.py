# Copied by `python -m codegen` from codegen/_runtime; edit it there.
"""A function of a loaded program: its rooms, its launches, its weight prepared or not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from ..errors import DeviceError
from ..weighted import Prepared
from .device import Device, Kernels, Memory
from .program import ARGUMENTS, Function, Program, Room, Step

ROOM = 256  # a room begins on a multiple of it
Allocate = Callable[[int], Memory]


@dataclass(frozen=True, eq=False)
class DeviceFunction:
    """One function of a program on one device. ``slow`` waits for each step and says which fails.

    It may be called by several threads at once; what they enqueue is theirs.
    """

    program: Program
    direction: str
    device: Device
    kernels: Kernels
    slow: bool = False

    @cached_property
    def function(self) -> Function:
        """Its launches."""
        return self.program.functions[self.direction]

    @cached_property
    def arguments(self) -> tuple[str, ...]:
        """The names of its arrays: inputs, then the output."""
        return ARGUMENTS[self.direction]

    @cached_property
    def held(self) -> tuple[str, ...]:
        """The arrays of a prepared weight: those of ``prepare`` that the steps read."""
        read = _names(self.function.steps)
        return tuple(n for n in ("weight", *self._rooms(self.function.prepare)) if n in read)

    def __call__(
        self,
        batch: int,
        addresses: Mapping[str, int],
        stream: int,
        allocate: Allocate,
        prepared: PreparedOnDevice | None = None,
    ) -> None:
        """Enqueue it. ``addresses`` are those of its arguments, 0 for no bias."""
        if prepared is None:
            self._run(self._whole, batch, addresses, stream, allocate)
        else:
            places = {**addresses, **prepared.places}
            self._run(self._rest, batch, places, stream, allocate)

    def prepare(self, weight: int, size: int, stream: int, allocate: Allocate) -> PreparedOnDevice:
        """A weight of so many bytes, ready in memory of its own."""
        rooms = self.function.rooms
        sizes = {name: size if name == "weight" else rooms[name].size(1) for name in self.held}
        offsets, total = _laid_out(sizes)
        memory = allocate(max(total, 1))
        places = {name: memory.address + offset for name, offset in offsets.items()}
        if "weight" in places:
            self.device.copy(places["weight"], weight, size, stream)
        given = {**places, "weight": weight}
        self._run(self._first, 1, given, stream, allocate)
        return PreparedOnDevice(self, memory, places, stream)

    @cached_property
    def _whole(self) -> _Launches:
        steps = (*self.function.prepare, *self.function.steps)
        return _Launches(steps, self._rooms(steps))

    @cached_property
    def _first(self) -> _Launches:
        rooms = self._rooms(self.function.prepare)
        return _Launches(self.function.prepare, _without(rooms, self.held))

    @cached_property
    def _rest(self) -> _Launches:
        return _Launches(self.function.steps, _without(self._rooms(self.function.steps), self.held))

    def _rooms(self, steps: Iterable[Step]) -> dict[str, Room]:
        """Those that steps use."""
        rooms = self.function.rooms
        return {name: rooms[name] for name in _names(steps) if name in rooms}

    def _run(
        self,
        launches: _Launches,
        batch: int,
        places: Mapping[str, int],
        stream: int,
        allocate: Allocate,
    ) -> None:
        """Enqueue launches in memory of their own, which later work of the stream may have."""
        if not launches.rooms:
            self._launch(launches.steps, batch, places, stream)
            return
        offsets, size = _laid_out({n: room.size(batch) for n, room in launches.rooms.items()})
        memory = allocate(max(size, 1))
        begin = memory.address
        inside = {name: begin + offset for name, offset in offsets.items()}
        try:
            self._launch(launches.steps, batch, {**places, **inside}, stream)
        finally:
            memory.release()

    def _launch(
        self, steps: Iterable[Step], batch: int, places: Mapping[str, int], stream: int
    ) -> None:
        launch, kernels = self.device.launch, self.kernels
        for step in steps:
            if not (grid := step.grid(batch)):
                continue
            given = [places[name] for name in step.arguments]
            try:
                kernel = kernels[step.kernel]
                launch(kernel, grid, step.threads, step.shared, stream, batch, given)
                if self.slow:
                    self.device.synchronise(stream)
            except DeviceError as error:
                raise DeviceError(f"{self._where(step)}: {error}") from None

    def _where(self, step: Step) -> str:
        """Which step failed, in words."""
        steps = self._whole.steps
        return f"{step.kernel}, step {steps.index(step) + 1} of {len(steps)} of {self.direction}"


@dataclass(frozen=True, slots=True)
class _Launches:
    steps: tuple[Step, ...]
    rooms: Mapping[str, Room]


@dataclass(frozen=True, eq=False)
class PreparedOnDevice(Prepared):
    """One in the memory of a GPU. It holds the numbers that the weight had then.

    It is ready for what its ``stream`` is given now.
    """

    function: DeviceFunction
    memory: Memory
    places: Mapping[str, int]
    stream: int


def _names(steps: Iterable[Step]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for step in steps for name in step.arguments))


def _without(rooms: Mapping[str, Room], names: Iterable[str]) -> dict[str, Room]:
    return {name: room for name, room in rooms.items() if name not in names}


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
