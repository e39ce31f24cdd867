"""What a thread reads of a row as lines of its page."""

from __future__ import annotations

from collections.abc import Iterator

from codegen.cuda.thread_row import Load, ThreadRow


def read_lines(row: ThreadRow, n: int, prefix: str, axis: int = 2) -> Iterator[str]:
    """Lines that fill v from a row ``from`` of ``n`` numbers, the thread's first at ``column``."""
    for load in row.loads:
        at = load.position - row.first
        if load.numbers == 1:
            yield f"v[{at}] = {_single(row, load, n, prefix, axis)};"
        else:
            yield from _vector(load, at, n, prefix)


def _column(position: int) -> str:
    sign = "+" if position >= 0 else "-"
    return f"column {sign} {abs(position)}" if position else "column"


def _single(row: ThreadRow, load: Load, n: int, prefix: str, axis: int) -> str:
    if row.padded and not load.inside:
        found = f"{prefix}_place_{axis}({_column(load.position)})"
        return f"inside && {found} >= 0 ? widen(from[{found}]) : (sum_t)0"
    return _number(load, n)


def _number(load: Load, n: int) -> str:
    return f"{_inside(load, n)} ? widen(from[{_column(load.position)}]) : (sum_t)0"


def _inside(load: Load, n: int) -> str:
    return "inside" if load.inside else f"inside && (unsigned)({_column(load.position)}) < {n}u"


def _vector(load: Load, at: int, n: int, prefix: str) -> Iterator[str]:
    """Where threads may be aligned a vector, else its numbers one by one."""
    vector, place = f"{prefix}_vector<{load.numbers}>", _column(load.position)
    yield "if (vectors) {"
    yield f"    {vector} read = {{}};"
    yield f"    if ({_inside(load, n)})"
    yield f"        read = *(const {vector} *)(from + {place});"
    for k in range(load.numbers):
        yield f"    v[{at + k}] = widen(read.at[{k}]);"
    yield "} else {"
    for k in range(load.numbers):
        one = Load(load.position + k, 1, load.inside)
        yield f"    v[{at + k}] = {_number(one, n)};"
    yield "}"
