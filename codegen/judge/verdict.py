"""The two verdicts: a certificate, or a counterexample made as small as it can be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from derive import Operator

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """The function gave the operator's answer in every one of ``calls`` calls.

    ``exact`` says that every number was equal; else, where weights are fractions, all were within
    the rounding bound. ``sizes`` are the input sizes tried, ``runs`` the runs of outputs they hold,
    ``untried`` what the function refused and was not held to.
    """

    operator: Operator
    direction: str
    dtype: str
    arrays: str
    exact: bool
    calls: int
    sizes: tuple[Shape, ...]
    runs: int
    checks: tuple[str, ...]
    untried: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()

    @property
    def valid(self) -> bool:
        """True."""
        return True

    def __bool__(self) -> bool:
        return True

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        how = "equal in every number" if self.exact else "within the rounding bound"
        return (
            f"{self.direction} in {self.dtype} is that of {self.operator!r}: {how} in {self.calls} "
            f"calls at {len(self.sizes)} sizes, {self.runs} runs of outputs"
        )

    def __str__(self) -> str:
        return self.sentence

    def record(self) -> dict[str, Any]:
        """All of it in lists, numbers and strings, for JSON."""
        return {
            "valid": True,
            **_common(self),
            "exact": self.exact,
            "sizes": [list(size) for size in self.sizes],
            "runs": self.runs,
            "checks": list(self.checks),
            "untried": list(self.untried),
            "seeds": list(self.seeds),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterexample:
    """The function differs from the operator, and ``sentence`` says where or how.

    ``operator`` is the smallest one found at which it still differs, ``found_in`` the one at which
    it was noticed, after ``noticed`` of all ``calls``, and which the sentence speaks of:
    ``differing`` of its ``outputs`` were wrong.
    ``position`` is the first wrong one of the smallest, (sample, channel, *place), with the numbers
    ``expected`` and ``got`` there: None where the function gave no array to compare. ``inputs`` are
    the arrays that show it, by name.
    """

    operator: Operator
    found_in: Operator
    direction: str
    dtype: str
    arrays: str
    sentence: str
    batch: Shape
    noticed: int
    calls: int
    seed: int
    differing: int = 0
    outputs: int = 0
    position: Shape | None = None
    expected: float | None = None
    got: float | None = None
    inputs: dict[str, NDArray[Any]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def valid(self) -> bool:
        """False."""
        return False

    def __bool__(self) -> bool:
        return False

    def __str__(self) -> str:
        where = f"smallest: {self.operator!r}, batch {self.batch}"
        if self.position is not None:
            where += f", at {self.position} expected {self.expected:g}, got {self.got:g}"
        return f"{self.sentence}; {where}"

    def record(self) -> dict[str, Any]:
        """All of it in lists, numbers and strings, for JSON; not finite numbers as text."""
        return {
            "valid": False,
            **_common(self),
            "sentence": self.sentence,
            "found_in": repr(self.found_in),
            "batch": list(self.batch),
            "noticed": self.noticed,
            "seed": self.seed,
            "differing": self.differing,
            "outputs": self.outputs,
            "position": None if self.position is None else list(self.position),
            "expected": self.expected,
            "got": self.got if self.got is None or abs(self.got) < 2.0**1023 else str(self.got),
        }


def _common(verdict: Certificate | Counterexample) -> dict[str, Any]:
    return {
        "operator": repr(verdict.operator),
        "direction": verdict.direction,
        "dtype": verdict.dtype,
        "arrays": verdict.arrays,
        "calls": verdict.calls,
    }
