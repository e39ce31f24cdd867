from __future__ import annotations

import re
import time

import pytest

import derive
from derive.core.notation import escaped
from derive.show.latex import matrix_latex, operator_latex
from tests.cases import generator, random_layer
from tests.show import reading

CLASSIC = derive.Conv2d(1, 1, kernel_size=3, bias=False, input_size=(4, 4))
WIDE = r"""
\left[\begin{array}{cccccccccccccccc}
w_{0,0} & w_{0,1} & w_{0,2} & 0 & w_{1,0} & w_{1,1} & w_{1,2} & 0 & w_{2,0} & w_{2,1} & w_{2,2} & 0 & 0 & 0 & 0 & 0 \\
0 & w_{0,0} & w_{0,1} & w_{0,2} & 0 & w_{1,0} & w_{1,1} & w_{1,2} & 0 & w_{2,0} & w_{2,1} & w_{2,2} & 0 & 0 & 0 & 0 \\
0 & 0 & 0 & 0 & w_{0,0} & w_{0,1} & w_{0,2} & 0 & w_{1,0} & w_{1,1} & w_{1,2} & 0 & w_{2,0} & w_{2,1} & w_{2,2} & 0 \\
0 & 0 & 0 & 0 & 0 & w_{0,0} & w_{0,1} & w_{0,2} & 0 & w_{1,0} & w_{1,1} & w_{1,2} & 0 & w_{2,0} & w_{2,1} & w_{2,2}
\end{array}\right]
""".strip()  # noqa: E501
TALL = r"""
\begin{bmatrix}
w_{0,0} & 0 & 0 & 0 \\
w_{0,1} & w_{0,0} & 0 & 0 \\
w_{0,2} & w_{0,1} & 0 & 0 \\
0 & w_{0,2} & 0 & 0 \\
w_{1,0} & 0 & w_{0,0} & 0 \\
w_{1,1} & w_{1,0} & w_{0,1} & w_{0,0} \\
w_{1,2} & w_{1,1} & w_{0,2} & w_{0,1} \\
0 & w_{1,2} & 0 & w_{0,2} \\
w_{2,0} & 0 & w_{1,0} & 0 \\
w_{2,1} & w_{2,0} & w_{1,1} & w_{1,0} \\
w_{2,2} & w_{2,1} & w_{1,2} & w_{1,1} \\
0 & w_{2,2} & 0 & w_{1,2} \\
0 & 0 & w_{2,0} & 0 \\
0 & 0 & w_{2,1} & w_{2,0} \\
0 & 0 & w_{2,2} & w_{2,1} \\
0 & 0 & 0 & w_{2,2}
\end{bmatrix}
""".strip()


def test_the_classic_matrix_and_its_transpose() -> None:
    assert matrix_latex(CLASSIC) == WIDE
    assert matrix_latex(CLASSIC.T) == TALL
    assert matrix_latex(derive.ConvTranspose2d(1, 1, 3, input_size=(2, 2))) == TALL


def test_the_classic_operator() -> None:
    assert operator_latex(CLASSIC) == CLASSIC.latex()
    assert CLASSIC.latex() == (
        r"""% Conv2d(1, 1, 3, bias=False, input_size=(4, 4))
\par\medskip\noindent\textbf{axes 0 and 1}\par\nopagebreak
\noindent\begin{tabular}{@{}p{0.2\linewidth}p{0.72\linewidth}@{}}
relation & \raggedright $x = y + t$ \tabularnewline
ranges & \raggedright $0 \leq y < 2$, $0 \leq t < 3$, $0 \leq x < 4$ \tabularnewline
symbols & \raggedright kernel size $k = 3$, stride $s = 1$, dilation $d = 1$, padding before $p_{0} = 0$, padding after $p_{1} = 0$, input dilation $u = 1$ \tabularnewline
output size & \raggedright $n_{\mathrm{out}} = n_{\mathrm{in}} - 2 = 2$ for $n_{\mathrm{in}} = 4$ \tabularnewline
\end{tabular}\par
\par\medskip\noindent\textbf{shapes}\par\nopagebreak
\noindent\begin{tabular}{@{}p{0.2\linewidth}p{0.72\linewidth}@{}}
input & \raggedright $(1, 4, 4)$ \tabularnewline
output & \raggedright $(1, 2, 2)$ \tabularnewline
weight & \raggedright $(1, 1, 3, 3)$ \tabularnewline
bias & \raggedright none \tabularnewline
\end{tabular}\par
\par\medskip\noindent\textbf{counts}\par\nopagebreak
\noindent\begin{tabular}{@{}p{0.2\linewidth}p{0.72\linewidth}@{}}
multiply-adds & \raggedright 36 (36 when every output visits every tap) \tabularnewline
overlap & \raggedright 9 taps at 4 outputs \tabularnewline
\end{tabular}\par
\par\medskip\noindent\textbf{matrix, 4 x 16, 36 nonzeros}\par\nopagebreak
{\footnotesize\setlength{\arraycolsep}{2pt}%
\begin{equation*}
"""  # noqa: E501
        + WIDE
        + "\n\\end{equation*}}"
    )
    assert CLASSIC._repr_latex_() == f"$\\displaystyle {WIDE}$"


def test_taps_that_coincide_at_a_border_add_up() -> None:
    reflect = derive.Conv1d(1, 1, 3, padding=1, padding_mode="reflect", input_size=3)
    assert _cells(matrix_latex(reflect)) == [
        ["w_{1}", "w_{0}+w_{2}", "0"],
        ["w_{0}", "w_{1}", "w_{2}"],
        ["0", "w_{0}+w_{2}", "w_{1}"],
    ]


def test_a_chain_has_polynomials_numbered_from_the_outermost() -> None:
    smooth = derive.Conv1d(1, 1, 2, input_size=3)
    assert _cells(matrix_latex(derive.Conv1d(1, 1, 2, input_size=2) @ smooth)) == [
        [
            "w^{(0)}_{0}w^{(1)}_{0}",
            "w^{(0)}_{0}w^{(1)}_{1}+w^{(0)}_{1}w^{(1)}_{0}",
            "w^{(0)}_{1}w^{(1)}_{1}",
        ]
    ]
    many = derive.Conv1d(5, 5, 1, input_size=1)
    assert _cells(matrix_latex(many.T @ many, 3, 3))[0][2] == (
        r"w^{(0)}_{0,0,0}w^{(1)}_{0,4,0}+\cdots+w^{(0)}_{4,0,0}w^{(1)}_{4,4,0}"
    )
    doubled = derive.Conv1d(1, 1, 1, padding=1, padding_mode="replicate", input_size=1)
    assert _cells(matrix_latex(doubled.T @ doubled)) == [["3w^{(0)}_{0}w^{(1)}_{0}"]]


@pytest.mark.parametrize("seed", range(40))
def test_every_entry_is_the_one_of_the_matrix(seed: int) -> None:
    _compare(reading.small(random_layer(generator(seed))))


def test_every_entry_of_a_resize_and_of_a_fused_chain_is_the_one_of_the_matrix() -> None:
    _compare(reading.FUSED)
    assert _cells(matrix_latex(reading.UP))[1] == [r"\tfrac{3}{4}", r"\tfrac{1}{4}", "0", "0"]
    assert "-" in matrix_latex(reading.CUBIC)


def _compare(operators: list[derive.LinearMap]) -> None:
    for each in operators:
        printed = _cells(matrix_latex(each, reading.WHOLE, reading.WHOLE, reading.WHOLE))
        weight = r"w(?:\^\{\((?P<part>\d)\)\})?_\{(?P<index>[\d,]+)\}"
        dots = {(r, c) for r, row in enumerate(printed) for c, e in enumerate(row) if "dots" in e}
        whole = [["0" if "dots" in e else e for e in row] for row in printed]
        found = reading.entries([[_plain(e) for e in row] for row in whole], each, weight, "0")
        expected = reading.expected(each)
        assert dots <= expected.keys()
        assert found == {place: e for place, e in expected.items() if place not in dots}


def _plain(cell: str) -> str:
    """Every term with its coefficient, so that a product sign may stand before each weight."""
    cell = re.sub(r"\\tfrac\{(\d+)\}\{(\d+)\}", r"(\1/\2)", cell)
    return re.sub(r"(?<![\w)}\]])w", "1w", cell)


@pytest.mark.parametrize("seed", range(40))
def test_environments_and_braces_balance(seed: int) -> None:
    layer = random_layer(generator(61, seed))
    free = type(layer)(**{**layer.parameters, "input_size": None} | _no_output_size(layer))
    for op in (layer, layer.T, layer.T @ layer, free, free.T):
        for steps in (False, True):
            _check(operator_latex(op, steps=steps))
        _check(op._repr_latex_())


def _no_output_size(layer: derive.Operator) -> dict[str, None]:
    return {"output_size": None} if "output_size" in layer.parameters else {}


def _check(source: str) -> None:
    depth, environments = 0, []
    lines = [line for line in source.splitlines() if not line.startswith("%")]
    body = "\n".join(lines)
    assert all(line.strip() for line in lines), "an empty line ends a paragraph, and a formula"
    for brace in re.findall(r"\\[{}]|[{}]", body):
        depth += {"{": 1, "}": -1}.get(brace, 0)
        assert depth >= 0
    assert depth == 0
    for kind, name in re.findall(r"\\(begin|end)\{(.*?)\}", body):
        if kind == "begin":
            environments.append(name)
        else:
            assert environments.pop() == name
    assert not environments
    assert len(re.findall(r"\\left\b", body)) == len(re.findall(r"\\right\b", body))
    assert body.count("$") % 2 == 0
    formulas = r"\$[^$]*\$|\\begin\{equation\*\}.*?\\end\{equation\*\}"
    words = re.sub(formulas, "", body, flags=re.DOTALL)
    assert not re.search(r"(?<!\\)[_^]", words), "a special character in words"
    assert not re.search(r"(?<!\\)[#%~]", body.replace("%\n\\begin", "\n\\begin"))
    for matrix in re.findall(r"\\begin\{(?:bmatrix|array)\}.*?\\end\{\w+\}", body, re.S):
        widths = {len(row) for row in _cells(matrix)}
        assert len(widths) == 1
        columns = re.match(r"\\begin\{array\}\{(c+)\}", matrix)
        assert widths == {len(columns[1])} if columns else max(widths) <= 10


def _cells(matrix: str) -> list[list[str]]:
    body = re.sub(r"\\(begin\{(bmatrix|array)\}(\{c+\})?|end\{\w+\}|left\[|right\])", "", matrix)
    return [[cell.strip() for cell in row.split("&")] for row in body.strip().split(r"\\")]


def test_large_matrices_are_elided_and_never_built() -> None:
    begin = time.perf_counter()
    op = derive.Conv2d(512, 512, 3, padding=1, input_size=(56, 56))
    cells = _cells(matrix_latex(op))
    assert time.perf_counter() - begin < 10
    assert len(cells) == 16
    assert cells[0][:3] == ["w_{0,0,1,1}", "w_{0,0,1,2}", "0"]
    assert cells[-1][-2:] == ["w_{511,511,1,0}", "w_{511,511,1,1}"]
    at = cells[0].index(r"\cdots")
    assert [row[at] for row in cells] == [r"\cdots"] * 8 + [r"\ddots"] + [r"\cdots"] * 7
    assert {*cells[8]} == {r"\vdots", r"\ddots"}
    assert len(matrix_latex(op.T @ op @ op)) < 10_000


def test_head_and_tail_are_those_of_the_whole() -> None:
    op = derive.Conv1d(2, 3, 3, padding=1, input_size=7)
    whole = _cells(matrix_latex(op, reading.WHOLE, reading.WHOLE, reading.WHOLE))
    assert (len(whole), len(whole[0])) == (21, 14)
    part = _cells(matrix_latex(op, 6, 5))
    assert part[:3] == [[*row[:2], r"\cdots", *row[-2:]] for row in whole[:3]]
    assert part[4:] == [[*row[:2], r"\cdots", *row[-2:]] for row in whole[-2:]]


def test_a_size_left_free_has_formulas_and_no_matrix() -> None:
    op = derive.ConvTranspose2d(1, 1, 3, stride=2, output_padding=(1, 0))
    source = op.latex()
    assert r"n_{\mathrm{out}} = 2 n_{\mathrm{in}} + 2" in source
    assert r"n_{\mathrm{out}} = 2 n_{\mathrm{in}} + 1" in source
    assert "bmatrix" not in source
    assert "array" not in source
    with pytest.raises(derive.GeometryError, match="input_size"):
        matrix_latex(op)


def test_relations_of_chains_and_of_resizes() -> None:
    near = r"$x \approx \frac{y + \frac{1}{2}}{2} - \frac{1}{2}$  (linear)"
    assert near in reading.UP.latex()
    assert r"$y \approx \frac{x + \frac{1}{2}}{2} - \frac{1}{2}$  (linear)" in reading.UP.T.latex()
    assert r"$x = y + t - 2$, then $x = 2 y + t$ " in reading.PADDED.latex()
    assert r"weight & \raggedright none" in reading.UP.latex()
    assert r"$n_{\mathrm{out}} = 2 n_{\mathrm{in}} + 1 = 5$ for " in reading.CURE.latex()
    assert r"$n_{\mathrm{out}} = 2$ for $n_{\mathrm{in}} = 5$" in reading.CURE.T.latex()
    for op in reading.FUSED:
        _check(operator_latex(op, steps=True))


def test_a_chain_whose_size_is_free() -> None:
    op = derive.Conv1d(1, 1, 3) @ derive.Conv1d(1, 1, 3, stride=2)
    _check(operator_latex(op, steps=True))
    assert op._repr_latex_().count(r"n_{\mathrm{out}} =") == 2


def test_special_characters_are_escaped() -> None:
    assert escaped(r"a_b {50%} #1 & x^2 ~ \n $") == (
        r"a\_b \{50\%\} \#1 \& x\textasciicircum{}2 \textasciitilde{} \textbackslash{}n \$"
    )
