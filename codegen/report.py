"""The table that ends a generation: operator, sizes, cost, verdict."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from derive import Operator
from derive.catalogue import Entry

from ._runtime import CompileError, WrongKernelError
from ._runtime.record import SUFFIX
from .builder import build_sized, c_job, compile_libraries
from .exactness import integral, judged_in, mismatches
from .few_channels import WORDS, few_channels, is_large
from .prime_field import Identity, each_identity
from .targets.c import emit

Bar = Callable[[Iterable[Any], int, str], list[Any]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one operator's kernels: an empty tuple of faults is an exact kernel."""

    entry: Entry
    faults: dict[str, tuple[str, ...]]

    @property
    def exact(self) -> bool:
        return not any(self.faults.values())

    def words(self) -> str:
        right = "exact" if integral(self.entry.op) else "within rounding"
        return ", ".join(
            f"{target} {right if not wrong else 'WRONG: ' + ' '.join(wrong)}"
            for target, wrong in self.faults.items()
        )


@dataclass(frozen=True, slots=True)
class Checks:
    """All that was checked of a catalogue, and what could not be."""

    verdicts: tuple[Verdict, ...]
    identities: tuple[Identity, ...] | None  # None where there is no C++ compiler
    indices: tuple[Mapping[str, Any], ...]  # the claims of the records
    obstacles: tuple[str, ...]

    @property
    def right(self) -> bool:
        """Whether no check failed."""
        return not self.wrong()

    @property
    def complete(self) -> bool:
        """Whether no check was left out."""
        return not self.obstacles

    def wrong(self) -> dict[str, list[str]]:
        """operator -> its functions that are wrong, each with its target."""
        found: dict[str, list[str]] = {}
        for verdict in self.verdicts:
            faults = [f"{t} {each}" for t, some in verdict.faults.items() for each in some]
            found[verdict.entry.name] = faults
        for verdict, identity in zip(self.verdicts, self.identities or (), strict=False):
            found[verdict.entry.name] += [f"Z_p {each}" for each in identity.differs]
        for verdict, claim in zip(self.verdicts, self.indices, strict=True):
            found[verdict.entry.name] += claim["problems"]
        return {name: faults for name, faults in found.items() if faults}


def checked(entries: Sequence[Entry], files: Mapping[str, str], bar: Bar) -> Checks:
    """Make every check that the records in ``files`` claim; ``bar`` shows how far it is."""
    obstacles, found = [], None
    try:
        kernels = [(e.name, e.op, emit(e.op, e.name)) for e in entries]
        found = bar(each_identity(kernels), len(entries), "Z_p    ")
    except CompileError as error:
        obstacles.append(f"The identity test was not made: {error}")
    judged = {_judged(e): e.name for e in reversed(entries)}  # alike texts once
    cases = [Entry(name, op) for op, name in judged.items()][::-1]
    (obstacle,) = bar(map(prepare, [cases]), 1, "compile")
    if obstacle:
        obstacles.append(f"C kernels were not built: {obstacle}")
    targets = ("numpy",) if obstacle else ("numpy", "c")
    verdicts = bar(judge(cases, targets), len(cases), "compare")
    faults = {verdict.entry.op: verdict.faults for verdict in verdicts}
    claims = (json.loads(files[f"c/{e.name}{SUFFIX}"])["claims"]["indices"] for e in entries)
    same = None if found is None else tuple(found)
    verdicts = [Verdict(e, faults[_judged(e)]) for e in entries]
    return Checks(tuple(verdicts), same, tuple(claims), tuple(obstacles))


def _judged(entry: Entry) -> Operator:
    """The operator whose kernels are compared on integers for an entry."""
    return few_channels(entry.op) if is_large(entry.op) else entry.op


def prepare(entries: Sequence[Entry]) -> str | None:
    """Compile all C kernels side by side; what stands in the way, or None."""
    try:
        compile_libraries(
            [c_job(e.op, e.name, judged_in(e.op), emit(e.op, e.name))[0] for e in entries]
        )
    except WrongKernelError:
        return None  # the judge meets it again, and says which it is
    except CompileError as error:
        return str(error)
    return None


def judge(entries: Sequence[Entry], targets: Sequence[str]) -> Iterator[Verdict]:
    """Build each kernel for integers and compare it with its matrix."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(partial(_verdict, targets=targets), entries)


def _verdict(entry: Entry, targets: Sequence[str]) -> Verdict:
    faults = {}
    for target in targets:
        dtype = judged_in(entry.op)
        try:
            kernel = build_sized(entry.op, target, dtype, entry.name, portable=True)
            faults[target] = tuple(mismatches(kernel, entry.op))
        except WrongKernelError as error:
            faults[target] = error.functions
    return Verdict(entry, faults)


def summary(checks: Checks) -> str:
    """The table and what it adds up to."""
    safe = sum(not claim["problems"] for claim in checks.indices)
    accesses = sum(claim["accesses"] for claim in checks.indices)
    lines = [
        table(checks.verdicts),
        f"{safe} of {len(checks.indices)} C texts proven to stay in their arrays, "
        f"{accesses:,} accesses",
    ]
    if checks.identities:
        holds = sum(each.holds for each in checks.identities)
        lines.append(
            f"{holds} of {len(checks.identities)} C texts are their operator over Z_p, "
            f"p = 2**61 - 1; error probability of each {checks.identities[0].probability}"
        )
    exact = sum(verdict.exact for verdict in checks.verdicts)
    targets = " and ".join(checks.verdicts[0].faults)
    lines.append(f"{exact} of {len(checks.verdicts)} operators are their matrix in {targets}")
    if large := sum(is_large(verdict.entry.op) for verdict in checks.verdicts):
        lines.append(f"Z_p and matrix of {large} operators {WORDS}")
    return "\n".join(lines)


def table(verdicts: Sequence[Verdict]) -> str:
    """One line for each operator."""
    rows = [("operator", "sizes", "multiply-adds", "of naive", "verdict")]
    for verdict in verdicts:
        op = verdict.entry.op
        rows.append(
            (
                verdict.entry.name,
                f"{_shape(op.input_shape)} -> {_shape(op.output_shape)}",
                f"{op.macs:,}",
                f"{100 * op.macs // op.naive_macs} %",
                verdict.words(),
            )
        )
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    return "\n".join(
        f"{name:<{widths[0]}}  {sizes:<{widths[1]}}  {macs:>{widths[2]}}  {share:>{widths[3]}}  "
        f"{words}"
        for name, sizes, macs, share, words in rows
    )


def _shape(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))
