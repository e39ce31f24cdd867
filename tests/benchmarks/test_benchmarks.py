"""What is measured is what the tables say, and who computes something else is left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import derive
from benchmarks import peers, picture, report
from benchmarks.__main__ import main
from benchmarks.case import Case, Data, data_of
from benchmarks.contestant import Contestant
from benchmarks.families import GOALS
from benchmarks.layers import DOUBLE, GRADIENTS, KNOWN, OTHERS, SECTIONS
from benchmarks.measure import measured
from benchmarks.ours import exact
from benchmarks.peak import multiply_adds
from benchmarks.row import Row
from benchmarks.run import page
from benchmarks.store import Store
from benchmarks.timing import interleaved
from tests.codegen.libraries import needs_compiler

UP = derive.Interpolate(4, (5, 6), scale_factor=2, mode="bilinear")
NEAREST = derive.Interpolate(4, (5, 6), scale_factor=2, mode="nearest")
SMALL = {
    "dense": Case("dense", "3x3", derive.Conv2d(4, 4, 3, 2, 1, 1, 2, input_size=(7, 8))),
    "signal": Case("signal", "3x3", derive.ConvTranspose1d(3, 2, 4, 2, 1, 1, input_size=6)),
    "volume": Case("volume", "3x3", derive.Conv3d(2, 3, 3, padding=1, input_size=5), batch=2),
    "transposed": Case("t", "3x3", derive.ConvTranspose2d(3, 2, 3, 2, 1, 1, input_size=5)),
    "bilinear": Case("b", "3x3", derive.Conv2d(4, 2, 3, padding=1, input_size=(10, 12)), UP),
    "nearest": Case("n", "3x3", derive.Conv2d(4, 2, 3, padding=1, input_size=(10, 12)), NEAREST),
}
PACKAGES = {
    "torch": "torch",
    "torch channels-last": "torch",
    "onnxruntime": "onnxruntime",
    "OpenVINO": "openvino",
    "ncnn": "ncnn",
}


def row(name: str, ratio: float, family: str = "3x3") -> Row:
    seconds = {"torch": (ratio, 2 * ratio), "ncnn": (9.0, 9.0), "exactconv auto": (1.0, 1.0)}
    return Row(name, family, 10, 20.0, seconds, dict.fromkeys(seconds, 1e-7), {"OpenVINO": "gone"})


def test_the_tables() -> None:
    assert (len(KNOWN), len(OTHERS)) == (25, 21)
    for cases in SECTIONS.values():
        assert len({case.name for case in cases}) == len(cases)
    families = {case.family for cases in (KNOWN, OTHERS, DOUBLE, GRADIENTS) for case in cases}
    assert families == set(GOALS)


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("peer", PACKAGES)
def test_peers_compute_the_layer(peer: str, name: str) -> None:
    pytest.importorskip(PACKAGES[peer])
    if peer in ("onnxruntime", "OpenVINO"):
        pytest.importorskip("onnx")
    left_out = measured(SMALL[name], [peer], [], 1, 1).left_out
    assert not any("wrong" in reason for reason in left_out.values()), left_out


@needs_compiler
@pytest.mark.parametrize("direction", ["forward", "input_gradient", "weight_gradient"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_ours_and_torch_in_every_direction(direction: str, dtype: str) -> None:
    pytest.importorskip("torch")
    for name in ("dense", "signal", "volume", "transposed"):
        case = replace(SMALL[name], direction=direction, dtype=dtype)
        found = measured(case, ["torch"], ["auto"], 1, 1)
        assert set(found.seconds) == {"torch", "exactconv auto"}
        unit = np.finfo(dtype).eps
        assert max(found.errors.values()) < 1000 * unit  # of sums of at most 400 products


def test_a_wrong_peer_and_a_missing_one_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(name: str) -> Callable[[Case, Data, int], Contestant]:
        if name == "missing":
            raise ImportError("no such package")

        def peer(case: Case, data: Data, threads: int) -> Contestant:
            y = exact(case, data)
            if name == "cropped":
                return Contestant(lambda: y[..., 1:], np.asarray)
            y[..., 0, 0] += name == "wrong"
            return Contestant(lambda: y, np.asarray)

        return peer

    monkeypatch.setattr(peers, "find", found)
    left_out = measured(SMALL["dense"], ["right", "wrong", "cropped", "missing"], [], 1, 1).left_out
    assert set(left_out) == {"wrong", "cropped", "missing"}
    assert left_out["missing"] == "no such package"
    assert left_out["wrong"].startswith("wrong: its error is")


def test_data_is_aligned() -> None:
    data = data_of(SMALL["volume"])
    assert (data.x.shape, data.grad.shape) == ((2, 2, 5, 5, 5), (2, 3, 5, 5, 5))
    assert all(each.ctypes.data % 64 == 0 for each in (data.x, data.weight, data.bias, data.grad))


def test_everybody_takes_turns() -> None:
    calls: list[str] = []
    now = iter(np.arange(10_000) * 0.5)
    runs = {name: lambda name=name: calls.append(name) for name in "ab"}
    found = interleaved(runs, 3, lambda: float(next(now)))
    assert calls[-6:] == ["a", "b"] * 3
    assert found == {"a": (0.5, 0.5), "b": (0.5, 0.5)}


def test_ratios() -> None:
    a, b = row("a", 2.0), row("b", 0.5)
    assert (a.ratio(), a.ratio(1), b.ratio()) == (2.0, 4.0, 0.5)
    assert a.share("exactconv auto") == 0.5
    text = report.families([a, b, row("c", 3.0, "float64")])
    assert "| 3x3 | 2 | 1.15 | 1.00 | 0.50 | 2.00 | no |" in text
    assert "| float64 | 1 | 1.6 | 3.00 | 3.00 | 3.00 | yes |" in text
    assert "Geometric mean of 2 float32 layers forward: **1.00** (goal 1.6)." in text
    assert "Least: 0.50, b (goal 1.0); 1 of 3 behind." in text
    table = report.measurements([a, b])
    assert "| a | torch | 2000.000 | 25 | 1000.000 | 0 | 50 | **2.00** | 4.00 |" in table
    assert "OpenVINO —" in table
    assert table.endswith("OpenVINO: gone (2).")


def test_a_row_without_peers() -> None:
    alone = Row("a", "3x3", 10, 20.0, {"exactconv auto": (1.0, 1.0)}, {"exactconv auto": 0.0}, {})
    assert alone.ratio() is None
    assert report.measurements([alone]).splitlines()[-1].startswith("| a | — | — | — | 1000.000 |")
    assert report.families([alone]).count("\n") == 1


def test_what_is_known_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    store = Store("here", texts={"matrix": "a table"})
    store.add("layers", [row("b", 0.5)], ["a", "b"])
    store.write(path)
    again = Store.read(path, "here")
    assert again == store
    assert [each.name for each in again.add("layers", [row("a", 2.0)], ["a", "b"])] == ["a", "b"]
    assert Store.read(path, "elsewhere") == Store("elsewhere")
    assert Store.read(tmp_path / "none", "here") == Store("here")
    text = page(again, "ratios.svg")
    assert text.index("## Families") < text.index("## Layers of known") < text.index("a table")


def test_the_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    rows = [row("a", 2.0), row("b", 0.25)]
    for path in (tmp_path / "a.svg", tmp_path / "b.svg"):
        picture.draw(rows, path)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert "0.25 torch" in (tmp_path / "a.svg").read_text()


@needs_compiler
def test_the_peak() -> None:
    run, flops = multiply_adds("float64")
    assert run() == pytest.approx(12.0)  # each sum tends to f/(1 - f) = 1
    assert flops > 0


@pytest.mark.parametrize(
    ("words", "said"),
    [(["--only", "("], "--only"), (["--peer", "nobody"], "nobody"), (["nothing"], "nothing")],
)
def test_bad_words(words: list[str], said: str) -> None:
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 2
    assert said in done.output
