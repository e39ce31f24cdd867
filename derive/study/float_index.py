"""Where float32 arithmetic makes torch pick another nearest pixel than the exact one."""

from __future__ import annotations

from derive.arguments import choice, integer
from derive.core.float_index import picks

EXACT = {  # source of output j, n positions made m
    "nearest": lambda j, n, m: j * n // m,
    "nearest-exact": lambda j, n, m: (2 * j + 1) * n // (2 * m),
}


def float_index_differences(n: int, m: int, mode: str = "nearest") -> tuple[int, ...]:
    """The outputs j of a resize from n to m positions for which torch picks another input.

    ``mode`` is nearest or nearest-exact. torch rounds n/m to float32 before it multiplies;
    ``Interpolate(..., index_arithmetic="float32")`` reproduces its picks.

    >>> float_index_differences(2, 82), float_index_differences(2, 82, "nearest-exact")
    ((41,), ())
    """
    choice("mode", mode, EXACT)
    n, m = integer("n", n, 1), integer("m", m, 1)
    found = picks(mode, n, m)
    return tuple(j for j, x in enumerate(found) if x != EXACT[mode](j, n, m))
