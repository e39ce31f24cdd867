"""Plans of loads and shuffles, carried out on numbers that are their own positions."""

from __future__ import annotations

import pytest

from codegen.cpu.shuffles import ANY, ZERO, Lanes, Load, Plan
from tests.cases import generator


def carried_out(plan: Plan) -> list[Lanes]:
    """What the vectors of a plan hold, from its steps alone; loads must lie in the row."""
    held = [*plan.given]
    for step in plan.steps:
        if isinstance(step, Load):
            assert plan.row[0] <= step.at <= plan.row[1] - step.lanes
            held.append(tuple(range(step.at, step.at + step.lanes)))
        else:
            first = held[step.a]
            second = (ZERO,) * len(first) if step.b is None else held[step.b]
            both = (*first, *second)
            held.append(tuple(both[lane] for lane in step.lanes))
    return held


@pytest.mark.parametrize("lanes", [2, 4, 8, 16])
def test_a_vector_holds_what_is_wanted(lanes: int) -> None:
    """Rows shorter and longer than a vector, any order of numbers, with and without a grid."""
    for case in range(80):
        rng = generator(81, lanes, case)
        row = (0, int(rng.integers(2, 4 * lanes)))
        plan = Plan(lanes, row=row, grid=None if case % 2 else int(rng.integers(row[1])))
        for _ in range(4):
            first, step = rng.integers(row[1]), rng.integers(-1, 4)
            line = [int(first + step * lane) for lane in range(lanes)]
            wanted: Lanes = tuple(
                ANY if rng.random() < 0.1 else x if x in range(*row) else ZERO for x in line
            )
            if case % 3 == 0:
                wanted = tuple(int(x) for x in rng.integers(ZERO, row[1], lanes))
            if {*wanted} <= {ANY, ZERO}:
                continue
            place = plan.vector(wanted)
            found = carried_out(plan)[place]
            assert all(w is ANY or w == f for w, f in zip(wanted, found, strict=True))


def test_what_is_there_is_not_made_again() -> None:
    plan = Plan(4, row=(0, 20), grid=0)
    even, odd = plan.vector((0, 2, 4, 6)), plan.vector((1, 3, 5, 7))
    assert sum(isinstance(step, Load) for step in plan.steps) == 2
    assert plan.vector((0, 2, 4, ANY)) == even
    shifted = plan.vector((ZERO, 1, 3, 5))  # one shuffle of what is there
    assert (odd, shifted, len(plan.steps)) == (3, 4, 5)


def test_accumulators_in_another_order() -> None:
    plan = Plan(4, given=[(0, 3, 6, 9), (1, 4, 7, 10), (2, 5, 8, 11)])
    places = [plan.vector(tuple(range(y, y + 4))) for y in (0, 4, 8)]
    held = carried_out(plan)
    assert [held[place] for place in places] == [(0, 1, 2, 3), (4, 5, 6, 7), (8, 9, 10, 11)]
