"""C lines that copy a row into scratch, its phases apart: vectors, de-interleaved by shuffles."""

from __future__ import annotations

from collections.abc import Iterator

from codegen.cpu.phase_rows import Line

MOST_PHASES = 4  # that shuffles take apart; more are copied number by number


def copied_row(line: Line, lanes: int) -> Iterator[str]:
    """From ``row`` to ``line``; types vector, loose and half (half as many lanes) are known."""
    common = min(line.places)
    if line.phases == 1 and lanes // 2 <= common < lanes:
        for u in sorted({0, common - lanes // 2}):
            yield f"*(half *)(line + {line.margin + u}) = *(const half *)(row + {u});"
        return
    done = 0
    if common >= lanes and line.phases <= MOST_PHASES:
        done = common
        whole = common - common % lanes
        yield f"for (ptrdiff_t u = 0; u < {whole}; u += {lanes}) {{"
        yield from _chunk(line, lanes, "u")
        yield "}"
        if whole < common:
            yield "{"
            yield from _chunk(line, lanes, str(common - lanes))
            yield "}"
    if done < common:
        yield f"for (ptrdiff_t u = 0; u < {common}; u++) {{"
        for phase in range(line.phases):
            yield f"    line[{_place(line, phase)} + u] = row[{line.phases}*u + {phase}];"
        yield "}"
    for phase, places in enumerate(line.places):
        for u in range(common, places):
            yield f"line[{_place(line, phase) + u}] = row[{line.phases * u + phase}];"


def _place(line: Line, phase: int) -> int:
    return line.pitch * phase + line.margin


def _chunk(line: Line, lanes: int, u: str) -> Iterator[str]:
    """A vector of places from u on of each phase."""
    count = line.phases
    for v in range(count):
        yield f"    const vector v{v} = *(const loose *)(row + {count}*{u} + {lanes * v});"
    for phase in range(count):
        yield f"    vector p{phase} = v0;"
        for v in range(1, count):
            places = []
            for lane in range(lanes):
                vector, at = divmod(count * lane + phase, lanes)
                if v == 1 and vector == 0:
                    places.append(at)
                else:
                    places.append(lanes + at if vector == v else lane)
            words = ", ".join(map(str, places))
            yield f"    p{phase} = __builtin_shufflevector(p{phase}, v{v}, {words});"
        yield f"    *(loose *)(line + {_place(line, phase)} + {u}) = p{phase};"
