from __future__ import annotations

import re
import time

import pytest

import derive
from derive.show.text import matrix_text, operator_text
from tests.cases import generator, random_layer
from tests.show import reading

CLASSIC = derive.Conv2d(1, 1, kernel_size=3, bias=False, input_size=(4, 4))
WIDE = """\
w00 w01 w02 .   w10 w11 w12 .   w20 w21 w22 .   .   .   .   .
.   w00 w01 w02 .   w10 w11 w12 .   w20 w21 w22 .   .   .   .
.   .   .   .   w00 w01 w02 .   w10 w11 w12 .   w20 w21 w22 .
.   .   .   .   .   w00 w01 w02 .   w10 w11 w12 .   w20 w21 w22"""
TALL = """\
w00 .   .   .
w01 w00 .   .
w02 w01 .   .
.   w02 .   .
w10 .   w00 .
w11 w10 w01 w00
w12 w11 w02 w01
.   w12 .   w02
w20 .   w10 .
w21 w20 w11 w10
w22 w21 w12 w11
.   w22 .   w12
.   .   w20 .
.   .   w21 w20
.   .   w22 w21
.   .   .   w22"""


def test_the_classic_matrix_and_its_transpose() -> None:
    assert matrix_text(CLASSIC) == WIDE
    assert matrix_text(CLASSIC.T) == TALL
    assert matrix_text(derive.ConvTranspose2d(1, 1, 3, input_size=(2, 2))) == TALL


def test_the_classic_operator() -> None:
    indented = "\n".join(f"  {line}" for line in WIDE.splitlines())
    assert (
        operator_text(CLASSIC)
        == f"""\
Conv2d(1, 1, 3, bias=False, input_size=(4, 4))

axes 0 and 1
  relation       x = y + t
  ranges         0 <= y < 2, 0 <= t < 3, 0 <= x < 4
  symbols        kernel size k = 3, stride s = 1, dilation d = 1,
                 padding before p_0 = 0, padding after p_1 = 0, input dilation u = 1
  output size    n_out = n_in - 2 = 2 for n_in = 4

shapes
  input          (1, 4, 4)
  output         (1, 2, 2)
  weight         (1, 1, 3, 3)
  bias           none

counts
  multiply-adds  36 (36 when every output visits every tap)
  overlap        9 taps at 4 outputs

matrix, 4 x 16, 36 nonzeros
{indented}"""
    )


def test_each_axis_that_differs_has_its_own_section_and_steps() -> None:
    op = derive.ConvTranspose2d(2, 3, 3, stride=(1, 2), output_padding=(0, 1))
    words = operator_text(op, steps=True)
    assert "\naxis 0\n" in words
    assert "n_out = n_in + 2\n" in words
    assert "\naxis 1\n" in words
    assert "n_out = 2*n_in + 2\n" in words
    assert words.count("5. transposing exchanges input and output:") == 2
    assert "matrix" not in words


def test_a_chain_shows_its_parts() -> None:
    smooth = derive.Conv1d(1, 1, 2, bias=False, input_size=3)
    words = operator_text(smooth.T @ smooth)
    assert "axis 0 of part 0, Conv1d(1, 1, 2, bias=False, input_size=3).T\n" in words
    assert words.endswith("""\
matrix, 3 x 3, 7 nonzeros
  w_0[0]*w_1[0] w_0[0]*w_1[1]               .
  w_0[1]*w_1[0] w_0[0]*w_1[0]+w_0[1]*w_1[1] w_0[0]*w_1[1]
  .             w_0[1]*w_1[0]               w_0[1]*w_1[1]""")


def test_what_learns_nothing_has_no_weight_and_no_symbols() -> None:
    words = operator_text(reading.UP, steps=True)
    assert "  weight         none\n" in words
    assert "symbols" not in words
    assert "n_out = 2*n_in = 4 for n_in = 2\n" in words
    assert "  output size    n_out = 2 for n_in = 4\n" in operator_text(reading.UP.T)


def test_a_chain_whose_size_is_free() -> None:
    words = operator_text(derive.Conv1d(1, 1, 3) @ derive.Conv1d(1, 1, 3, stride=2))
    assert "axis 0 of part 1, Conv1d(1, 1, 3, stride=2)\n" in words
    assert words.endswith("weight 1       (1, 1, 3)\n  bias 1         (1,)")


def test_names_are_unmistakable() -> None:
    assert matrix_text(derive.Conv1d(1, 1, 12, input_size=12)).split()[-1] == "w11"
    assert matrix_text(derive.Conv2d(1, 1, (1, 11), input_size=(1, 11))).split()[-1] == "w[0,10]"
    depthwise = derive.Conv1d(2, 2, 1, groups=2, input_size=1)
    assert matrix_text(depthwise) == "w[0,0,0] .\n.        w[1,0,0]"
    transposed = derive.ConvTranspose1d(2, 1, 1, input_size=1)
    assert matrix_text(transposed) == "w[0,0,0] w[1,0,0]"


@pytest.mark.parametrize("seed", range(40))
def test_every_entry_is_the_one_of_the_matrix(seed: int) -> None:
    _compare(reading.small(random_layer(generator(62, seed))))


def test_every_entry_of_a_resize_and_of_a_fused_chain_is_the_one_of_the_matrix() -> None:
    _compare(reading.FUSED)
    assert matrix_text(reading.UP).splitlines()[1].split() == ["3/4", "1/4", ".", "."]


def _compare(operators: list[derive.LinearMap]) -> None:
    for each in operators:
        whole = matrix_text(each, reading.WHOLE, reading.WHOLE, reading.WHOLE)
        rows = [line.split() for line in whole.splitlines()]
        printed = [["." if "..." in entry else entry for entry in row] for row in rows]
        printed = [[re.sub(r"(?<![\w*)\]])w", "1*w", e) for e in row] for row in printed]
        weight = r"\*w_?(?P<part>(?<=_)\d+)?(?P<index>\[[\d,]+\]|\d+)"
        found = reading.entries(printed, each, weight, ".")
        dots = {(r, c) for r, row in enumerate(rows) for c, e in enumerate(row) if "..." in e}
        expected = reading.expected(each)
        assert dots <= expected.keys()
        assert found == {place: e for place, e in expected.items() if place not in dots}


def test_large_matrices_are_elided_to_a_terminal_and_never_built() -> None:
    begin = time.perf_counter()
    lines = matrix_text(derive.Conv2d(512, 512, 3, padding=1, input_size=(56, 56))).splitlines()
    assert time.perf_counter() - begin < 10
    assert len(lines) == 16
    assert max(map(len, lines)) <= 96
    assert lines[0].startswith("w[0,0,1,1] w[0,0,1,2] .")
    assert set(lines[8].split()) == {":"}
    assert lines[-1].endswith("w[511,511,1,0] w[511,511,1,1]")
    assert all(line.split()[4] == "..." for line in lines[:8])


@pytest.mark.parametrize("seed", range(20))
def test_lines_fit_a_terminal(seed: int) -> None:
    op = random_layer(generator(63, seed))
    for each in (op, op.T):
        sections = operator_text(each, steps=True).split("\n\n")
        assert max(len(line) for line in sections[-1].splitlines()) <= 98
