"""Figures: as many shapes and words as the operator has of what they show, and the same bytes."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from fractions import Fraction
from io import BytesIO
from itertools import product
from math import prod
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import derive
from derive import figures
from derive.command_line import FIGURES, main
from derive.show.facts import counted
from derive.show.figures.by_phase import classified, phases_of, small_kernels
from derive.show.figures.drawing import COLUMN, FONT, FORMATS, Drawing
from tests.cases import generator, random_layer

CLASSIC = derive.Conv2d(1, 1, 3, bias=False, input_size=(4, 4))
STRIDED = derive.ConvTranspose2d(1, 1, 3, stride=2, bias=False, input_size=(3, 3))
NEAREST = derive.Conv2d(1, 1, 3, padding=1, input_size=(8, 8)) @ derive.Interpolate(
    1, (4, 4), scale_factor=2
)
BILINEAR = derive.Interpolate(1, (4, 4), scale_factor=2, mode="bilinear")
REFLECT = derive.Conv1d(1, 1, 3, padding=1, padding_mode="reflect", input_size=9)
DEAD = derive.ConvTranspose1d(1, 1, 5, stride=4, dilation=2, input_size=6)
CHANNELS = derive.Conv2d(4, 2, 3, stride=2, padding=1, groups=2, input_size=(5, 6))
EXAMPLES = [
    CLASSIC,
    CLASSIC.T,
    STRIDED,
    NEAREST,
    BILINEAR,
    REFLECT,
    DEAD,
    CHANNELS,
    CLASSIC.T @ CLASSIC,
]
NAMES = [name for name in figures.__all__ if name != "sliding"]  # which moves

each_example = pytest.mark.parametrize("op", EXAMPLES, ids=repr)
each_figure = pytest.mark.parametrize("name", NAMES)


def words(drawing: Drawing, label: str) -> list[str]:
    return [text.get_text() for text in drawing.texts_of(label)]


def centres(drawing: Drawing, label: str) -> list[tuple[float, float]]:
    """The middle of each shape that carries the label, in millimetres."""
    shapes = [c for c in drawing.page.collections if c.get_label() == label]
    boxes = [path.get_extents() for shape in shapes for path in shape.get_paths()]
    return [((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2) for box in boxes]


def svg(drawing: Drawing) -> bytes:
    file = BytesIO()
    drawing.savefig(file, format="svg")
    return file.getvalue()


def draws(name: str, op: derive.LinearMap) -> Drawing:
    return getattr(figures, name)(op)


# --- what they show --------------------------------------------------------------------------


@each_example
def test_overlap_has_a_cell_of_its_colour_for_every_output(op: derive.LinearMap) -> None:
    drawing, expected = figures.overlap(op), op.overlap()
    for count, positions in Counter(map(int, expected.ravel())).items():
        assert drawing.paths_of(counted(count, "tap")) == positions
    found = words(drawing, "count")
    assert Counter(map(int, found)) in ({}, Counter(map(int, expected.ravel())))
    keys = [f"{n} at {counted(c, 'output')}" for n, c in Counter(expected.ravel().tolist()).items()]
    assert sorted(words(drawing, "key")) == sorted(keys)


def test_overlap_of_the_classic_examples_counts_in_place() -> None:
    for op in (CLASSIC.T, STRIDED):
        drawing = figures.overlap(op)
        texts = sorted(drawing.texts_of("count"), key=lambda text: text.get_position()[::-1])
        assert [int(text.get_text()) for text in texts] == op.overlap().ravel().tolist()


@each_example
def test_structure_has_a_square_for_every_nonzero_twice(op: derive.LinearMap) -> None:
    drawing = figures.structure(op)
    step, advance = (prod(getattr(a, n) for a in op.axes) for n in ("step", "advance"))
    side = op if step >= advance else op.T
    numbers, whole = classified(side.axes)
    of_row = Counter(dict(enumerate(np.diff(side.sparse(*_ones(side)).indptr).tolist())))
    expected: Counter[str] = Counter()
    for row, entries in of_row.items():
        place = row % numbers.size
        kind = "" if whole.flat[place] else "border of "
        expected[f"{kind}phase {numbers.flat[place]}"] += 2 * entries
    found = {label: drawing.paths_of(label) for label in expected}
    assert found == dict(expected)
    assert sum(found.values()) == 2 * op.nnz
    titles = [f"{a} x {b}" for a, b in _both(prod(op.output_shape), prod(op.input_shape))]
    assert [title.partition("  ")[2] for title in words(drawing, "title")] == titles


def _both(a: int, b: int) -> tuple[tuple[int, int], tuple[int, int]]:
    return (a, b), (b, a)


def _ones(op: derive.LinearMap) -> tuple[object, ...]:
    if isinstance(op, derive.Composite):
        return (tuple(np.ones(shape) for shape in op.weight_shape),)
    return (np.ones(op.weight_shape),) if op.learned else ()


def test_structure_stands_as_the_matrix_and_its_transpose() -> None:
    squares = np.array(centres(figures.structure(CLASSIC), "phase 0"))
    rows, columns = CLASSIC.sparse(np.ones((1, 1, 3, 3))).nonzero()
    pitch = np.diff(np.unique(np.round(squares[:36, 0], 6))).min()
    for shown, expected in ((squares[:36], (columns, rows)), (squares[36:], (rows, columns))):
        places = np.round((shown - shown.min(0)) / pitch).astype(int)
        assert sorted(map(tuple, places)) == sorted(zip(*expected, strict=True))


@each_example
def test_ways_lead_where_the_operator_reads(op: derive.LinearMap) -> None:
    for position in product(*(sorted({0, n // 2, n - 1}) for n in op.output_size)):
        drawing = figures.many_to_one(op, position)
        expected = len(op.receptive_field(position))
        assert drawing.paths_of("way") == drawing.paths_of("many") == expected
        assert drawing.paths_of("one") == 1
        assert len(words(drawing, "weight")) <= expected
    for position in product(*(sorted({0, n // 2, n - 1}) for n in op.input_size)):
        expected = len(op.T.receptive_field(position))
        assert figures.one_to_many(op, position).paths_of("way") == expected


def test_the_classic_ways_carry_their_weights() -> None:
    names = [f"w{p}{q}" for p in range(3) for q in range(3)]
    assert words(figures.many_to_one(CLASSIC, (1, 1)), "weight") == names
    assert words(figures.one_to_many(CLASSIC.T, (1, 1)), "weight") == names
    assert words(figures.many_to_one(CLASSIC), "weight") == names  # the middle by default
    assert words(figures.many_to_one(REFLECT, 0), "weight") == ["w1", "w0+\nw2"]
    assert words(figures.many_to_one(CLASSIC, (1, 0)), "title") == ["input 4 x 4", "output 2 x 2"]


@each_example
def test_phases_have_a_small_kernel_each_and_every_output(op: derive.LinearMap) -> None:
    drawing, kernels = figures.phases(op), small_kernels(op.axes)
    numbers, whole = classified(op.axes)
    names = [k.name for k in kernels]
    assert words(drawing, "phase") == names
    for number, kernel in enumerate(kernels):
        assert len(words(drawing, f"weight of {kernel.name}")) == prod(kernel.shape)
        inside = int(((numbers == number) & whole).sum())
        assert drawing.paths_of(f"phase {number}") == inside
        assert drawing.paths_of(f"border of phase {number}") == (numbers == number).sum() - inside
    assert len(words(drawing, "dead")) == sum(not k.cells for k in kernels)


def test_the_stride_2_decomposition_is_the_known_one() -> None:
    drawing = figures.phases(STRIDED)
    assert {str(p): words(drawing, f"weight of {p}") for p in phases_of(STRIDED.axes)} == {
        "(0, 0)": ["w22", "w20", "w02", "w00"],
        "(0, 1)": ["w21", "w01"],
        "(1, 0)": ["w12", "w10"],
        "(1, 1)": ["w11"],
    }
    assert words(drawing, "tap") == [f"w{p}{q}" for p in range(3) for q in range(3)]
    uses = [drawing.paths_of(f"tap of {p}") for p in phases_of(STRIDED.axes)]
    assert uses == [4, 2, 2, 1]


def test_a_fused_chain_adds_weights_up() -> None:
    drawing = figures.phases(NEAREST)
    found = words(drawing, "weight of (1, 1)")
    assert found == ["w00+w01+\nw10+w11", "w02+w12", "w20+w21", "w22"]
    assert [drawing.paths_of(f"tap of {p}") for p in phases_of(NEAREST.axes)] == [9] * 4
    fixed = words(figures.phases(BILINEAR), "weight of (0, 0)")
    assert list(map(Fraction, fixed)) == [Fraction(n, 16) for n in (1, 3, 3, 9)]


@pytest.mark.parametrize("seed", range(40))
def test_every_output_is_in_one_phase_and_reads_what_its_small_kernel_says(seed: int) -> None:
    op = random_layer(generator(71, seed))
    for each in (op, op.T):
        numbers, whole = classified(each.axes)
        phases = phases_of(each.axes)
        for place in np.ndindex(each.output_size):
            steps = [axis.step for axis in each.axes]
            assert phases[numbers[place]] == tuple(y % s for y, s in zip(place, steps, strict=True))
        sizes = [
            np.array([len({x for x, _, _ in axis.row(y)}) for y in range(axis.n_out)])
            for axis in each.axes
        ]
        for number, phase in enumerate(phases):
            at = [range(r, a.n_out, a.step) for r, a in zip(phase, each.axes, strict=True)]
            most = [size[list(ys)].max() for size, ys in zip(sizes, at, strict=True)]
            for place in product(*at):
                full = all(s[y] == m for s, y, m in zip(sizes, place, most, strict=True))
                assert (numbers[place], whole[place]) == (number, full)


# --- how they look ---------------------------------------------------------------------------


def check_words(drawing: Drawing) -> None:
    """Every word is on the page, none is small, and none lies on another."""
    page, boxes = drawing.bbox, []
    for text in drawing.page.texts:
        assert text.get_fontsize() >= FONT >= 7
        if text.get_text():
            box = text.get_window_extent()
            assert page.x0 <= box.x0 < box.x1 <= page.x1, text.get_text()
            assert page.y0 <= box.y0 < box.y1 <= page.y1, text.get_text()
            boxes.append((text.get_text(), box))
    for i, (one, a) in enumerate(boxes):
        for other, b in boxes[i + 1 :]:
            apart = a.x1 <= b.x0 or b.x1 <= a.x0 or a.y1 <= b.y0 or b.y1 <= a.y0
            assert apart, (one, other)


@each_example
@each_figure
def test_a_column_wide_and_every_word_readable(name: str, op: derive.LinearMap) -> None:
    drawing = draws(name, op)
    width, height = drawing.get_size_inches()
    assert width * 25.4 == pytest.approx(COLUMN)
    assert height < 10
    check_words(drawing)


@pytest.mark.parametrize("n", [1, 2, 3, 30, 60])
@pytest.mark.parametrize("m", [1, 2, 3, 30, 60])
def test_titles_have_room_beside_narrow_matrices(n: int, m: int) -> None:
    check_words(figures.structure(derive.Conv1d(n, m, 1, input_size=1)))


@each_figure
def test_the_same_bytes_whatever_the_settings(name: str) -> None:
    import matplotlib as mpl

    first = svg(draws(name, STRIDED))
    with mpl.rc_context({"font.size": 20, "svg.hashsalt": "other", "axes.facecolor": "red"}):
        assert svg(draws(name, STRIDED)) == first
    assert ElementTree.fromstring(first).tag.endswith("svg")
    assert b"date" not in first
    assert draws(name, STRIDED)._repr_svg_().encode() == first


def test_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    code = (
        "import sys, derive; op = derive.ConvTranspose2d(1, 1, 3, stride=2, bias=False,"
        "input_size=(3, 3));"
        f"[derive.figures.phases(op).savefig('phases.' + f) for f in {FORMATS}];"
        "print('matplotlib' in sys.modules, 'matplotlib.pyplot' in sys.modules)"
    )
    for seed in ("1", "2"):
        folder = tmp_path / seed
        folder.mkdir()
        fresh = subprocess.run(
            [sys.executable, "-W", "error", "-c", code],
            cwd=folder,
            env={**os.environ, "PYTHONHASHSEED": seed, "MPLCONFIGDIR": str(tmp_path)},
            capture_output=True,
            text=True,
        )
        assert (fresh.stdout, fresh.stderr) == ("True False\n", "")
    for form in FORMATS:
        one, other = ((tmp_path / seed / f"phases.{form}").read_bytes() for seed in "12")
        assert one == other
    assert (tmp_path / "1" / "phases.svg").read_bytes() == svg(figures.phases(STRIDED))


# --- what is refused -------------------------------------------------------------------------


def test_without_matplotlib_the_remedy_is_named() -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None; import derive;"
        "from derive.command_line import main; derive.figures;"
        "main('conv2d --kernel-size 3 --input-size 4 --figure phases --out x.svg'.split())"
    )
    fresh = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    message = "error: figures need matplotlib: pip install exactconv[plots]\n"
    assert (fresh.returncode, fresh.stdout, fresh.stderr) == (2, "", message)


@pytest.mark.parametrize(
    ("name", "op", "message"),
    [
        (
            "overlap",
            derive.Conv3d(1, 1, 1, input_size=2),
            "input_size = .*: allowed is 1 or 2 axes",
        ),
        ("phases", derive.Conv3d(1, 1, 1, input_size=2), "input_size = .*: allowed is 1 or 2 axes"),
        ("overlap", derive.Conv1d(1, 1, 1, input_size=65), "allowed is at most 64 positions"),
        ("many_to_one", derive.Conv1d(1, 1, 2, input_size=65), "allowed is at most 64 positions"),
        ("structure", derive.Conv1d(64, 65, 1, input_size=1), "at most 4096 .*; here are 4160"),
        ("structure", derive.Conv1d(1, 1, 1, stride=10**6, input_size=10**6), "at most 4096"),
        (
            "phases",
            derive.ConvTranspose1d(1, 1, 1, stride=30, input_size=2),
            "has 30 cells of small kernels",
        ),
        ("phases", derive.Conv1d(1, 1, 40, input_size=40), "has 40 cells of small kernels"),
        ("structure", derive.Conv1d(1, 1, 1), "input_size = None"),
        ("many_to_one", derive.Conv1d(1, 1, 1), "input_size = None"),
        ("overlap", derive.Conv1d(1, 1, 1), "input_size = None"),
        ("phases", derive.Conv1d(1, 1, 1), "input_size = None"),
    ],
)
def test_what_no_page_holds_is_refused(name: str, op: derive.LinearMap, message: str) -> None:
    with pytest.raises(derive.GeometryError, match=message):
        draws(name, op)


def test_other_formats_and_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(derive.GeometryError, match="format = 'gif': allowed is one of svg, png"):
        figures.overlap(CLASSIC).savefig(tmp_path / "x.gif")
    assert not list(tmp_path.iterdir())
    with pytest.raises(AttributeError, match="no attribute 'pie'"):
        figures.pie  # noqa: B018
    assert set(NAMES) <= set(dir(figures))


# --- the command line ------------------------------------------------------------------------


@pytest.mark.parametrize("figure", [name for name in FIGURES if name != "sliding"])
def test_a_figure_from_the_command_line(figure: str, tmp_path: Path) -> None:
    out = tmp_path / "x.svg", tmp_path / "x.png"
    command = "conv-transpose2d --kernel-size 3 --stride 2 --no-bias --input-size 3 3 --figure"
    args = [*command.split(), figure, *(word for path in out for word in ("--out", str(path)))]
    result = CliRunner().invoke(main, args)
    assert (result.exit_code, result.stdout) == (0, f"wrote {out[0]}\nwrote {out[1]}\n")
    assert out[0].read_bytes() == svg(draws(figure.replace("-", "_"), STRIDED))
    assert out[1].read_bytes().startswith(b"\x89PNG")


def test_a_position_from_the_command_line(tmp_path: Path) -> None:
    out = tmp_path / "x.svg"
    command = f"conv2d --kernel-size 3 --input-size 4 4 --no-bias --out {out} --figure many-to-one"
    result = CliRunner().invoke(main, [*command.split(), "--position", "1", "0"])
    assert result.exit_code == 0
    assert out.read_bytes() == svg(figures.many_to_one(CLASSIC, (1, 0)))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("--figure overlap", "--figure needs --out"),
        ("--figure pie --out x.svg", "'pie' is not one of"),
        ("--figure overlap --position 1 --out x.svg", "--position goes with --figure many-to-one"),
        ("--figure many-to-one --position 9 9 --out x.svg", "position[0] = 9: allowed is"),
        ("--figure overlap --out x.gif", "format = 'gif': allowed is one of"),
        ("--figure overlap --out /dev/null/x.svg", "error: [Errno 17]"),
    ],
)
def test_misuse_exits_2(
    more: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = f"conv2d --kernel-size 3 --input-size 4 4 {more}".split()
    result = CliRunner().invoke(main, words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert not list(tmp_path.iterdir())
