"""The endless comparison finds what is planted and says how to repeat it."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from codegen.emit import emit_numpy
from derive import Operator
from tests import fuzz


def test_a_few_are_right() -> None:
    done = CliRunner().invoke(fuzz.main, ["60", "--seed", "3"])
    assert (done.exit_code, done.output.count("python -m")) == (0, 0), done.output
    assert "60: 60 in NumPy" in done.output
    assert " 0 failures" in done.output


def test_a_fault_is_one_line_each(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_start(op: Operator, name: str) -> str:
        return emit_numpy(op, name).replace("x[...] = ", "x[...] = 1 + ")

    assert fuzz.job(4, range(8))[1] == []
    monkeypatch.setattr(fuzz, "emit_numpy", without_start)
    _, lines = fuzz.job(4, range(8))
    assert lines
    for line in lines:
        command, _, said = line.partition("  # ")
        number = int(command.removeprefix("python -m tests.fuzz 1 --seed 4 --first "))
        assert "input_gradient is not " in said
        assert line in fuzz.job(4, range(number, number + 1))[1]
