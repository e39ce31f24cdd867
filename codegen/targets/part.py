"""One function of a kernel: what it is called with, and its C text once it is printed."""

from __future__ import annotations

from dataclasses import dataclass

from codegen.nests import Loop

SERIAL_WORK = 1 << 17  # multiply-adds below which a parallel region costs more than it saves


@dataclass(frozen=True, slots=True)
class Function:
    """The function ``{name}_{direction}`` as it is to be printed.

    ``start`` is what a sum begins with, for an output channel in place of ``{}``; ``macs`` the
    multiply-adds of one sample.
    """

    name: str
    direction: str
    parameters: str
    start: str
    macs: int

    @property
    def page(self) -> dict[str, str]:
        """The names that every template knows."""
        return {"name": self.name, "direction": self.direction, "parameters": self.parameters}

    def parallel(self, loops: tuple[Loop, ...]) -> str:
        """The OpenMP line over these loops, for batches with work enough to share."""
        if not loops:
            return "    /* one pair of channels: nothing to share between threads */"
        return (
            f"#pragma omp parallel for collapse({len(loops)}) schedule(static) "
            f"if (batch > {self.serial_batch})"
        )

    @property
    def serial_batch(self) -> int:
        """The most samples that one thread computes sooner than several."""
        return SERIAL_WORK // max(1, self.macs)


@dataclass(frozen=True, slots=True)
class Part:
    """The text of one function, with what it takes: see ``_runtime.library.Takes``.

    ``vectors`` says that it uses the vector type of the kernel, ``plain`` that it takes the weight
    unfolded; ``note`` is what the header says of it.
    """

    direction: str
    text: str
    packed: int = 0
    packed_sample: int = 0
    packs: str = "y"
    scratch: int = 0
    vectors: bool = False
    plain: bool = False
    note: tuple[str, ...] = ()
