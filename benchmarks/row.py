"""What was measured of one case, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

OURS = "exactconv "  # then the algorithm


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured of a case: seconds (best, median) and error of everybody that took part.

    ``left_out`` says why the others did not.
    """

    name: str
    family: str
    flops: int
    peak: float  # FLOP/s of all threads
    seconds: dict[str, tuple[float, float]]
    errors: dict[str, float]
    left_out: dict[str, str] = field(default_factory=dict)

    def peers(self) -> list[str]:
        return [name for name in self.seconds if not name.startswith(OURS)]

    def ours(self) -> list[str]:
        return [name for name in self.seconds if name.startswith(OURS)]

    def fastest(self, names: Iterable[str], which: int = 0) -> str:
        """By the best time, or with 1 by the median."""
        return min(names, key=lambda name: self.seconds[name][which])

    def ratio(self, which: int = 0) -> float | None:
        """The fastest peer's time over our fastest; None where there is no peer."""
        theirs, mine = self.peers(), self.ours()
        if not theirs or not mine:
            return None
        pair = (self.fastest(names, which) for names in (theirs, mine))
        fastest, own = (self.seconds[name][which] for name in pair)
        return fastest / own

    def share(self, name: str) -> float:
        """Of the peak, by direct multiply-adds."""
        return self.flops / self.seconds[name][0] / self.peak
