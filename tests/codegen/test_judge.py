"""Which comparisons count."""

import numpy as np

from tests.codegen.judge import Answer, mistrusted, telling


def test_more_than_nine_zeros_in_ten_are_mistrusted() -> None:
    one = np.eye(1, 10, dtype=int)
    assert mistrusted(one)
    assert not mistrusted(np.eye(1, 9, dtype=int))
    assert mistrusted(np.zeros(3))
    assert mistrusted(np.zeros(0))
    assert not mistrusted(one, np.ones(1))


def test_an_answer_tells_in_each_of_its_parts() -> None:
    full, dead = np.ones(5), np.zeros(5)
    assert telling(Answer(full, full, full, full))
    for place in range(3):
        parts = [full, full, full, full]
        parts[place] = dead
        assert not telling(Answer(*parts))
