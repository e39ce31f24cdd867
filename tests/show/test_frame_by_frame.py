"""The animation: each frame shows one row of the matrix, and nothing else changes."""

from __future__ import annotations

from itertools import pairwise
from math import prod
from pathlib import Path

import numpy as np
import pytest
import sympy
from click.testing import CliRunner
from PIL import Image

import derive
from derive import GeometryError
from derive.command_line import main
from derive.show.figures.drawing import Drawing
from derive.show.figures.frame_by_frame import sliding

CLASSIC = derive.Conv2d(1, 1, 3, bias=False, input_size=(4, 4))
STRIDED = derive.ConvTranspose1d(1, 1, 3, stride=2, bias=False, input_size=3)
BILINEAR = derive.Interpolate(1, (2, 2), scale_factor=2, mode="bilinear")
EXAMPLES = [CLASSIC, CLASSIC.T, STRIDED, BILINEAR, CLASSIC @ BILINEAR]


def words(frame: Drawing, label: str) -> list[str]:
    return [text.get_text() for text in frame.texts_of(label)]


def expected(op: derive.LinearMap, row: int) -> str:
    """The sum of a row, from the exact matrix."""
    places = [list(np.ndindex(*shape[1:])) for shape in (op.input_shape, op.output_shape)]
    terms = []
    for column, entry in sorted(op.matrix().todok().items()):
        if column[0] != row:
            continue
        word = str(entry[1] if isinstance(entry, tuple) else entry)
        for index in entry.atoms(sympy.Indexed):
            word = word.replace(str(index), "w" + "".join(map(str, index.indices[2:])))
        terms.append(f"{word}·x" + "".join(map(str, places[0][column[1]])))
    return f"y{''.join(map(str, places[1][row]))} = {' + '.join(terms)}"


@pytest.mark.parametrize("op", [CLASSIC, CLASSIC.T, STRIDED, BILINEAR], ids=repr)
def test_each_frame_shows_its_row_of_the_matrix(op: derive.LinearMap) -> None:
    film = sliding(op)
    assert len(film.frames) == prod(op.output_shape)
    for row, frame in enumerate(film.frames):
        sums = " ".join(line.strip() for line in words(frame, "sum"))
        assert sums == expected(op, row)
        reads = op.matrix()[row, :].todok()
        assert frame.paths_of("read") == frame.paths_of("entry") == len(reads)
        assert frame.paths_of("other entry") == op.nnz - len(reads)
        assert (frame.paths_of("written"), frame.paths_of("done")) == (1, row)
        assert frame.texts_of("output")[row].get_color() == "#FFFFFF"  # on black
        assert (words(frame, "zero") == []) == (len(reads) == prod(op.input_shape))


def test_taps_keep_their_colours() -> None:
    """A weight has one colour, on the input, in the kernel and in the row of the matrix."""
    shades: dict[str, set[tuple[float, ...]]] = {}
    for frame in sliding(CLASSIC).frames:
        boxes = [c for c in frame.page.collections if c.get_label() in ("read", "entry", "tap")]
        assert len(boxes) == 27
        colours = [tuple(box.get_facecolor()[0]) for box in boxes]
        for shade in (colours[:9], colours[9:18], colours[18:]):
            for name, each in zip(
                [f"w{i}{j}" for i in range(3) for j in range(3)], shade, strict=True
            ):
                shades.setdefault(name, set()).add(each)
    assert all(len(found) == 1 for found in shades.values())
    assert len({min(found) for found in shades.values()}) == 9


@pytest.mark.parametrize("op", EXAMPLES, ids=repr)
def test_words_stay_on_the_page(op: derive.LinearMap) -> None:
    for frame in sliding(op).frames[:2]:
        page = frame.page.get_window_extent()
        for text in frame.page.texts:
            box = text.get_window_extent()
            assert page.x0 <= box.x0
            assert box.x1 <= page.x1
            assert page.y0 <= box.y0
            assert box.y1 <= page.y1


@pytest.mark.parametrize("suffix", ["gif", "png"])
def test_saved(suffix: str, tmp_path: Path) -> None:
    first, second = tmp_path / f"a.{suffix}", tmp_path / f"b.{suffix}"
    sliding(STRIDED.T).save(first)
    sliding(STRIDED.T).save(str(second))
    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_size < 100_000
    with Image.open(first) as image:
        assert (image.n_frames, image.width) == (3, 800)
        frames = []
        for number in range(3):
            image.seek(number)
            frames.append(np.array(image.convert("RGB")))
    assert all((a != b).any() for a, b in pairwise(frames))
    assert frames[0][0, 0].min() > 245  # opaque paper: the same on white and on dark pages


def test_command_line(tmp_path: Path) -> None:
    out = tmp_path / "film.gif"
    line = ["conv1d", "--kernel-size", "2", "--input-size", "3", "--figure", "sliding"]
    result = CliRunner().invoke(main, [*line, "--out", str(out)])
    assert (result.exit_code, result.stdout) == (0, f"wrote {out}\n")
    with Image.open(out) as image:
        assert image.n_frames == 2


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(GeometryError, match=r"channels = \(2, 1\): allowed is 1 input"):
        sliding(derive.Conv1d(2, 1, 2, input_size=3))
    with pytest.raises(GeometryError, match="at most 40 rows and columns"):
        sliding(derive.Conv1d(1, 1, 2, input_size=100))
    with pytest.raises(GeometryError, match="1 or 2 axes"):
        sliding(derive.Conv3d(1, 1, 2, input_size=2))
    with pytest.raises(GeometryError, match="this needs a fixed input_size"):
        sliding(derive.Conv1d(1, 1, 2))
    with pytest.raises(GeometryError, match=r"format = '.mp4': allowed is one of \.gif, \.png"):
        sliding(STRIDED).save(tmp_path / "film.mp4")
