"""The table that ends a generation: operator, sizes, cost, verdict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from derive.catalogue import Entry

from ._runtime import CompileError, WrongKernelError
from .build import build_sized, c_job, compile_libraries
from .exactness import integral, judged_in, mismatches
from .targets.c import emit


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


def judge(entries: Iterable[Entry], targets: Sequence[str]) -> Iterator[Verdict]:
    """Build each kernel for integers and compare it with its matrix."""
    for entry in entries:
        faults = {}
        for target in targets:
            dtype = judged_in(entry.op)
            try:
                kernel = build_sized(entry.op, target, dtype, entry.name, portable=True)
                faults[target] = tuple(mismatches(kernel, entry.op))
            except WrongKernelError as error:
                faults[target] = error.functions
        yield Verdict(entry, faults)


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
