"""One function of a CUDA kernel: what it is to compute, and its text with the launches of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from codegen._runtime.cuda.program import Function, Room, Step

FOLDED = "folded"  # the room of the weight after folding: sum_t numbers


@dataclass(frozen=True, slots=True)
class CudaFunction:
    """The function ``{name}_{direction}`` as it is to be printed, y from x and weight.

    ``bias`` says whether a sum begins with bias[channel], where bias is not null; ``folded``
    whether the weight is the room FOLDED of sum_t numbers instead of the array.
    """

    name: str
    direction: str
    bias: bool = False
    folded: bool = False

    @property
    def prefix(self) -> str:
        """What each name of it in the text begins with."""
        return f"{self.name}_{self.direction}"

    @property
    def plain(self) -> str:
        """The kernel that does it all by tables; the host function has the prefix as its name."""
        return f"{self.prefix}_plain"

    @property
    def x(self) -> str:
        """The array that the pages call x."""
        return "y" if self.direction == "input_gradient" else "x"

    @property
    def y(self) -> str:
        """The array that the pages call y."""
        return "x" if self.direction == "input_gradient" else "y"

    @property
    def weight(self) -> str:
        """The array or room that holds the weight."""
        return FOLDED if self.folded else "weight"

    @property
    def weight_type(self) -> str:
        """The type of its numbers."""
        return "sum_t" if self.folded else "scalar"

    @property
    def page(self) -> dict[str, object]:
        """The names that every page knows."""
        return {"prefix": self.prefix, "weight_type": self.weight_type}


@dataclass(frozen=True, slots=True)
class CudaPart:
    """The text of one function and its launches.

    With ``border`` the text calls the device function ``{prefix}_gather`` for outputs of its own.
    """

    direction: str
    text: str
    steps: tuple[Step, ...]
    prepare: tuple[Step, ...] = ()
    rooms: Mapping[str, Room] = field(default_factory=dict)
    border: bool = False

    @property
    def function(self) -> Function:
        """What a program says of it."""
        return Function(self.steps, self.prepare, self.rooms)
